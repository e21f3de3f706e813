// What the processes do that the benchmark open starts: open the pool at --db, which holds --num keys.
//
//   --child=probe    opens, gets and puts a thousand random keys, closes, and writes one ProbeAnswer to its
//                    standard output
//   --child=writer   opens, overwrites random keys in --threads threads until it is killed; writes one byte
//   to
//                    its standard output when every thread has put enough for a ring to be in use
#pragma once

#include <cstdint>
#include <type_traits>

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

inline constexpr uint64_t kFirstOps = 1000;        ///< gets, and puts, after an open
inline constexpr uint64_t kPutsBeforeKill = 2000;  ///< of each writing thread

struct ProbeAnswer {
  uint64_t open_ns;
  uint64_t open_cpu_ns;
  uint64_t recovered_records;
  uint64_t recovered_lines;
  FlushCounts open_counts;
  FlushCounts get_counts;
  FlushCounts put_counts;
  uint64_t get_ns[kFirstOps];
  uint64_t put_ns[kFirstOps];
};
static_assert(std::is_trivially_copyable_v<ProbeAnswer>, "it goes through a pipe as it is");

/// Runs what options.child says; throws BenchError.
void run_child(const Options& options);

}  // namespace nacre::bench
