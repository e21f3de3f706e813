// A pool: a mapping with a superblock, lanes, a heap and the machinery of commits. What keys are is not known here.
//
// Lock order: the engine's own mutexes, class_mutex_, stop_mutex_ or advance_mutex_ (never both), then lanes ascending,
// then index stripes ascending, then slab stripes ascending, then Heap::mutex_. Nobody blocks on advance_mutex_ while holding a lane or a pin of an older epoch.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "alloc/epoch.h"
#include "alloc/format.h"
#include "alloc/geometry.h"
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
};

class Pool {
 public:
  /// Reads the superblock, recovers the lanes, and returns; nothing proportional to size or content is done.
  /// not_a_pool, incompatible, corruption, io_error. Takes the domain in every case.
  static Result<std::unique_ptr<Pool>> open(std::unique_ptr<pmem::Domain> domain, const PoolOptions& options);

  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Makes every commit home and durable, so that the next open has nothing to recover. No operation may run.
  Status quiesce();

  pmem::Domain& domain() noexcept { return *domain_; }
  const Layout& layout() const noexcept { return layout_; }
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

  /// The offset of a sound copy of the superblock's roots line. A commit changes both.
  uint64_t roots_off() const noexcept { return roots_off_; }
  template <class T>
  T* at(uint64_t off) const noexcept {
    return domain_->at<T>(off);
  }
  GuardedLine* line(uint64_t off) const noexcept { return domain_->at<GuardedLine>(off); }

  /// Ok, or why the handle refuses to write: opened read-only, or the first failure (sticky).
  Status writable() const noexcept;
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
  Lane& acquire_lane() noexcept;
  void release_lane(Lane& lane) noexcept { lane.held.store(0, std::memory_order_release); }
  /// Tests: the lane that the calling thread tries first, in every pool; -1 for the default (by thread).
  static void prefer_lane(int lane) noexcept;
  /// Gives units whose time has come back to the heap. The caller holds the lane.
  void drain_limbo(Lane& lane) noexcept;
  /// Tests and check: units that are freed but not yet reusable.
  uint64_t limbo_count() const noexcept;

  struct Stats {
    uint64_t commits = 0, strict_commits = 0, wraps = 0, cells = 0, advances = 0, retires = 0;
  };
  Stats stats() const noexcept;

 private:
  Pool(std::unique_ptr<pmem::Domain> domain, const Layout& layout, Salt salt, const PoolOptions& options);
  Status recover();
  friend class WriterStop;
  bool advance_locked(bool retire) noexcept;
  void retire_locked() noexcept;

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

  std::atomic<bool> failed_{false};
  mutable sync::Mutex failure_mutex_;
  Status failure_;
  char failure_text_[256] = {};
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
