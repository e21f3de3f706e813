// Allocation classes: which unit sizes a pool has. Durable (the class table of the pool), configurable, at most
// kMaxClasses. A class made for one exact record size wastes nothing.
//
// Defaults: 16-byte steps to 256 B, then about 12.5 % geometric steps, above 2 KiB as whole fractions of a chunk, so
// that a slab has no tail, and above a chunk again in steps of 12.5 % to four chunks, in slabs of several chunks whose
// tail is under 3 %.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "alloc/geometry.h"
#include "alloc/heap_layout.h"
#include "pmem/base/result.h"

namespace nacre::alloc {

inline constexpr uint32_t kMaxClasses = kClassTableBytes / kLineBytes * kLineWords;  // 448

struct SizeClass {
  uint32_t unit_bytes = 0;
  uint32_t align = kUnitAlign;
  ClassState state = ClassState::absent;
  uint32_t slab_chunks = 1;
  uint32_t units_per_slab = 0;
};

/// What a caller asks for: a class of exactly this unit.
struct ClassSpec {
  uint32_t unit_bytes;
  uint32_t align = kUnitAlign;
  uint64_t slab_bytes = 0;  ///< whole chunks, at most 255; 0: chosen, one chunk for units that fit one
};

/// The class words of a new pool: the defaults merged with `extra` (duplicates dropped), ascending by size.
/// invalid_argument if a spec is not a multiple of its alignment, too small or larger than its slab, or the slab is not
/// whole chunks or has more units than a bitmap has bits; limit if there are too many.
Result<std::vector<uint64_t>> default_class_words(const Geometry& geometry, std::span<const ClassSpec> extra);

class SizeClasses {
 public:
  /// Takes the words of the class table. corruption if one of them makes no sense.
  Status load(std::span<const uint64_t> words, const Geometry& geometry);

  uint32_t count() const noexcept { return count_; }
  const SizeClass& operator[](uint32_t id) const noexcept { return classes_[id]; }

  /// The live class with the smallest unit that holds `bytes` and is a multiple of `align`; kMaxClasses if none.
  uint32_t class_for(uint64_t bytes, uint64_t align) const noexcept {
    if (align <= kUnitAlign && bytes <= kTableBytes) return by_size_[(bytes + kUnitAlign - 1) / kUnitAlign];
    return search(bytes, align);
  }
  uint64_t largest_unit_bytes() const noexcept { return largest_; }

 private:
  static constexpr uint64_t kTableBytes = 4096;
  uint32_t search(uint64_t bytes, uint64_t align) const noexcept;

  uint32_t count_ = 0;
  uint64_t largest_ = 0;
  std::array<SizeClass, kMaxClasses> classes_{};
  std::array<uint16_t, kTableBytes / kUnitAlign + 1> by_size_{};
};

}  // namespace nacre::alloc
