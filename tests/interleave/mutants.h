// The points that only interleavings notice (kInterleavingMutants in alloc/mutants.h and engine/mutants.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nacre::interleave {

struct Point {
  std::string name, harm;
  std::string killed_by;   ///< the workload that is tried first
  std::string equivalent;  ///< why nothing can notice it; empty: something must
  uint32_t preemptions;    ///< that this takes
  uint64_t states;         ///< of each crash point that this takes
};
const std::vector<Point>& points();

/// Breaks the point in this process. False if there is none of this name.
bool break_point(std::string_view name);

}  // namespace nacre::interleave
