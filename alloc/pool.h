// A pool: a mapping with a superblock, lanes, a heap and the machinery of commits. What keys are is not known here.
//
// Lock order: the engine's own mutexes, Growth::mutex_, class_mutex_, stop_mutex_ or advance_mutex_ (never both), then
// lanes ascending, then index stripes ascending, then slab stripes ascending, then Heap::mutex_. Nobody blocks on
// advance_mutex_ while holding a lane or a pin of an older epoch.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "alloc/epoch.h"
#include "alloc/format.h"
#include "alloc/geometry.h"
#include "alloc/grow.h"
#include "alloc/heap.h"
#include "alloc/lane.h"
#include "alloc/line_locks.h"
#include "alloc/recover.h"
#include "alloc/superblock_layout.h"
#include "pmem/base/result.h"
#include "pmem/domain.h"

namespace nacre::alloc {

enum class CommitForm : uint8_t {
  strict,    ///< fresh bytes are fenced before the log record is written: two waits
  one_fence  ///< fresh bytes and log record share the commit's fence; recovery compares them with the logged crc
};

struct PoolOptions {
  CommitForm form = CommitForm::strict;
  bool read_only = false;
  GrowOptions grow = {};
};

namespace detail {
// Of tests; -1: by thread. Initial-exec: reading it is one load, in the shared library too.
#if defined(__ELF__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local int t_preferred_lane;
}  // namespace detail

class Pool {
 public:
  /// Reads the superblock, recovers the lanes, and returns; nothing proportional to size or content is done.
  /// not_a_pool, incompatible, corruption, io_error. Takes the domain in every case.
  static Result<std::unique_ptr<Pool>> open(std::unique_ptr<pmem::Domain> domain, const PoolOptions& options);

  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Makes every commit home and durable, so that the next open has nothing to recover. No operation may run. Ends the
  /// helper of growth.
  Status quiesce();

  pmem::Domain& domain() noexcept { return *domain_; }
  const Layout& layout() const noexcept { return layout_; }
  /// For whoever grows or shrinks the pool; the order of its steps is in alloc/geometry.h.
  Layout& growing_layout() noexcept { return layout_; }
  Salt salt() const noexcept { return salt_; }
  uint64_t identity_lo() const noexcept { return identity_lo_; }
  uint64_t identity_hi() const noexcept { return identity_hi_; }
  Heap& heap() noexcept { return heap_; }
  Epochs& epochs() noexcept { return epochs_; }
  LineLocks& index_locks() noexcept { return index_locks_; }
  LineLocks& slab_locks() noexcept { return slab_locks_; }
  /// Held by whoever changes the class table (alloc/class_table.h).
  sync::Mutex& class_mutex() noexcept { return class_mutex_; }
  CommitForm form() const noexcept { return options_.form; }
  const RecoveryReport& recovery() const noexcept { return recovery_; }

  // ---- growth: null on a read-only pool ----
  Growth* growth() noexcept { return growth_.get(); }
  Growth::Stats growth_stats() const noexcept { return growth_ == nullptr ? Growth::Stats{} : growth_->stats(); }
  /// The bound that was stored when the pool was made; 0: none.
  uint64_t stored_max_bytes() const noexcept { return line(roots_off_)->words[kMaxBytesWord]; }
  /// Chunks of the largest extent that this pool could ever hold, now or after growing.
  uint64_t largest_extent_chunks() const noexcept {
    return std::max(heap_.largest_extent_chunks(), growth_ == nullptr ? 0 : growth_->largest_run());
  }
  /// As Growth::shrink.
  Status shrink();

  /// The offset of a sound copy of the superblock's roots line. A commit changes both.
  uint64_t roots_off() const noexcept { return roots_off_; }
  template <class T>
  T* at(uint64_t off) const noexcept {
    return domain_->at<T>(off);
  }
  GuardedLine* line(uint64_t off) const noexcept { return domain_->at<GuardedLine>(off); }

  /// Ok, or why the handle refuses to write: opened read-only, or the first failure (sticky).
  Status writable() const noexcept {
    if (can_write_.load(std::memory_order_acquire) && domain_->health().ok()) [[likely]]
      return Code::ok;
    return why_not_writable();
  }
  /// Makes the handle read-only for good, with this reason; the first call wins.
  void fail(Status reason) noexcept;

  /// Moves the epoch on (sealing lanes first); with `retire` also makes all applied records home, which line memory
  /// needs before it is handed out again. False if some operation is pinned to an older epoch, or somebody else is
  /// advancing. The caller holds no lane.
  bool advance(bool retire) noexcept;
  /// As advance, but waits for others, advances until what is freed now can be reused, and gives ripe units back to
  /// the heap from all lanes. Bounded: gives up when a pin does not go away. The caller holds neither lane nor pin.
  void reclaim() noexcept;

  // ---- lanes ----
  std::vector<std::unique_ptr<Lane>>& lanes() noexcept { return lanes_; }
  Lane& acquire_lane() noexcept {
    const auto count = static_cast<uint32_t>(lanes_.size());
    const uint32_t wanted =
        detail::t_preferred_lane >= 0 ? static_cast<uint32_t>(detail::t_preferred_lane) : thread_index();
    if (wanted < count && try_take(*lanes_[wanted])) [[likely]]
      return *lanes_[wanted];
    return acquire_any_lane(wanted);
  }
  /// Waits for this very lane.
  static void take(Lane& lane) noexcept {
    sync::Backoff backoff;
    while (!try_take(lane)) backoff.wait(&lane);
  }
  void release_lane(Lane& lane) noexcept {
    sync::point(sync::Event::unlock, &lane);
    lane.held.store(0, std::memory_order_release);
  }
  /// Tests: the lane that the calling thread tries first, in every pool; -1 for the default (by thread).
  static void prefer_lane(int lane) noexcept;
  /// True if the lane has freed so much that the epoch should move on, which costs a fence and a system call: many
  /// units (the more the pool has the more may wait), or a good part of the pool's bytes.
  bool advance_is_due(const Lane& lane) const noexcept {
    const uint64_t pool_bytes = layout_.pool_bytes();
    return lane.frees_since_advance >= std::clamp<uint64_t>(pool_bytes / kBytesPerWaitingUnit, 128, 4096) ||
           lane.freed_bytes_since_advance >= pool_bytes / kWaitingShare;
  }
  /// Gives all units whose time has come back to the heap, of this lane and of those that nobody holds. The caller
  /// holds the lane.
  void drain_all(Lane& held) noexcept;
  /// Gives units whose time has come back to the heap, some at a time. The caller holds the lane.
  void drain_limbo(Lane& lane) noexcept {
    if (!lane.limbo_records.empty() || !lane.limbo_lines.empty())
      drain_limbo_now(lane, std::max<uint64_t>(kDrainAtOnce, 2 * lane.last_freed));
  }
  /// Tests and check: units that are freed but not yet reusable.
  uint64_t limbo_count() const noexcept;

  struct Stats {
    uint64_t commits = 0, strict_commits = 0, wraps = 0, cells = 0, advances = 0, retires = 0;
  };
  Stats stats() const noexcept;

 private:
  Pool(std::unique_ptr<pmem::Domain> domain, const Geometry& geometry, Salt salt, const PoolOptions& options);
  Status recover();
  Status read_shape();
  Status prepare_growth();
  Status why_not_writable() const noexcept;
  static constexpr uint64_t kBytesPerWaitingUnit = 128 * 1024;
  static constexpr uint64_t kWaitingShare = 64;
  static constexpr uint64_t kDrainAtOnce = 64;  // some microseconds
  void drain_limbo_now(Lane& lane, uint64_t most) noexcept;
  Lane& acquire_any_lane(uint32_t wanted) noexcept;
  static bool try_take(Lane& lane) noexcept {
    sync::point(sync::Event::lock, &lane);
    return lane.held.load(std::memory_order_relaxed) == 0 && lane.held.exchange(1, std::memory_order_acquire) == 0;
  }
  friend class WriterStop;
  bool advance_locked(bool retire) noexcept;
  void retire_locked() noexcept;
  void bring_home() noexcept;
  void dismiss_records() noexcept;

  std::unique_ptr<pmem::Domain> domain_;
  Layout layout_;
  Salt salt_;
  PoolOptions options_;
  uint64_t identity_lo_ = 0, identity_hi_ = 0;
  uint64_t roots_off_ = 0;
  Heap heap_;
  Epochs epochs_;
  LineLocks index_locks_;
  LineLocks slab_locks_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  RecoveryReport recovery_;

  sync::Mutex class_mutex_;
  sync::Mutex stop_mutex_;  // one WriterStop at a time; before the lanes
  sync::Mutex advance_mutex_;
  std::atomic<uint64_t> last_retire_epoch_{0};  // the epoch in which the last finished retire advance began
  std::atomic<uint64_t> advances_{0}, retires_{0};

  std::atomic<bool> can_write_;  // neither opened read-only nor failed
  std::atomic<bool> failed_{false};
  mutable sync::Mutex failure_mutex_;
  Status failure_;
  char failure_text_[256] = {};

  std::unique_ptr<Growth> growth_;  // ended first: its helper uses all of the above
};

/// Holds all lanes: while it lives no commit runs in any thread, and none that began earlier is still running. The
/// thread that makes one holds no lane.
class WriterStop {
 public:
  explicit WriterStop(Pool& pool) noexcept;
  ~WriterStop();
  WriterStop(const WriterStop&) = delete;
  WriterStop& operator=(const WriterStop&) = delete;

 private:
  Pool& pool_;
};

}  // namespace nacre::alloc
