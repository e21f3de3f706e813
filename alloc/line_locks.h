// Who may change a line, and whether readers must wait: the truth behind the busy hint, in DRAM, striped by line.
//
//   kFree      nobody
//   kLocked    a writer holds it; the payload is the old one, readers pass
//   kApplying  a commit that changes more than one word is being applied; readers wait
//
// Lock order: all index stripes of a commit in ascending order, then all slab stripes in ascending order. Two tables,
// so that an index line and a slab line never share a stripe and the order cannot turn into a cycle.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>

#include "pmem/base/sync.h"
#include "pmem/base/units.h"

namespace nacre::alloc {

class LineLocks {
 public:
  static constexpr uint8_t kFree = 0, kLocked = 1, kApplying = 2;

  /// One stripe for each line of a pool that may have `lines` of them, at most `most` (a power of two): a small pool
  /// opens faster, and its lines do not share stripes.
  LineLocks(uint64_t lines, uint32_t most)
      : mask_(static_cast<uint32_t>(std::min<uint64_t>(std::bit_ceil(std::max<uint64_t>(lines, 1)), most)) - 1),
        states_(new std::atomic<uint8_t>[stripe_count()]()) {  // all free; zeroed at once, not one by one
    static_assert(kFree == 0);
  }

  uint32_t stripe_count() const noexcept { return mask_ + 1; }

  uint32_t stripe_of(uint64_t line_off) const noexcept { return static_cast<uint32_t>(line_off / kLineBytes) & mask_; }

  bool try_lock(uint32_t stripe) noexcept {
    sync::point(sync::Event::lock, &states_[stripe]);
    uint8_t expected = kFree;
    return states_[stripe].compare_exchange_strong(expected, kLocked, std::memory_order_acquire,
                                                   std::memory_order_relaxed);
  }
  void lock(uint32_t stripe) noexcept {
    sync::Backoff backoff;
    while (!try_lock(stripe)) backoff.wait(&states_[stripe]);
  }
  void set_applying(uint32_t stripe) noexcept {
    sync::point(sync::Event::store, &states_[stripe]);
    states_[stripe].store(kApplying, std::memory_order_release);
  }
  void unlock(uint32_t stripe) noexcept {
    sync::point(sync::Event::unlock, &states_[stripe]);
    states_[stripe].store(kFree, std::memory_order_release);
  }
  uint8_t state(uint32_t stripe) const noexcept {
    sync::point(sync::Event::load, &states_[stripe]);
    return states_[stripe].load(std::memory_order_acquire);
  }

 private:
  uint32_t mask_;
  std::unique_ptr<std::atomic<uint8_t>[]> states_;
};

}  // namespace nacre::alloc
