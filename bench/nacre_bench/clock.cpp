#include "bench/nacre_bench/clock.h"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace nacre::bench {

namespace detail {
bool g_use_tsc = false;
}  // namespace detail

namespace {

double g_ns_per_tick = 1.0;
constexpr uint64_t kCalibration_ns = 20'000'000;  // 20 ms: the two reads at each end are off by 1e-5 of it

// Whether the counter ticks at one rate in every power state (CPUID 8000_0007h, EDX bit 8).
bool tsc_is_invariant() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007u, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
#else
  return false;
#endif
}

}  // namespace

void calibrate_clock() {
  if (!tsc_is_invariant()) return;
  detail::g_use_tsc = true;
  const uint64_t start_ns = wall_ns();
  const uint64_t start_ticks = ticks();
  uint64_t end_ns = start_ns;
  while (end_ns - start_ns < kCalibration_ns) end_ns = wall_ns();
  const uint64_t end_ticks = ticks();
  if (end_ticks <= start_ticks) {  // an emulator without a moving counter
    detail::g_use_tsc = false;
    return;
  }
  g_ns_per_tick = static_cast<double>(end_ns - start_ns) / static_cast<double>(end_ticks - start_ticks);
}

uint64_t thread_cpu_ns() noexcept {
  timespec now{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

double ns_per_tick() noexcept { return g_ns_per_tick; }

}  // namespace nacre::bench
