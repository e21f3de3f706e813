// What each byte of a pool is used for: the rows of the table of outcomes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/damage/pool_shape.h"

namespace nacre::damage {

enum class Region : uint8_t {
  superblock,  // identity and geometry lines, padding; both copies
  roots,       // the mutable line, both copies
  class_table,
  zone_table,
  lanes,  // headers and cells
  chunk_table,
  bitmaps,  // of chunks whose bitmap is written
  directory,
  segments,
  catalogue,
  records,    // in units of slabs; names of tables too
  extents,    // records in extents
  free_space  // free units and chunks, tails, unwritten bitmaps, bytes behind the pool
};
inline constexpr uint32_t kRegionCount = 13;
const char* region_name(Region region) noexcept;

/// What the shapes' special things are counted by: a shape that lost its reason is no test.
struct Population {
  uint32_t live_slots = 0, displaced = 0, tombstones = 0, stash = 0;
  uint32_t segments = 0, directory_nodes = 0, catalogue_nodes = 0, tables = 0, extents = 0, zones = 0;
  uint32_t logged = 0;      // log records that recovery still had to look at
  uint64_t tail_bytes = 0;  // of the file, behind the pool
};

class RegionMap {
 public:
  /// Walks a recovered copy of the shape's base image. The walk trusts the pool: it is sound.
  explicit RegionMap(const PoolShape& shape);

  Region at(uint64_t off) const noexcept { return static_cast<Region>(regions_[off]); }
  /// Of a range: the region in it whose bytes are used; the one listed first, if there are several.
  Region of(uint64_t off, uint64_t bytes) const noexcept;
  const Population& population() const noexcept { return population_; }

 private:
  struct Walk;
  void paint(uint64_t off, uint64_t bytes, Region region);
  std::vector<uint8_t> regions_;
  Population population_;
};

}  // namespace nacre::damage
