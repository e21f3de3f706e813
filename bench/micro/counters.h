// Shows beside a time what each iteration asked of the medium.
#pragma once

#include <benchmark/benchmark.h>

#include "pmem/domain.h"

namespace nacre::bench {

/// Sets the counters fences, lines and bytes to the differences per iteration, and the rate.
inline void report_counters(benchmark::State& state, const pmem::Counters& before,
                            const pmem::Counters& after) {
  const auto per_iteration = [&](uint64_t n) {
    return benchmark::Counter(static_cast<double>(n) / static_cast<double>(state.iterations()));
  };
  state.counters["fences"] = per_iteration(after.fences - before.fences);
  state.counters["lines"] = per_iteration(after.lines - before.lines);
  state.counters["bytes"] = per_iteration(after.bytes - before.bytes);
  state.SetItemsProcessed(state.iterations());
}

}  // namespace nacre::bench
