// How large a benchmark makes its pool.
#pragma once

#include <cstdint>

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

/// For benchmarks whose rate is asked for: --size if given, else `estimate_bytes`; with --grow=1 the pool
/// starts at
/// --initial_size and grows.
inline void size_for_rate(StoreOptions& store, const Options& o, uint64_t estimate_bytes) {
  store.grow = o.grow.value_or(false);
  store.pool_bytes = store.grow ? o.initial_pool_bytes : o.pool_bytes != 0 ? o.pool_bytes : estimate_bytes;
}

/// For benchmarks whose space is asked for: a pool of --size if given; else one that starts at --initial_size
/// and grows, where the library can and --grow=0 does not forbid it; else one of `estimate_bytes`.
inline void size_for_space(StoreOptions& store, const Options& o, uint64_t estimate_bytes) {
  store.grow = o.grow.value_or(pools_grow() && o.pool_bytes == 0);
  store.pool_bytes = store.grow ? o.initial_pool_bytes : o.pool_bytes != 0 ? o.pool_bytes : estimate_bytes;
}

}  // namespace nacre::bench
