// Which further allocation classes would waste least for records of given sizes: exact, by dynamic
// programming. No pool, no I/O.
//
// A record takes the smallest class that holds it, and with it one unit's share of a slab, the slab's tail
// included:
//
//   share = ceil(slab_bytes / units_per_slab)          waste of a record = share - its bytes
//
// Where whole chunks (an extent) are no longer than the unit, a record takes those, and their share is their length.
// (Where a slab would be more than a quarter of the pool it does so too; that is not looked at here.)
//
// The classes and extents that are there cut the sizes into intervals that have nothing to do with each other. In one
// interval let f(m, j) be the least cost of its sizes up to the j-th, when m classes are added and the
// largest of them is the j-th:
//
//   f(m, j) = min over i < j of f(m - 1, i) + (records of sizes i + 1 .. j) * share(j)
//
// What lies above the last added class costs the share of the interval's own class. A knapsack over the
// intervals then shares the classes out. Time: for each interval of n sizes, n^2 * classes / 2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alloc/size_class.h"
#include "pmem/base/result.h"

namespace nacre::alloc {

inline constexpr uint32_t kMaxSuggestions = 64;

/// `count` records of `bytes` bytes each, header included.
struct SizeCount {
  uint64_t bytes;
  uint64_t count;
};

struct SuggestedClass {
  uint32_t unit_bytes = 0;
  uint64_t records = 0;       ///< that it would hold
  uint64_t waste_before = 0;  ///< bytes these records waste now
  uint64_t waste_after = 0;   ///< and in it
};

struct ClassAdvice {
  std::vector<SuggestedClass> classes;  ///< ascending; none that would not save anything
  uint64_t records = 0;                 ///< in the histogram, those too large left out
  uint64_t record_bytes = 0;            ///< of these
  uint64_t too_large = 0;               ///< records larger than every live class: they take whole chunks
  uint64_t waste_before = 0;            ///< bytes wasted now
  uint64_t waste_after = 0;             ///< with the suggested classes
};

/// Bytes of a slab that one unit takes, its part of the tail included.
uint64_t unit_share_bytes(const SizeClass& size_class) noexcept;

/// The at most `max_classes` further classes with the least waste in all. invalid_argument (more than
/// kMaxSuggestions), limit (the bytes do not fit 62 bits).
Result<ClassAdvice> suggest_classes(const SizeClasses& classes, const Geometry& geometry,
                                    std::span<const SizeCount> histogram, uint32_t max_classes);

}  // namespace nacre::alloc
