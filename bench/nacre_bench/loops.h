// The timed loops. What they do beside calling the store is what the benchmark harness costs; the benchmark
// harness measures it (harness_bench.cpp), so it runs these very functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/nacre_bench/clock.h"
#include "bench/nacre_bench/histogram.h"
#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/store.h"
#include "bench/nacre_bench/team.h"

namespace nacre::bench {

inline std::string quoted(std::string_view key) { return "key \"" + std::string(key.substr(0, 40)) + "\""; }

/// Calls `op(i)` for i from `first` to below `last` and times each call: the clock is read once a call, the
/// end of one being the start of the next. Returns how many found what they looked for.
template <class Op>
uint64_t time_each(Histogram& latency, uint64_t first, uint64_t last, Op& op) {
  uint64_t found = 0;
  uint64_t before = ticks();
  for (uint64_t i = first; i < last; ++i) {
    found += op(i) ? 1 : 0;
    const uint64_t now = ticks();
    latency.add(now - before);
    before = now;
  }
  return found;
}

/// As time_each, but times one call in `sample`, by two reads of the clock.
template <class Op>
uint64_t time_some(Histogram& latency, uint64_t first, uint64_t last, uint64_t sample, Op& op) {
  uint64_t found = 0;
  for (uint64_t i = first, untimed = 0; i < last; ++i) {
    if (untimed != 0) {
      found += op(i) ? 1 : 0;
      --untimed;
      continue;
    }
    const uint64_t before = ticks();
    found += op(i) ? 1 : 0;
    latency.add(ticks() - before);
    untimed = sample - 1;
  }
  return found;
}

/// Calls `op(i)` for i below `count`, timed. `op` returns whether it found what it looked for.
template <class Op>
void timed_loop(Worker& worker, uint64_t count, uint64_t sample, Op op) {
  constexpr uint64_t kPieces = 100;  // so often it says how far it is
  for (uint64_t piece = 0; piece < kPieces; ++piece) {
    const uint64_t first = count * piece / kPieces, last = count * (piece + 1) / kPieces;
    worker.found += sample == 1 ? time_each(worker.latency, first, last, op)
                                : time_some(worker.latency, first, last, sample, op);
    worker.done_percent.store(piece + 1, std::memory_order_relaxed);
  }
  worker.ops += count;
}

/// Puts every key of `plan` with its value of `variant`.
inline void put_loop(Store& store, const Plan& plan, const ValuePool& values, unsigned variant,
                     uint64_t sample, Worker& worker) {
  timed_loop(worker, plan.size(), sample, [&](uint64_t i) {
    store.put(plan.key(i), values.value(plan.idx(i), variant));
    return true;
  });
}

/// Which values a key may have when it is read.
struct Expected {
  bool variant_0 = true;
  bool variant_1 = false;
};

/// Gets every key of `plan`, copies the value and looks at its length and both ends; throws BenchError when
/// one is wrong.
inline void get_loop(Store& store, const Plan& plan, const ValuePool& values, Expected expected,
                     uint64_t sample, const char* name, Worker& worker) {
  std::string buffer(values.value_bytes() + 1, 0);
  timed_loop(worker, plan.size(), sample, [&](uint64_t i) {
    size_t value_bytes = 0;
    if (!store.get(plan.key(i), buffer.data(), buffer.size(), &value_bytes)) return false;
    const std::string_view got(buffer.data(), value_bytes);
    if (!(expected.variant_0 && values.looks_right(got, plan.idx(i), 0)) &&
        !(expected.variant_1 && values.looks_right(got, plan.idx(i), 1))) [[unlikely]]
      throw BenchError{std::string(name) + ": " + quoted(plan.key(i)) + " has a wrong value"};
    return true;
  });
}

}  // namespace nacre::bench
