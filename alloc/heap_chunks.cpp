// Chunks: the cursor over the chunk table, free runs, extents.
#include <algorithm>

#include "alloc/heap.h"
#include "alloc/historic_mutants.h"
#include "alloc/mutants.h"
#include "alloc/steady_line.h"

namespace nacre::alloc {
namespace {

constexpr uint32_t kMaxSlabChunks = 255;  // a byte of the class word

Status no_unit_there(uint64_t off) {
  return Status::error(Code::corruption, "offset %llu: a reference leads there but no unit starts there",
                       static_cast<unsigned long long>(off));
}

}  // namespace

bool decode_chunk_word(uint64_t word, const SizeClasses& classes, uint64_t room, ChunkUse& out) noexcept {
  out = {ChunkState::free, chunk_word_bitmap(word), 0, 1};
  if (chunk_word_free(word)) return true;
  if (chunk_word_is_slab(word)) {
    out.state = ChunkState::slab;
    out.class_id = chunk_word_class(word);
    if (out.class_id >= classes.count()) return false;  // it may be any 16 bits
    out.chunks = classes.slab_chunks(out.class_id);
    return out.chunks != 0 && out.chunks <= room;  // an absent class has slabs of no chunk
  }
  out.state = ChunkState::extent;
  out.chunks = chunk_word_extent(word);
  return chunk_word_is_extent(word) && out.chunks <= room;
}

// ---- reading chunk words ----

Status Heap::read_chunk(uint32_t chunk, ChunkUse& out) const {
  return read_chunk_in(layout_.zone_of(chunk), chunk, out);
}

Status Heap::read_chunk_in(uint64_t zone_index, uint32_t chunk, ChunkUse& out) const {
  const Zone zone = layout_.zone(zone_index);
  const uint64_t index = chunk - zone.chunk_frame;
  const ChunkPlace place = layout_.place_in(zone, index);
  uint64_t words[kLineWords];
  if (!read_steady_line(locks_, salt_, place.line_off, *domain_.at<GuardedLine>(place.line_off), words) &&
      !broken(site::kHeapTableUnchecked))
    return damaged_line("chunk table", place.line_off);
  if (decode_chunk_word(words[place.word], classes_, layout_.chunks_in(zone_index) - index, out)) return Code::ok;
  return Status::error(Code::corruption, "chunk %u: its table word %016llx names no known state or class, or leads out "
                       "of its zone; run nacre check", chunk, static_cast<unsigned long long>(words[place.word]));
}

bool Heap::scanned(uint32_t chunk) const noexcept {
  const uint64_t zone = layout_.zone_of(chunk);
  return zone < next_zone_ || (zone == next_zone_ && chunk - layout_.zone(zone).chunk_frame < next_index_);
}

/// Chunks that somebody in this process knows better than the word of `chunk` does; 0: nobody does.
uint32_t Heap::known_chunks(uint32_t chunk) const noexcept {
  if (const Slab* slab = slab_at(chunk)) return slab->chunk() + slab->chunk_count() - chunk;
  const auto it = held_.find(chunk);
  return it == held_.end() ? 0 : it->second;
}

// ---- the cursor ----

Status Heap::scan_step() {
  FreeRun pending;  // free chunks up to the cursor that `runs_` does not have yet
  Status s;
  uint32_t words = 0;
  try {
    for (; s.ok() && words < kScanChunks; ++words) {
      const uint64_t zone_count = layout_.zone_count();
      if (next_zone_ < zone_count && next_index_ >= layout_.zone(next_zone_).capacity) {
        if (next_zone_ + 1 == zone_count) break;
        ++next_zone_;
        next_index_ = 0;
      }
      if (next_zone_ >= zone_count) break;
      const uint64_t count = layout_.chunks_in(next_zone_);
      if (next_index_ >= count) break;
      s = scan_chunk(next_zone_, count, pending);
    }
  } catch (...) {
    give_run(pending);
    throw;
  }
  give_run(pending);
  words_read_.fetch_add(words, std::memory_order_relaxed);
  if (s.ok() && words < kScanChunks) scanned_all_.store(true, std::memory_order_release);
  return s;
}

// Moves the cursor over one chunk, or over all chunks of a slab or extent.
Status Heap::scan_chunk(uint64_t zone, uint64_t count, FreeRun& pending) {
  const auto chunk = static_cast<uint32_t>(layout_.zone(zone).chunk_frame + next_index_);
  if (const uint32_t known = known_chunks(chunk); known != 0) {
    runs_.make(chunk, known);  // as below: what was located ahead of the cursor is given back like all others
    next_index_ = std::min(next_index_ + known, count);
    return Code::ok;
  }
  ChunkUse use;
  NACRE_TRY(read_chunk_in(zone, chunk, use));
  runs_.make(chunk, use.chunks);  // so that giving these chunks back never allocates
  if (use.state == ChunkState::free) {
    if (pending.first + pending.chunks != chunk) {
      give_run(pending);
      pending = {chunk, 0};
    }
    ++pending.chunks;
  } else {
    NACRE_TRY(check_rest(zone, chunk, use.chunks));
    if (use.state == ChunkState::slab) class_slabs_[use.class_id].unloaded.push_back(chunk);
  }
  next_index_ += use.chunks;
  return Code::ok;
}

/// The other chunks of a slab or extent have words that say "free". Looks at the first few thousand.
Status Heap::check_rest(uint64_t zone, uint32_t head, uint32_t chunks) const {
  for (uint32_t i = 1; i < std::min(chunks, kScanChunks); ++i) {
    ChunkUse use;
    NACRE_TRY(read_chunk_in(zone, head + i, use));
    if (use.state != ChunkState::free)
      return Status::error(Code::corruption, "chunk %u belongs to the %u chunks from %u on, and its own table word "
                           "says otherwise; run nacre check", head + i, chunks, head);
  }
  return Code::ok;
}

void Heap::extend() noexcept {
  sync::Guard guard(mutex_);  // not in the middle of a step, which may have seen the old size
  scanned_all_.store(false, std::memory_order_release);
}

void Heap::give_run(FreeRun run) noexcept {
  // Ahead of the cursor nothing is given: the cursor will find what the medium says. An overlap is damage, and then the
  // chunks are rather lost until the next open than handed out twice.
  if (run.chunks != 0 && (scanned(run.first) || broken(site::kGivenAheadOfCursor))) (void)runs_.insert(run);
}

// ---- extents ----

Status Heap::reserve_extent(uint32_t chunks, UnitRef& out) {
  for (;;) {
    sync::Guard guard(mutex_);
    if (const FreeRun run = runs_.take_best(chunks); run.chunks != 0) {
      out = {nullptr, run.first, chunks, layout_.chunk_off(run.first)};
      return Code::ok;
    }
    if (scanned_all_.load(std::memory_order_acquire)) return Code::not_found;
    NACRE_TRY(scan_step());
  }
}

void Heap::release_extent(const UnitRef& unit) noexcept {
  sync::Guard guard(mutex_);
  if (!broken(site::kHeapHeldKept)) held_.erase(unit.unit);
  give_run({unit.unit, unit.chunks});
}

uint64_t Heap::largest_extent_chunks() const noexcept {
  uint64_t most = 0;
  for (uint64_t zone = 0; zone < layout_.zone_count(); ++zone) most = std::max(most, layout_.chunks_in(zone));
  return std::min<uint64_t>(most, kNoChunk);
}

uint64_t Heap::free_chunks_known() noexcept {
  sync::Guard guard(mutex_);
  return runs_.chunk_count();
}

Result<uint64_t> Heap::free_chunks() {
  for (;;) {
    sync::Guard guard(mutex_);
    if (scanned_all_.load(std::memory_order_acquire)) return runs_.chunk_count();
    NACRE_TRY(scan_step());
  }
}

/// The chunk whose word speaks for `chunk`: itself, or the first one of the slab of several chunks that it belongs to.
Status Heap::locate_chunk(uint32_t chunk, uint32_t& head, ChunkUse& use) const {
  const uint64_t zone = layout_.zone_of(chunk);
  const auto first = static_cast<uint32_t>(layout_.zone(zone).chunk_frame);
  for (head = chunk;; --head) {
    NACRE_TRY(read_chunk_in(zone, head, use));
    if (use.state != ChunkState::free || head == first || chunk - head == kMaxSlabChunks - 1) break;
  }
  if (use.state != ChunkState::free && chunk - head < use.chunks) return Code::ok;
  return no_unit_there(layout_.chunk_off(chunk));
}

/// Sets `slab`, or `out` for an extent.
Status Heap::locate_unloaded(uint64_t off, UnitRef& out, Slab*& slab) {
  const auto chunk = static_cast<uint32_t>(off >> layout_.chunk_shift);
  uint32_t head;
  ChunkUse use;
  NACRE_TRY(locate_chunk(chunk, head, use));
  sync::Guard guard(mutex_);
  if (use.state == ChunkState::slab) {
    NACRE_ASSIGN(slab, load_slab(head, use));
    return Code::ok;
  }
  if (off != layout_.chunk_off(head)) return no_unit_there(off);
  if (!scanned(head) && !broken(site::kHeapHeldMissing)) held_.emplace(head, use.chunks);
  runs_.make(head, use.chunks);  // so that giving them back never allocates
  out = {nullptr, head, use.chunks, off};
  return Code::ok;
}

Status Heap::locate_to_free(uint64_t off, UnitRef& out) {
  const Status s = locate(off, out);
  const uint32_t chunk = layout_.chunk_of(off);
  ChunkUse use;
  if (s.ok() || chunk == kNoChunk || off != layout_.chunk_off(chunk) || slab_at(chunk) != nullptr ||
      !read_chunk(chunk, use).ok() || use.state != ChunkState::free)
    return s;
  out = {nullptr, chunk, 0, off};
  return Code::ok;
}

// ---- the end of the pool ----

Result<uint32_t> Heap::free_tail() {
  for (;;) {
    sync::Guard guard(mutex_);
    if (!scanned_all_.load(std::memory_order_acquire)) {
      NACRE_TRY(scan_step());
      continue;
    }
    const uint64_t zone = layout_.zone_count() - 1;
    const FreeRun last = runs_.last();
    const uint64_t end = layout_.zone(zone).chunk_frame + layout_.chunks_in(zone);
    return last.chunks != 0 && last.first + uint64_t{last.chunks} == end ? last.chunks : 0;
  }
}

bool Heap::take_tail(uint32_t chunks) noexcept {
  sync::Guard guard(mutex_);
  const uint64_t zone = layout_.zone_count() - 1, count = layout_.chunks_in(zone);
  if (chunks == 0 || chunks > count) return false;
  return runs_.take({static_cast<uint32_t>(layout_.zone(zone).chunk_frame + count - chunks), chunks});
}

void Heap::give_tail(uint32_t chunks) noexcept {
  sync::Guard guard(mutex_);
  const uint64_t zone = layout_.zone_count() - 1, count = layout_.chunks_in(zone);
  give_run({static_cast<uint32_t>(layout_.zone(zone).chunk_frame + count - chunks), chunks});
}

void Heap::tail_cut() noexcept {
  sync::Guard guard(mutex_);
  const uint64_t last = layout_.zone_count() - 1;
  if (broken(site::kHeapTailUntold)) return;
  if (next_zone_ > last) {
    next_zone_ = last;
    next_index_ = layout_.chunks_in(last);
  } else if (next_zone_ == last) {
    next_index_ = std::min(next_index_, layout_.chunks_in(last));
  }
}

}  // namespace nacre::alloc
