// Zones on the medium: the zone table of the superblock area, and the chunk tables of new chunks.
//
//   zone table, word z   | capacity in chunks |        word z % 7 of line z / 7; zero: no such zone, and none behind it
//
// What a new zone needs is its chunk table, 64 bytes for seven chunks. Bitmaps are written when a chunk first becomes a
// slab.
#pragma once

#include "alloc/geometry.h"
#include "alloc/guarded_line.h"
#include "pmem/base/status.h"
#include "pmem/domain.h"

namespace nacre::alloc {

/// Where the word of zone `index` stands: a line offset and a word in it.
struct ZoneWordRef {
  uint64_t line_off;
  uint32_t word;
};
constexpr ZoneWordRef zone_word_ref(uint64_t index) noexcept {
  return {kZoneTableOff + index / kLineWords * kLineBytes, static_cast<uint32_t>(index % kLineWords)};
}

/// Reads the zone table into `layout`, which has no zones yet and knows the pool's size. corruption.
Status load_zones(const pmem::Domain& domain, Salt salt, Layout& layout);

/// Writes the lines of the chunk table that chunks [first, last) of `zone` need and the chunks before `first` do not:
/// all words zero, seq `seq`. Flushed at `site`, not fenced. The lines are not reachable yet: the pool is being made,
/// or the commit that counts these chunks into it is still to come; then `seq` is above the last seq of that commit's
/// lane (Commit::fresh_seq of offset 0), and if the chunks were part of the pool before, a retire advance has passed
/// since they were taken out.
void write_chunk_table(pmem::Domain& domain, Salt salt, const Layout& layout, const Zone& zone, uint64_t first,
                       uint64_t last, uint64_t seq, const pmem::Site& site) noexcept;

}  // namespace nacre::alloc
