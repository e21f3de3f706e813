// Locks and shared words, and the points where a test may force an interleaving.
//
// Built with the meson option sync_hooks, each lock, unlock, wait, published store and load of what another thread may
// have published first calls the installed hook; otherwise point() is nothing. Atomics that are no words of the mapping
// call point() where they are used. Lock order is documented by the files that hold more than one lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace nacre::sync {

enum class Event : uint8_t { lock, unlock, wait, load, store };

#if defined(NACRE_SYNC_HOOKS) && NACRE_SYNC_HOOKS
using Hook = void (*)(Event event, const void* object);
/// Null removes it. The hook runs on the thread that reached the point, before the event happens.
void set_hook(Hook hook) noexcept;
bool has_hook() noexcept;
void point(Event event, const void* object) noexcept;
#else
inline void point(Event, const void*) noexcept {}
#endif

/// Tells the CPU that this is a spin loop.
inline void pause() noexcept {
#if defined(__x86_64__)
  asm volatile("pause" ::: "memory");
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#else
  asm volatile("" ::: "memory");
#endif
}
/// Gives the rest of the time slice away.
void yield() noexcept;

/// Waiting politely: spins some dozens of rounds, then yields, for the holder may need this very CPU.
class Backoff {
 public:
  void wait(const void* object) noexcept {
    point(Event::wait, object);
    if (rounds_ < kSpins) {
      for (uint32_t i = 0; i <= rounds_; ++i) pause();
      rounds_ = rounds_ * 2 + 1;
    } else {
      yield();
    }
  }

 private:
  static constexpr uint32_t kSpins = 64;  // 127 pauses in all, a few microseconds
  uint32_t rounds_ = 0;
};

/// std::mutex with points.
class Mutex {
 public:
  void lock() noexcept {
    point(Event::lock, this);
#if defined(NACRE_SYNC_HOOKS) && NACRE_SYNC_HOOKS
    Backoff backoff;
    for (; has_hook(); backoff.wait(this))  // a test that decides which thread runs has to see that this one waits
      if (mutex_.try_lock()) return;
#endif
    mutex_.lock();
  }
  bool try_lock() noexcept {
    point(Event::lock, this);
    return mutex_.try_lock();
  }
  void unlock() noexcept {
    point(Event::unlock, this);
    mutex_.unlock();
  }

 private:
  std::mutex mutex_;
};

/// Four bytes, for critical sections of a few hundred nanoseconds. Not recursive, not fair.
class SpinLock {
 public:
  void lock() noexcept {
    point(Event::lock, this);
    Backoff backoff;
    while (held_.exchange(1, std::memory_order_acquire) != 0)
      while (held_.load(std::memory_order_relaxed) != 0) backoff.wait(this);
  }
  bool try_lock() noexcept {
    point(Event::lock, this);
    return held_.load(std::memory_order_relaxed) == 0 && held_.exchange(1, std::memory_order_acquire) == 0;
  }
  void unlock() noexcept {
    point(Event::unlock, this);
    held_.store(0, std::memory_order_release);
  }

 private:
  std::atomic<uint32_t> held_{0};
};

using Guard = std::lock_guard<Mutex>;
using SpinGuard = std::lock_guard<SpinLock>;

// ---- asymmetric fences ----
//
//   the frequent side:  store x; light_fence(); load y        the rare side:  store y; heavy_fence(); load x
//
// At least one of the two loads sees the other side's store, as if both had a full fence. Where the system can run a
// fence on all CPUs of a process, light_fence keeps only the compiler from reordering: a locked instruction there would
// also wait for every cache line that is being written back, and with it for the medium.

namespace detail {
extern constinit std::atomic<bool> g_fences_are_light;  // set once, before main
}  // namespace detail

inline void light_fence() noexcept {
  if (detail::g_fences_are_light.load(std::memory_order_relaxed)) [[likely]]
    std::atomic_signal_fence(std::memory_order_seq_cst);
  else
    std::atomic_thread_fence(std::memory_order_seq_cst);
}
/// A system call: some microseconds.
void heavy_fence() noexcept;

// ---- words of the mapping: plain uint64_t to the layouts, atomic to the threads ----

inline std::atomic_ref<uint64_t> word(const uint64_t* p) noexcept {
  return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(p));
}
inline uint64_t load_relaxed(const uint64_t* p) noexcept { return word(p).load(std::memory_order_relaxed); }
inline uint64_t load_acquire(const uint64_t* p) noexcept {
  point(Event::load, p);
  return word(p).load(std::memory_order_acquire);
}
inline void store_relaxed(uint64_t* p, uint64_t value) noexcept {
  word(p).store(value, std::memory_order_relaxed);
}
inline void store_release(uint64_t* p, uint64_t value) noexcept {
  point(Event::store, p);
  word(p).store(value, std::memory_order_release);
}
inline uint64_t fetch_or(uint64_t* p, uint64_t bits) noexcept {
  point(Event::store, p);
  return word(p).fetch_or(bits, std::memory_order_acq_rel);
}
inline uint64_t fetch_and(uint64_t* p, uint64_t bits) noexcept {
  point(Event::store, p);
  return word(p).fetch_and(bits, std::memory_order_acq_rel);
}
/// True if *p was `expected` and is now `desired`; else `expected` is what was there.
inline bool compare_exchange(uint64_t* p, uint64_t& expected, uint64_t desired) noexcept {
  point(Event::store, p);
  return word(p).compare_exchange_strong(expected, desired, std::memory_order_acq_rel,
                                         std::memory_order_acquire);
}

}  // namespace nacre::sync
