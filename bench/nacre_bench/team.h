// Threads that start together, each with its own histogram and counters.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "bench/nacre_bench/progress.h"
#include "bench/nacre_bench/result.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

struct alignas(64) Worker {
  std::atomic<uint64_t> done_percent{0};  // for the ticker alone
  uint64_t ops = 0;
  uint64_t found = 0;
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
  uint64_t cpu_ns = 0;
  FlushCounts counts;
  Histogram latency;
  std::exception_ptr error;
};

/// Runs `loop(thread, worker)` in `threads` threads from a common start; rethrows the first failure.
template <class Loop>
std::vector<Worker> run_team(Store& store, const char* name, uint64_t threads, Loop loop) {
  std::vector<Worker> workers(threads);
  std::atomic<uint64_t> missing{threads};
  const auto body = [&](uint64_t thread) {
    Worker& worker = workers[thread];
    missing.fetch_sub(1);
    while (missing.load() != 0) std::this_thread::yield();  // a futex would wake them 50 us apart
    try {
      const FlushCounts before = store.thread_counts();
      const uint64_t cpu_before_ns = thread_cpu_ns();
      worker.start_ns = wall_ns();
      loop(thread, worker);
      worker.end_ns = wall_ns();
      worker.cpu_ns = thread_cpu_ns() - cpu_before_ns;
      worker.counts = store.thread_counts() - before;
    } catch (...) {
      worker.error = std::current_exception();
    }
  };
  const ProgressTicker ticker(name, [&workers] {
    uint64_t sum = 0;
    for (const Worker& worker : workers) sum += worker.done_percent.load(std::memory_order_relaxed);
    return static_cast<unsigned>(sum / workers.size());
  });
  {
    std::vector<std::jthread> team;
    for (uint64_t t = 0; t < threads; ++t) team.emplace_back(body, t);
  }
  for (const Worker& worker : workers)
    if (worker.error) std::rethrow_exception(worker.error);
  return workers;
}

/// Adds workers [first, last) up: counters and time summed, histograms merged, seconds by the wall clock.
inline void collect(RunResult& result, const std::vector<Worker>& workers, size_t first, size_t last) {
  uint64_t start_ns = UINT64_MAX, end_ns = 0;
  for (size_t t = first; t < last; ++t) {
    const Worker& worker = workers[t];
    result.ops += worker.ops;
    result.found += worker.found;
    result.counts += worker.counts;
    result.latency.merge(worker.latency);
    result.thread_seconds += static_cast<double>(worker.end_ns - worker.start_ns) * 1e-9;
    result.cpu_seconds += static_cast<double>(worker.cpu_ns) * 1e-9;
    start_ns = worker.start_ns < start_ns ? worker.start_ns : start_ns;
    end_ns = worker.end_ns > end_ns ? worker.end_ns : end_ns;
  }
  result.threads = last - first;
  result.seconds = static_cast<double>(end_ns - start_ns) * 1e-9;
}

}  // namespace nacre::bench
