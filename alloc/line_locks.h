// Who may change a line, and whether readers must wait: the truth behind the busy hint, in DRAM, striped by line.
//
//   kFree      nobody
//   kLocked    a writer holds it; the payload is the old one, readers pass
//   kApplying  a commit that changes more than one word is being applied; readers wait
//
// Lock order: all index stripes of a commit in ascending order, then all slab stripes in ascending order. Two tables,
// so that an index line and a slab line never share a stripe and the order cannot turn into a cycle.
#pragma once

#include <cstdint>
#include <memory>

#include "pmem/base/sync.h"
#include "pmem/base/units.h"

namespace nacre::alloc {

class LineLocks {
 public:
  static constexpr uint8_t kFree = 0, kLocked = 1, kApplying = 2;

  explicit LineLocks(uint32_t stripes) : mask_(stripes - 1), states_(new std::atomic<uint8_t>[stripes]) {
    for (uint32_t i = 0; i < stripes; ++i) states_[i].store(kFree, std::memory_order_relaxed);
  }

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
