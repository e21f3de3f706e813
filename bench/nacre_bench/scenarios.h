// Benchmarks that bring a store of their own, or none. Each makes its pools at store.db in place of what is
// there, verifies what it did and throws BenchError if it is wrong. `store` gives engine, path, medium and
// commit form; the size is the benchmark's own unless --size is given.
#pragma once

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/result.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

/// The loops of fillrandom and readrandom with a store that does nothing: what the harness costs.
RunResult run_harness(const Options& options);

/// Five patterns of shifting value sizes; a row each with the bytes used for the bytes stored.
RunResult run_shift(const Options& options, StoreOptions store);

/// Large values of random sizes, replaced, deleted and inserted; fragmentation over time.
RunResult run_extents(const Options& options, StoreOptions store);

/// Fills a small pool until --target; the latency of puts while it grows.
RunResult run_grow(const Options& options, StoreOptions store);

}  // namespace nacre::bench
