// Growth: a pool that is used up takes more of its medium, and gives empty chunks at its end back.
//
//   before   | zone 0: meta | chunks ............ |
//   after    | zone 0: meta | chunks ............ | zone 1: meta | chunks ... (room for more)   |
//              pool_bytes and the zone's word change in one commit; what lies behind them meant nothing before
//
// One growth, with what a crash after each step leaves:
//   1 Domain::grow        the file is longer: the next open of a writer cuts it
//   2 write_chunk_table   lines behind the end of the pool, which nobody reads
//   3 fence               the same, durable
//   4 one commit          pool_bytes in both copies of the roots line, and the word of a zone that is new
//   5 Layout, Heap        in DRAM, before the commit's lines are unlocked
//
// A helper thread does this ahead of demand: it is woken when free chunks become few. It also takes the page faults of
// chunks that will be handed out next, and reads what the heap of a large pool does not know yet. Steps 1 to 3 hold no
// lock that an operation takes; step 4 is an ordinary commit. An operation that finds no chunk all the same grows the
// pool itself, or waits for the helper that is at it.
//
// Lock order: Growth::mutex_ comes before lanes; nobody takes it while holding a lane. Growth::wake_mutex_ and
// Growth::refusal_mutex_ are leaves.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <thread>

#include "alloc/geometry.h"
#include "pmem/base/status.h"
#include "pmem/base/sync.h"

namespace nacre::alloc {

class Pool;

struct GrowOptions {
  bool allowed = true;      ///< false: the pool keeps its size
  bool helper = true;       ///< false: only an operation that needs a chunk grows the pool, so that runs are repeatable
  uint64_t max_bytes = 0;   ///< the pool grows no larger; 0: as large as medium and format allow
  uint64_t step_bytes = 0;  ///< what one growth adds; 0: an eighth of the pool, 4 to 64 MiB. At least a chunk, and from
                            ///< 2 MiB on the pool ends at a multiple of 2 MiB
};

/// What one growth would do.
struct GrowStep {
  uint64_t new_bytes = 0;      ///< the pool's size afterwards
  uint64_t zone_capacity = 0;  ///< of a zone to be appended; 0: the last one has room
};

/// The next growth of a pool with this layout that adds at least `chunks` neighbouring chunks and stays within
/// `max_bytes`. out_of_space if there is none.
Status plan_growth(const Layout& layout, uint64_t chunks, uint64_t step_bytes, uint64_t max_bytes, GrowStep& out);

/// What one growth adds to a pool of `pool_bytes` when nobody says otherwise.
uint64_t default_step_bytes(uint64_t pool_bytes) noexcept;

class Growth {
 public:
  /// Nothing happens before the first call. The pool outlives it and is open for writing.
  Growth(Pool& pool, const GrowOptions& options);
  /// Ends the helper.
  ~Growth();
  Growth(const Growth&) = delete;
  Growth& operator=(const Growth&) = delete;

  /// For an operation that found no `chunks` neighbouring free chunks in a pool of `seen_bytes`: ok if the pool has
  /// become larger since then, so that it is worth looking again. The caller holds neither lane nor pin.
  /// out_of_space, and the text says why the pool cannot grow (bound, file system, medium); nothing has changed.
  Status need(uint64_t chunks, uint64_t seen_bytes) noexcept;

  /// Why the last growth failed: out_of_space for an operation that looked once more in vain. `wanted_bytes` is what
  /// had to be in a row, 0 if nothing had.
  Status refusal(uint64_t wanted_bytes) noexcept;
  /// Neighbouring chunks that a growth could add at most.
  uint64_t largest_run() const noexcept;

  /// Says that chunks were handed out and how many are known to be free; wakes the helper if that is few. Cheap; any
  /// thread.
  void chunk_taken(uint32_t first, uint32_t chunks, uint64_t free_chunks) noexcept;

  /// Says that a reservation had to read the chunk table or a bitmap: in a pool of many chunks the helper reads the
  /// rest, in bounded steps with pauses in which operations get the heap's mutex. Cheap; any thread.
  void load_ahead() noexcept;
  /// Whether the helper was asked to.
  bool reads_ahead() const noexcept { return load_wanted_.load(std::memory_order_relaxed); }

  /// Gives empty chunks at the pool's end back to the medium. Ok also if there are none. locked: an operation that has
  /// been running for long may still see what would be given back; io_error, corruption, read_only.
  Status shrink();

  /// Ends the helper, if there is one. From then on operations grow the pool themselves.
  void stop_helper() noexcept;

  struct Stats {
    uint64_t growths = 0;          ///< by anybody
    uint64_t helped = 0;           ///< of those, by the helper
    uint64_t waits = 0;            ///< operations that had to grow, or to wait for the helper
    uint64_t shrinks = 0;
    uint64_t prefaulted_bytes = 0;
  };
  Stats stats() const noexcept;
  uint64_t max_bytes() const noexcept { return max_bytes_; }

 private:
  Status grow_locked(uint64_t chunks);
  Status try_grow_locked(uint64_t chunks) noexcept;
  void prepare(const GrowStep& step, uint64_t seq) noexcept;
  uint64_t fresh_seq() const noexcept;
  Status publish(const GrowStep& step, uint64_t seq);
  Status cut_tail(bool& cut);
  Status cut_tails(bool& any);
  Status refuse(Status reason) noexcept;
  uint64_t low_chunks() const noexcept;
  uint64_t ahead_bytes() const noexcept;

  void start_helper() noexcept;
  void wake() noexcept;
  void run() noexcept;
  void work() noexcept;
  uint64_t known_to_be_free() noexcept;
  void grow_ahead() noexcept;
  void prefault_ahead() noexcept;
  void read_ahead() noexcept;

  Pool& pool_;
  const GrowOptions options_;
  const uint64_t max_bytes_;

  sync::Mutex mutex_;  // one growth or shrink at a time
  std::atomic<uint64_t> growths_{0}, helped_{0}, waits_{0}, shrinks_{0}, prefaulted_bytes_{0};

  mutable sync::Mutex refusal_mutex_;  // a leaf: refusal() is asked with a lane held
  char refusal_text_[256] = {};

  // the helper
  std::atomic<uint64_t> free_chunks_{0};     // as last heard
  std::atomic<uint64_t> next_off_{0};        // behind the chunk that was handed out last
  std::atomic<uint64_t> prefaulted_off_{0};  // up to here page faults were taken
  std::atomic<uint64_t> taken_{0};           // chunks handed out by this handle
  std::atomic<bool> refused_{false};         // the last growth failed: only an operation tries again
  std::atomic<bool> no_prefault_{false};     // the medium has no use for it
  std::atomic<bool> load_wanted_{false};     // stays once it is set
  bool load_ended_ = false;                  // all is read, or cannot be read; of the helper
  std::atomic<bool> woken_{false};
  sync::Mutex wake_mutex_;
  std::unique_ptr<std::condition_variable_any> wake_;  // made with the helper
  bool wanted_ = false, started_ = false;  // of wake_mutex_
  std::atomic<bool> stopping_{false};
  int owner_process_ = 0;
  std::unique_ptr<std::thread> helper_;
};

}  // namespace nacre::alloc
