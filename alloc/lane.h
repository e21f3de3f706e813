// The volatile side of a lane: where its ring goes on, which lines its records named, the arena it allocates from and
// the limbo of what it freed. A thread holds a lane exclusively while it commits.
//
//   half A                half B
//   | r r r r r r r r |   | r r r r . . . . |      records never cross a half; `pos` is the next free cell
//
// Leaving a half: every line its records named is flushed (they were all applied, for the lane's own thread applied
// them). The next fence of the same thread makes that durable; only then may the half be overwritten.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "alloc/geometry.h"
#include "alloc/heap.h"
#include "alloc/log_record.h"
#include "alloc/mutants.h"
#include "alloc/reserved_vector.h"

namespace nacre::alloc {

/// A queue with room reserved ahead, so that pushing never allocates.
template <class T>
class ReservedQueue {
 public:
  void reserve(size_t n) {
    if (items_.capacity() - items_.size() >= n) [[likely]]
      return;
    make_room(n);
  }
  void make_room(size_t n) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
    if (items_.capacity() - items_.size() < n) items_.reserve((items_.size() + n) * 2);
  }
  void push(const T& item) noexcept { items_.push_back(item); }
  bool empty() const noexcept { return head_ == items_.size(); }
  size_t size() const noexcept { return items_.size() - head_; }
  const T& front() const noexcept { return items_[head_]; }
  /// The item that comes `n` behind the front; null if there are not so many.
  const T* ahead(size_t n) const noexcept { return n < size() ? &items_[head_ + n] : nullptr; }
  void pop() noexcept {
    if (++head_ == items_.size()) {
      items_.clear();
      head_ = 0;
    }
  }

 private:
  std::vector<T> items_;
  size_t head_ = 0;
};

/// The lines that the records of one half of the ring named: all of them must be flushed before that half is
/// overwritten. A line named again and again is kept once, but for what the filter forgets.
class HomeLines {
 public:
  /// Room for all that `cells` cells can name, so that add never allocates. May throw bad_alloc.
  void reserve_for_cells(uint64_t cells) {
    lines_.reserve(cells * kLineBytes / kLeastLineEntryBytes);
    filter_.resize(kFilterLines);
  }
  void add(uint64_t line_off) noexcept {
    uint64_t& seen = filter_[line_off / kLineBytes % kFilterLines];
    if (seen == line_off) return;
    seen = line_off;
    lines_.push(line_off);
  }
  void clear() noexcept {
    lines_.clear();
    if (!broken(site::kLaneFilterStays)) std::fill(filter_.begin(), filter_.end(), 0);
  }
  /// Forgets the lines at `end_off` and behind.
  void forget_from(uint64_t end_off) noexcept {
    const auto gone = [end_off](uint64_t off) { return off >= end_off; };
    lines_.truncate(static_cast<size_t>(std::remove_if(lines_.begin(), lines_.end(), gone) - lines_.begin()));
    if (!broken(site::kLaneForgetStays)) std::replace_if(filter_.begin(), filter_.end(), gone, uint64_t{0});
  }
  auto begin() const noexcept { return lines_.begin(); }
  auto end() const noexcept { return lines_.end(); }
  size_t size() const noexcept { return lines_.size(); }

 private:
  static constexpr uint64_t kFilterLines = 1024;
  ReservedVector<uint64_t> lines_;
  std::vector<uint64_t> filter_;  // by line number: the last one added with that remainder; no line is at offset 0
};

/// A number that no two threads of the process ever share, not even one after the other.
inline uint64_t thread_serial() noexcept {
  static std::atomic<uint64_t> next{1};
  thread_local const uint64_t serial = next.fetch_add(1, std::memory_order_relaxed);
  return serial;
}

/// A freed unit, with the epoch in which it was freed.
struct LimboEntry {
  UnitRef unit;
  uint64_t epoch;
};

/// A unit's bit that a commit sets or clears: one number, so that the numbers sort in lock order.
///
///   | number of the line | index of the bit 9 | 1: it is set, 0: it is cleared |
class BitChange {
 public:
  BitChange() = default;
  BitChange(const BitRef& bit, bool set) noexcept
      : packed_(bit.line_off / kLineBytes << kLineShift | uint64_t{bit.index} << 1 | (set ? 1 : 0)) {}
  uint64_t line_off() const noexcept { return (packed_ >> kLineShift) * kLineBytes; }
  uint8_t word() const noexcept { return static_cast<uint8_t>(packed_ >> 7 & 7); }
  uint64_t mask() const noexcept { return uint64_t{1} << (packed_ >> 1 & 63); }
  bool sets() const noexcept { return (packed_ & 1) != 0; }
  friend bool operator<(BitChange a, BitChange b) noexcept { return a.packed_ < b.packed_; }

 private:
  static constexpr uint32_t kLineShift = 10;
  static_assert(kBitsPerLine <= 512);
  uint64_t packed_ = 0;
};

struct alignas(64) Lane {
  // shared with the epoch advance
  std::atomic<uint32_t> held{0};
  std::atomic<uint64_t> durable_seq{0};  // published after the commit's fence, before any line is unlocked
  std::atomic<uint64_t> applied_seq{0};  // published after the apply

  // of the advance, under its lock
  uint64_t sealed_seq = 0;    // the seal known to be fenced
  uint64_t retiring_seq = 0;  // applied when its lines were flushed by the running retire advance

  // of the holder
  uint32_t number = 0;
  uint64_t last_seq = 0;
  uint32_t half_cells = 0;
  uint32_t half = 0;  // the current one
  uint32_t pos = 0;   // next free cell of the whole ring
  HomeLines half_lines[2];
  bool ready = false;  // half_lines have their room
  int pending_half = -1;        // flushed, its fence has not passed
  uint64_t pending_thread = 0;  // whose fence it needs
  uint64_t frees_since_advance = 0, freed_bytes_since_advance = 0;
  uint64_t line_frees_since_retire = 0;
  uint64_t last_freed = 0;  // units that the last commit freed

  Arena arena;
  ReservedQueue<LimboEntry> limbo_records;
  ReservedQueue<LimboEntry> limbo_lines;  // memory that held guarded lines: waits for a retire advance

  // scratch of the running commit; kept for its capacity
  uint64_t room_lines = 0, room_ops = 0;  // what the vectors below surely hold
  LogRecord record;
  ReservedVector<uint32_t> index_stripes, slab_stripes;
  ReservedVector<BitChange> bits;
  struct Freed {
    UnitRef unit;
    bool lines;
  };
  /// A word of the chunk table, apart from "bitmap is written", which stays unless `to` sets it.
  struct ChunkWordChange {
    uint64_t line_off;
    uint32_t word;
    uint64_t from, to;
  };
  ReservedVector<UnitRef> allocated;
  ReservedVector<Freed> freed;
  ReservedVector<ChunkWordChange> words;

  // statistics, of the holder, read by anybody
  std::atomic<uint64_t> commits{0}, strict_commits{0}, wraps{0}, cells{0};
  static void bump(std::atomic<uint64_t>& counter, uint64_t n) noexcept {  // only the holder writes
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  /// Makes room for a commit of so many lines and ops, that from its lock on nothing allocates. May throw bad_alloc.
  void reserve_scratch(uint64_t lines, uint64_t ops) {
    if (lines > room_lines || ops > room_ops) [[unlikely]]
      grow_scratch(lines, ops);
  }
  void grow_scratch(uint64_t lines, uint64_t ops);
  /// Before the first commit on this lane. May throw bad_alloc.
  void make_ready();
};

}  // namespace nacre::alloc
