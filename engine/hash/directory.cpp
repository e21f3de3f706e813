#include "engine/hash/directory.h"

#include <cstdlib>
#include <new>

#include "engine/line_reader.h"

namespace nacre::engine::hash {
namespace {

Status bad_entry(uint64_t line_off, uint64_t entry) {
  return Status::error(Code::corruption, "directory line at offset %llu: entry %016llx makes no sense; run nacre check",
                       static_cast<unsigned long long>(line_off), static_cast<unsigned long long>(entry));
}

}  // namespace

// calloc: the pages of a large array are not touched before an entry in them is.
Directory::Flat::Flat(uint32_t d)
    : depth(d), slots(static_cast<std::atomic<uint64_t>*>(std::calloc(size_t{1} << d, sizeof(uint64_t)))) {
  if (slots == nullptr) throw std::bad_alloc();
}

void Directory::Flat::Free::operator()(void* p) const noexcept { std::free(p); }

Directory::Directory(alloc::Pool& pool, const Shape& shape, uint64_t root_line_off, uint32_t root_word)
    : pool_(pool), shape_(shape), root_line_off_(root_line_off), root_word_(root_word) {
  all_.push_back(std::make_unique<Flat>(0));
  flat_.store(all_.back().get(), std::memory_order_release);
}

Status Directory::path(uint64_t hash, EntryPath& out) const {
  LineView line;
  uint64_t line_off = root_line_off_;
  NACRE_TRY(read_line(pool_, line_off, line));
  out = {};
  out.entry = line.words[root_word_];
  for (uint32_t bits_used = 0;; bits_used += shape_.dir_bits) {
    const uint64_t entry = out.entry;
    if (entry == 0) return Code::not_found;
    if (!entry_clean(entry)) return bad_entry(line_off, entry);
    if (entry_kind(entry) == EntryKind::segment) {
      const uint32_t covered = out.in_root ? 0 : bits_used;
      const uint32_t floor = out.in_root ? 0 : bits_used - shape_.dir_bits;
      const uint64_t last = entry_off(entry) + shape_.segment_bytes();
      if (entry_depth(entry) > covered || entry_depth(entry) > kMaxDepth ||
          (!out.in_root && entry_depth(entry) <= floor) || last > pool_.layout().pool_bytes() ||
          !pool_.layout().is_line(entry_off(entry)))
        return bad_entry(line_off, entry);
      out.count = 1u << (covered - entry_depth(entry));
      out.first_idx = out.first_idx / out.count * out.count;
      return Code::ok;
    }
    if (bits_used >= kMaxDepth || !pool_.layout().is_line(entry_off(entry)) ||
        entry_off(entry) + shape_.dir_node_bytes() > pool_.layout().pool_bytes())
      return bad_entry(line_off, entry);
    out.level = out.in_root ? 0 : out.level + 1;
    out.in_root = false;
    out.node_off = entry_off(entry);
    out.first_idx = static_cast<uint32_t>(hash << bits_used >> (64 - shape_.dir_bits));
    line_off = line_of(out.node_off, out.first_idx);
    NACRE_TRY(read_line(pool_, line_off, line));
    out.entry = line.words[word_of(out.first_idx)];
  }
}

Status Directory::resolve(uint64_t hash, uint64_t& entry) {
  Flat* flat = flat_.load(std::memory_order_acquire);  // before the medium: see the top of the header
  EntryPath path;
  NACRE_TRY(this->path(hash, path));
  entry = path.entry;
  if (entry_depth(entry) > flat->depth) {
    grow_to(entry_depth(entry));
    return Code::ok;  // the next look-up fills it
  }
  uint64_t expected = 0;
  auto& slot = flat->slots[flat->index(hash)];
  sync::point(sync::Event::store, &slot);
  if (broken(site::kResolveOverwrites)) expected = slot.load();
  if (!slot.compare_exchange_strong(expected, entry, std::memory_order_acq_rel)) entry = expected;
  return Code::ok;
}

void Directory::grow_to(uint32_t depth) {
  if (flat_.load(std::memory_order_acquire)->depth >= depth) return;
  sync::Guard guard(grow_mutex_);
  if (flat_.load(std::memory_order_relaxed)->depth >= depth) return;
  all_.push_back(std::make_unique<Flat>(depth));
  sync::point(sync::Event::store, &flat_);
  flat_.store(all_.back().get(), std::memory_order_release);
}

void Directory::store(uint64_t prefix, uint32_t depth, uint64_t entry) noexcept {
  sync::Guard guard(grow_mutex_);
  Flat* flat = flat_.load(std::memory_order_relaxed);
  const uint64_t first = flat->index(prefix);
  const uint64_t count = uint64_t{1} << (flat->depth - depth);
  for (uint64_t i = 0; i < count; ++i) {
    sync::point(sync::Event::store, &flat->slots[first + i]);
    flat->slots[first + i].store(entry, std::memory_order_release);
  }
}

}  // namespace nacre::engine::hash
