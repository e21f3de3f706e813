// Two clocks: ticks() is read once per operation and must cost little; wall_ns() times whole loops.
//
// On x86-64 with an invariant time-stamp counter a tick is rdtsc (about 10 ns here, against 25 ns for
// steady_clock), calibrated once against steady_clock. Elsewhere a tick is a nanosecond of steady_clock.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace nacre::bench {

inline uint64_t wall_ns() noexcept {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

/// CPU time of the calling thread: on a shared machine it tells the work from the waiting for a CPU. Costs a
/// system call.
uint64_t thread_cpu_ns() noexcept;

/// Measures how long a tick is. Call once, before the first ticks() and before any thread is started.
void calibrate_clock();

/// Nanoseconds per tick; 1 before calibrate_clock().
double ns_per_tick() noexcept;

namespace detail {
extern bool g_use_tsc;
}  // namespace detail

inline uint64_t ticks() noexcept {
#if defined(__x86_64__)
  if (detail::g_use_tsc) [[likely]]
    return __rdtsc();
#endif
  return wall_ns();
}

}  // namespace nacre::bench
