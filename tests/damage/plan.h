// Which cases there are of one shape. A case is a number, so that a forked child, a replay and a second run agree.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/damage/damage.h"
#include "tests/damage/pool_shape.h"
#include "tests/damage/region_map.h"

namespace nacre::damage {

struct Effort {
  /// Every n-th bit, by region: 1 is all of them. What nothing reads and what is alike in all shapes may be thinned.
  uint32_t used_stride = 1;    // regions that differ from shape to shape
  uint32_t common_stride = 1;  // superblock padding, class table, zone table
  uint32_t lane_stride = 1;
  uint32_t record_stride = 1;  // records and extents: one CRC covers all of their bits alike
  uint32_t free_stride = 1;
  uint32_t pairs_in_line = 0;  // two bits of one line
  uint32_t pairs_across = 0;   // two bits of two lines
  uint32_t line_rounds = 1;    // of random content and partners to swap with, for each line and page
};

class Plan {
 public:
  Plan(const PoolShape& shape, const RegionMap& regions, const Effort& effort, uint64_t seed);

  uint64_t size() const noexcept { return damages_.size(); }
  const Damage& operator[](uint64_t index) const noexcept { return damages_[index]; }
  /// Bits that the strides left out.
  uint64_t cut_bits() const noexcept { return cut_bits_; }

 private:
  std::vector<Damage> damages_;
  uint64_t cut_bits_ = 0;
};

}  // namespace nacre::damage
