// Epochs: a unit that was freed is handed out again only when nobody can still be reading it, and (commits of the
// one-fence form) when the log no longer needs its bytes to prove a commit.
//
// An operation pins the current epoch while it runs. The epoch moves on only when every pinned operation is of the
// current one, so a unit freed in epoch e is unseen from e + 2 on.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "alloc/mutants.h"
#include "pmem/base/status.h"
#include "pmem/base/sync.h"
#include "pmem/base/thread_index.h"

namespace nacre::alloc {

class Epochs {
 public:
  Epochs() : slots_(new Slot[kMaxThreads]) {}

  uint64_t current() const noexcept {
    sync::point(sync::Event::load, &epoch_);
    return epoch_.load(std::memory_order_acquire);
  }

  /// Nestable: the outermost pin decides the epoch. Code::limit if more than kMaxThreads threads are alive.
  Status pin() noexcept {
    const uint32_t index = thread_index();
    if (index == kMaxThreads - 1 && thread_index_exhausted()) [[unlikely]]
      return Status::error(Code::limit, "pin: more than %u threads use Nacre at once; end some of them", kMaxThreads);
    Slot& slot = slots_[index];
    if (slot.depth++ != 0 || broken(site::kPinNone)) return Code::ok;
    uint32_t top = used_.load(std::memory_order_relaxed);  // raised first: who scans the slots must see this one
    while (top <= index && !used_.compare_exchange_weak(top, index + 1, std::memory_order_seq_cst)) {
    }
    uint64_t epoch = epoch_.load(std::memory_order_relaxed);
    for (;;) {
      sync::point(sync::Event::store, &slot);
      slot.pinned.store(epoch, std::memory_order_release);
      sync::light_fence();  // quiescent() has the heavy one
      sync::point(sync::Event::load, &epoch_);
      const uint64_t now = epoch_.load(std::memory_order_acquire);
      if (now == epoch || broken(site::kPinUnchecked)) break;
      epoch = now;
    }
    return Code::ok;
  }
  void unpin() noexcept {
    Slot& slot = slots_[thread_index()];
    if (--slot.depth != 0) return;
    sync::point(sync::Event::store, &slot);
    slot.pinned.store(0, std::memory_order_release);
  }
  uint32_t depth() const noexcept { return slots_[thread_index()].depth; }

  /// The epoch that what this thread, which is pinned, has just unlinked belongs to. Not what current() says: the
  /// stores that unlinked it may still be on their way when the epoch is read, and whoever pins the next one may see
  /// the old state. While this thread is pinned at p the epoch is p + 1 at most, so nobody later than p + 1 can.
  uint64_t unlink_epoch() const noexcept {
    return slots_[thread_index()].pinned.load(std::memory_order_relaxed) + (broken(site::kUnlinkEpoch) ? 0 : 1);
  }

  /// True if every pinned operation is of the current epoch. The caller holds the advance lock.
  bool quiescent() const noexcept {
    if (!all_current()) return false;  // most times: no fence is needed to see that
    sync::heavy_fence();  // who pinned an older epoch is seen now, or will see that it has moved on
    return all_current();
  }
  /// The caller holds the advance lock and saw quiescent().
  void advance() noexcept {
    sync::point(sync::Event::store, &epoch_);
    epoch_.store(epoch_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
  }

 private:
  bool all_current() const noexcept {
    const uint64_t epoch = epoch_.load(std::memory_order_seq_cst);
    for (uint32_t i = 0, n = used_.load(std::memory_order_seq_cst); i < n; ++i) {
      sync::point(sync::Event::load, &slots_[i]);
      const uint64_t pinned = slots_[i].pinned.load(std::memory_order_seq_cst);
      if (pinned != 0 && pinned != epoch) return false;
    }
    return true;
  }

  struct alignas(64) Slot {
    std::atomic<uint64_t> pinned{0};
    uint32_t depth = 0;  // of the owning thread only
  };
  std::atomic<uint64_t> epoch_{2};
  std::atomic<uint32_t> used_{0};
  std::unique_ptr<Slot[]> slots_;
};

class Pin {
 public:
  explicit Pin(Epochs& epochs) noexcept : epochs_(epochs), status_(epochs.pin()) {}
  ~Pin() {
    if (status_.ok()) epochs_.unpin();
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  Status status() const noexcept { return status_; }

 private:
  Epochs& epochs_;
  Status status_;
};

}  // namespace nacre::alloc
