// The heap's part in shrinking a pool: the chunks at its end that hold nothing.
#include <algorithm>

#include "alloc/heap.h"

namespace nacre::alloc {

Status Heap::take_tail(Tail& out, uint64_t keep_chunks) {
  NACRE_TRY(ensure_table());
  const sync::Guard guard(mutex_);
  std::sort(free_chunks_.rbegin(), free_chunks_.rend());  // the last chunk of the pool comes first
  out.chunks_.reserve(free_chunks_.size());
  struct Erase {  // however the walk ends
    std::vector<uint32_t>& from;
    const std::vector<uint32_t>& taken;
    ~Erase() { from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(taken.size())); }
  } erase{free_chunks_, out.chunks_};
  return walk_tail(out, keep_chunks);
}

Status Heap::walk_tail(Tail& out, uint64_t keep_chunks) {
  for (out.zone_count_ = layout_.zone_count();; --out.zone_count_) {
    const uint64_t zone = out.zone_count_ - 1;
    const uint64_t least = zone == 0 ? keep_chunks : 0;
    for (out.chunks_in_last_ = layout_.chunks_in(zone); out.chunks_in_last_ > least; --out.chunks_in_last_) {
      bool empty;
      const uint64_t last = layout_.zone(zone).chunk_frame + out.chunks_in_last_ - 1;
      NACRE_TRY(take_if_empty(static_cast<uint32_t>(last), out, empty));
      if (!empty) return Code::ok;
    }
    if (zone == 0) return Code::ok;
  }
}

Status Heap::take_if_empty(uint32_t chunk, Tail& out, bool& empty) {
  const size_t next = out.chunks_.size();  // those before it are taken already
  empty = next < free_chunks_.size() && free_chunks_[next] == chunk;
  if (empty) {
    out.chunks_.push_back(chunk);
    return Code::ok;
  }
  if (out.emptied_.size() == out.emptied_.capacity()) out.emptied_.reserve(out.emptied_.size() * 2 + 16);
  NACRE_ASSIGN(Slab* const slab, load_slab(chunk));
  empty = slab != nullptr && slab->whole_available() && slab->take_all();
  if (!empty) return Code::ok;
  withdraw(slab);
  out.emptied_.push_back(slab);
  return Code::ok;
}

// All units of the slab were taken: the arenas that have it find it empty.
void Heap::withdraw(Slab* slab) noexcept {
  slab->listed.store(true);  // so that nobody lists it again
  ClassSlabs& list = class_slabs_[slab->class_id()];
  std::erase(list.with_room, slab);
  std::erase(list.all, slab);
}

void Heap::restore(Slab* slab) noexcept {
  ClassSlabs& list = class_slabs_[slab->class_id()];
  list.all.push_back(slab);  // capacity is there: it was in it before
  for (uint32_t u = 0; u < slab->unit_count(); ++u) slab->give(u);
  slab->listed.store(true);  // an arena that found it empty may have said otherwise
  list.with_room.push_back(slab);
}

void Heap::give_back(Tail& tail) noexcept {
  const sync::Guard guard(mutex_);
  // Capacity is there: they were in it before. They come to be handed out last, as it was.
  free_chunks_.insert(free_chunks_.begin(), tail.chunks_.begin(), tail.chunks_.end());
  for (Slab* slab : tail.emptied_) restore(slab);
  tail.chunks_.clear();
  tail.emptied_.clear();
}

void Heap::drop(Tail& tail) noexcept {
  const sync::Guard guard(mutex_);
  for (Slab* slab : tail.emptied_) slab_of_chunk_[slab->chunk()].store(nullptr, std::memory_order_release);
  next_zone_ = tail.zone_count_ - 1;  // what comes again one day is read again
  next_index_ = tail.chunks_in_last_;
  tail.chunks_.clear();
  tail.emptied_.clear();
}

}  // namespace nacre::alloc
