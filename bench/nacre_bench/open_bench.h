// open: how long a pool takes to open, and the first operations after it, in a fresh process each time: after
// a clean close, and after a SIGKILL in the middle of writing.
#pragma once

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/result.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

/// The pool at store.db holds --num keys and is closed; on return too, with values of either variant. Throws
/// BenchError when a process finds a wrong value, or none could be killed at work.
RunResult measure_opens(const Options& options, const StoreOptions& store);

}  // namespace nacre::bench
