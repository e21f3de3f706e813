// The helper of Growth: a thread of the pool that works ahead of demand.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "alloc/grow.h"
#include "alloc/pool.h"
#include "pmem/base/os.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// Free chunks below which the pool grows. A growth of an eighth then has as long as the writers need for a sixteenth.
constexpr uint64_t kLowShare = 16;
constexpr uint64_t kMinLowChunks = 4;
constexpr uint64_t kMaxLowBytes = 128 * kMiB;

// A handle that has taken this many chunks is going to take more: then page faults are worth being taken ahead.
constexpr uint64_t kPrefaultFromChunks = 4;
constexpr uint64_t kMaxAheadBytes = 32 * kMiB;
// One call at a time holds the map of the process for as long as these pages take, some 50 microseconds.
constexpr uint64_t kPrefaultPieceBytes = 128 * 1024;

// What is unknown of a smaller pool is read on demand in a fraction of a millisecond.
constexpr uint64_t kLoadFromChunks = 256;
// The heap's mutex is not fair: a writer that waits for it gets it in a pause, a fraction of a millisecond later.
constexpr uint32_t kLoadsBetweenPauses = 4;
constexpr std::chrono::microseconds kLoadPause{20};

/// Blocks all signals of the calling thread, so that a thread it starts gets none that are meant for the application.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t old_;
};

}  // namespace

uint64_t Growth::low_chunks() const noexcept {
  const Layout& layout = pool_.layout();
  const uint64_t bytes = std::min(layout.pool_bytes() / kLowShare, kMaxLowBytes);
  return std::max(bytes >> layout.chunk_shift, kMinLowChunks);
}

uint64_t Growth::ahead_bytes() const noexcept {
  return std::min(pool_.layout().pool_bytes() / kLowShare, kMaxAheadBytes);
}

void Growth::chunk_taken(uint32_t first, uint32_t chunks, uint64_t free_chunks) noexcept {
  const uint64_t next_off = pool_.layout().chunk_off(uint64_t{first} + chunks);
  free_chunks_.store(free_chunks, std::memory_order_relaxed);
  next_off_.store(next_off, std::memory_order_relaxed);
  const uint64_t taken = taken_.fetch_add(chunks, std::memory_order_relaxed);
  if (!options_.helper) return;
  const bool grow = options_.allowed && free_chunks < low_chunks() && !refused_.load(std::memory_order_relaxed);
  const bool prefault = taken >= kPrefaultFromChunks && !no_prefault_.load(std::memory_order_relaxed) &&
                        next_off + ahead_bytes() / 2 > prefaulted_off_.load(std::memory_order_relaxed);
  if (grow || prefault) wake();
}

void Growth::load_ahead() noexcept {
  if (!options_.helper || load_wanted_.load(std::memory_order_relaxed)) return;
  if (pool_.layout().chunk_count() < kLoadFromChunks || load_wanted_.exchange(true, std::memory_order_relaxed)) return;
  wake();
}

void Growth::wake() noexcept {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  const sync::Guard guard(wake_mutex_);
  if (stopping_) return;
  if (!started_) start_helper();
  wanted_ = true;
  if (wake_ != nullptr) wake_->notify_one();
}

// A thread that cannot be had is no failure: operations then grow the pool themselves.
void Growth::start_helper() noexcept {
  started_ = true;
  owner_process_ = os::process_id();
  const SignalsBlocked blocked;
  try {
    wake_ = std::make_unique<std::condition_variable_any>();
    helper_ = std::make_unique<std::thread>([this] { run(); });
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
}

void Growth::stop_helper() noexcept {
  if (started_ && owner_process_ != os::process_id()) {
    // A forked child has no such thread: nothing may wait for it, neither join() nor the end of what it waits on.
    (void)helper_.release();
    (void)wake_.release();
    started_ = false;
    return;
  }
  {
    const sync::Guard guard(wake_mutex_);
    stopping_ = true;
    if (wake_ != nullptr) wake_->notify_one();
  }
  if (helper_ != nullptr) helper_->join();
  helper_.reset();
}

void Growth::run() noexcept {
  wake_mutex_.lock();
  for (;;) {
    while (!wanted_ && !stopping_) wake_->wait(wake_mutex_);
    if (stopping_) break;
    wanted_ = false;
    wake_mutex_.unlock();
    woken_.store(false, std::memory_order_release);  // whoever sees a need from here on wakes us again
    work();
    wake_mutex_.lock();
  }
  wake_mutex_.unlock();
}

void Growth::work() noexcept {
  grow_ahead();
  prefault_ahead();
  read_ahead();
}

// What the heap knows after it has read the whole chunk table; a table that cannot be read is for operations to report.
uint64_t Growth::known_to_be_free() noexcept {
  try {
    return pool_.heap().free_chunks().value_or(~uint64_t{0});
  } catch (const std::bad_alloc&) {
    return ~uint64_t{0};
  }
}

void Growth::grow_ahead() noexcept {
  if (!options_.allowed || free_chunks_.load(std::memory_order_relaxed) >= low_chunks()) return;
  while (!refused_.load(std::memory_order_relaxed) && !stopping_.load(std::memory_order_relaxed)) {
    const uint64_t seen_bytes = pool_.layout().pool_bytes();
    if (known_to_be_free() >= low_chunks()) return;
    const sync::Guard guard(mutex_);
    if (pool_.layout().pool_bytes() == seen_bytes && try_grow_locked(1).ok())
      helped_.fetch_add(1, std::memory_order_relaxed);
  }
}

// In small pieces, and no further than what is likely to be used soon; a need to grow comes first.
void Growth::prefault_ahead() noexcept {
  if (taken_.load(std::memory_order_relaxed) < kPrefaultFromChunks) return;
  for (;;) {
    const uint64_t next_off = next_off_.load(std::memory_order_relaxed);
    const uint64_t end = std::min(next_off + ahead_bytes(), pool_.layout().pool_bytes());
    const uint64_t off = std::max(prefaulted_off_.load(std::memory_order_relaxed), next_off);
    if (off >= end || woken_.load(std::memory_order_relaxed) || stopping_.load(std::memory_order_relaxed)) return;
    const uint64_t bytes = std::min(kPrefaultPieceBytes, end - off);
    if (!pool_.domain().prefault(off, bytes)) return no_prefault_.store(true, std::memory_order_relaxed);
    prefaulted_off_.store(off + bytes, std::memory_order_relaxed);
    prefaulted_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
}

// A need to grow comes first, and brings us back here. A line that cannot be read is for operations to report.
void Growth::read_ahead() noexcept {
  if (!load_wanted_.load(std::memory_order_relaxed)) return;
  for (uint32_t steps = 1; !load_ended_; ++steps) {
    if (woken_.load(std::memory_order_relaxed) || stopping_.load(std::memory_order_relaxed)) return;
    try {
      if (!pool_.heap().load_some().value_or(false)) load_ended_ = true;
    } catch (const std::bad_alloc&) {
      load_ended_ = true;
    }
    if (steps % kLoadsBetweenPauses == 0) std::this_thread::sleep_for(kLoadPause);
  }
}

}  // namespace nacre::alloc
