// The DRAM mirror of one slab: which units may be handed out now. A unit is available when its bit on the medium is
// clear, nobody has reserved it, and it is not in limbo. The bits are atomic words, so any thread may take or give
// back a unit; that an arena "has" a slab only keeps threads out of each other's way.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "alloc/geometry.h"
#include "alloc/mutants.h"
#include "pmem/base/sync.h"

namespace nacre::alloc {

class Slab {
 public:
  Slab(uint32_t chunk, uint32_t chunk_count, uint16_t class_id, uint64_t chunk_off, uint64_t bitmap_off,
       uint32_t unit_bytes, uint32_t unit_count)
      : chunk_(chunk),
        chunk_count_(chunk_count),
        class_id_(class_id),
        unit_bytes_(unit_bytes),
        unit_count_(unit_count),
        chunk_off_(chunk_off),
        bitmap_off_(bitmap_off),
        words_(static_cast<uint32_t>(ceil_div(unit_count, 64))),
        available_(new std::atomic<uint64_t>[words_]) {
    for (uint32_t i = 0; i < words_; ++i) available_[i].store(0, std::memory_order_relaxed);
  }

  uint32_t chunk() const noexcept { return chunk_; }  // the first one
  uint32_t chunk_count() const noexcept { return chunk_count_; }
  uint16_t class_id() const noexcept { return class_id_; }
  uint32_t unit_bytes() const noexcept { return unit_bytes_; }
  uint32_t unit_count() const noexcept { return unit_count_; }
  uint32_t word_count() const noexcept { return words_; }
  uint64_t unit_off(uint32_t unit) const noexcept { return chunk_off_ + uint64_t{unit} * unit_bytes_; }
  uint64_t bitmap_off() const noexcept { return bitmap_off_; }
  /// Counted anew each time: a running count would cost two locked instructions a commit.
  uint32_t available_count() const noexcept {
    uint32_t count = 0;
    for (uint32_t w = 0; w < words_; ++w)
      count += static_cast<uint32_t>(std::popcount(available_[w].load(std::memory_order_seq_cst)));
    return count;
  }
  bool has_room() const noexcept {
    for (uint32_t w = 0; w < words_; ++w)
      if (available_[w].load(std::memory_order_seq_cst) != 0) return true;
    return false;
  }
  bool whole_available() const noexcept { return available_count() == unit_count_; }

  /// Takes a unit out; unit_count() if there is none.
  uint32_t take() noexcept {
    const uint32_t start = hint_.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < words_; ++i) {
      const uint32_t w = start + i < words_ ? start + i : start + i - words_;
      sync::point(sync::Event::store, &available_[w]);
      uint64_t bits = available_[w].load(std::memory_order_relaxed);
      while (bits != 0) {
        const uint64_t bit = bits & (~bits + 1);
        if (available_[w].compare_exchange_weak(bits, bits & ~bit, std::memory_order_acq_rel)) {
          if (w != start) hint_.store(w, std::memory_order_relaxed);
          return w * 64 + static_cast<uint32_t>(std::countr_zero(bit));
        }
      }
    }
    return unit_count_;
  }
  /// The unit that take() is likely to hand out next, which then need not look for it; unit_count() if there is none.
  uint32_t peek() noexcept {
    const uint32_t start = hint_.load(std::memory_order_relaxed);
    for (uint32_t i = 0, w = start; i < words_; ++i, w = w + 1 == words_ ? 0 : w + 1) {
      const uint64_t bits = available_[w].load(std::memory_order_relaxed);
      if (bits == 0) continue;
      if (w != start) hint_.store(w, std::memory_order_relaxed);
      return w * 64 + static_cast<uint32_t>(std::countr_zero(bits));
    }
    return unit_count_;
  }
  /// Asks for what give() will touch, of a slab that is in the cache already.
  void prefetch_word(uint32_t unit) const noexcept { __builtin_prefetch(&available_[unit / 64], 1); }
  /// The same for take().
  void prefetch_next_word() const noexcept {
    __builtin_prefetch(&available_[hint_.load(std::memory_order_relaxed)], 1);
  }
  /// Takes all units out, or none: for a slab about to become another class. May throw bad_alloc.
  bool take_all() {
    std::vector<uint64_t> taken(words_);
    uint32_t count = 0;
    for (uint32_t w = 0; w < words_; ++w) {
      sync::point(sync::Event::store, &available_[w]);
      taken[w] = available_[w].exchange(0, std::memory_order_acq_rel);
      count += static_cast<uint32_t>(std::popcount(taken[w]));
    }
    if (count == unit_count_ || broken(site::kClaimTakesSome)) return true;
    for (uint32_t w = 0; w < words_; ++w) available_[w].fetch_or(taken[w], std::memory_order_acq_rel);
    return false;
  }
  void give(uint32_t unit) noexcept {
    sync::point(sync::Event::store, &available_[unit / 64]);
    available_[unit / 64].fetch_or(uint64_t{1} << unit % 64, std::memory_order_seq_cst);  // before `listed` is read
    hint_.store(unit / 64, std::memory_order_relaxed);
  }
  void load_word(uint32_t word, uint64_t available) noexcept {
    available_[word].store(available, std::memory_order_relaxed);
  }

  /// True while the slab is somebody's active one or in its class's list of slabs with room.
  std::atomic<bool> listed{false};
  /// True while an arena leads to it. Under the heap's mutex.
  bool in_arena = false;
  /// True while it is being made something else, or was. Under the heap's mutex.
  bool claimed = false;

 private:
  const uint32_t chunk_;
  const uint32_t chunk_count_;
  const uint16_t class_id_;
  const uint32_t unit_bytes_;
  const uint32_t unit_count_;
  const uint64_t chunk_off_;
  const uint64_t bitmap_off_;
  const uint32_t words_;
  std::atomic<uint32_t> hint_{0};
  std::unique_ptr<std::atomic<uint64_t>[]> available_;
};

/// A unit that was reserved or is about to be freed: a unit of a slab, or a whole extent.
struct UnitRef {
  Slab* slab = nullptr;     // null: an extent
  uint32_t unit = 0;        // of the slab; the first chunk of an extent
  uint32_t chunks = 0;      // of an extent
  uint64_t extent_off = 0;  // where it begins
  bool is_extent() const noexcept { return slab == nullptr; }
  uint64_t off() const noexcept { return slab != nullptr ? slab->unit_off(unit) : extent_off; }
};

}  // namespace nacre::alloc
