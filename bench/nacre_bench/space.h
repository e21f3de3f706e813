// Where the bytes of a pool are, from its figures (nacre_info): nothing of it is the benchmark's own
// counting.
#pragma once

#include <cstdint>

#include "bench/nacre_bench/store.h"

namespace nacre::bench {

struct Space {
  uint64_t pool_bytes = 0;         ///< the whole file
  uint64_t chunk_bytes = 0;        ///< of one chunk
  uint64_t chunks_bytes = 0;       ///< chunks in use
  uint64_t used_bytes = 0;         ///< those and all metadata: bytes used, all included
  uint64_t live_unit_bytes = 0;    ///< units that hold something, index included
  double free_unit_share = 0;      ///< of the bytes of all units in slabs, those that hold nothing
  uint64_t worst_class_bytes = 0;  ///< unit size of the class that has the most free bytes in its slabs
  double worst_class_free_share = 0;
};

/// All zero for a store without a pool. Walks the heap: not in a timed region.
Space space_of(Store& store);

}  // namespace nacre::bench
