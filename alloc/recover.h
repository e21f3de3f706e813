// Recovery of the lanes: brings every line that a counting log record names to the end of its chain. May be run
// again, and may crash, at any point.
#pragma once

#include <span>

#include "alloc/geometry.h"
#include "alloc/guarded_line.h"
#include "pmem/base/result.h"
#include "pmem/domain.h"

namespace nacre::alloc {

/// What recovery found and did.
struct RecoveryReport {
  uint64_t valid_records = 0;
  uint64_t counted_records = 0;
  uint64_t lines_applied = 0;
};

/// Recovers; `last_seqs` (one per lane) receives where each lane's clock goes on. corruption if a lane header or a
/// record that passes its checksum makes no sense; then nothing was changed. Memory is bounded by the lane area.
Status recover_lanes(pmem::Domain& domain, const Layout& layout, Salt salt, std::span<uint64_t> last_seqs,
                     RecoveryReport& report);

}  // namespace nacre::alloc
