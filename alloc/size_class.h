// Allocation classes: which unit sizes a pool has. Durable (the class table of the pool), configurable, at most
// kMaxClasses. A class made for one exact record size wastes nothing.
//
// Defaults: 16-byte steps to 256 B, then about 12.5 % geometric steps, above 2 KiB as whole fractions of a chunk, so
// that a slab has no tail, and above a chunk again in steps of 12.5 % to four chunks, in slabs of several chunks whose
// tail is under 3 %.
//
// Classes are added and retired while others allocate (alloc/class_table.h). In DRAM a class is one atomic word, the
// same as on the medium, so a change is one store and readers take no lock and wait for nobody.
#pragma once

#include <array>
#include <atomic>
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
  uint64_t slab_bytes = 0;
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

/// invalid_argument if no class can be like that in a pool of this geometry.
Status check_class_spec(const ClassSpec& spec, const Geometry& geometry);
/// The class table word of a live class. Requires a checked spec.
uint64_t live_class_word(const ClassSpec& spec, const Geometry& geometry) noexcept;
/// Chunks of a slab of a class that leaves the choice to the pool; 0: units of this size have no class, for a slab of
/// them would be too long.
uint32_t chosen_slab_chunks(uint64_t unit_bytes, const Geometry& geometry) noexcept;

/// The classes as allocation sees them. Any thread may read at any time; load() and store() are called by one thread
/// at a time (at open, then under Pool::class_mutex()).
class SizeClasses {
 public:
  SizeClasses() = default;
  SizeClasses(const SizeClasses&) = delete;
  SizeClasses& operator=(const SizeClasses&) = delete;

  /// Takes the words of the class table. corruption if one of them makes no sense.
  Status load(std::span<const uint64_t> words, const Geometry& geometry);
  /// Makes `word` class `id`, for look-ups that begin afterwards; one that runs meanwhile finds the old or the new.
  void store(uint32_t id, uint64_t word) noexcept;

  /// One more than the highest id that is not absent.
  uint32_t count() const noexcept { return count_.load(std::memory_order_acquire); }
  /// Decodes the word, with a division; the three below only look at a part of it.
  SizeClass operator[](uint32_t id) const noexcept;
  uint64_t word(uint32_t id) const noexcept { return words_[id].load(std::memory_order_acquire); }
  uint32_t unit_bytes(uint32_t id) const noexcept { return class_word_unit_bytes(word(id)); }
  uint32_t slab_chunks(uint32_t id) const noexcept { return class_word_slab_chunks(word(id)); }
  bool is_live(uint32_t id) const noexcept {
    return class_word_state(word(id)) == static_cast<uint8_t>(ClassState::live);
  }

  /// The live class with the smallest unit that holds `bytes` and is a multiple of `align`; kMaxClasses if none.
  uint32_t class_for(uint64_t bytes, uint64_t align) const noexcept {
    if (align <= kUnitAlign && bytes <= kTableBytes)
      return by_size_[(bytes + kUnitAlign - 1) / kUnitAlign].load(std::memory_order_acquire);
    return search(bytes, align);
  }
  /// As class_for, were class `without` not there.
  uint32_t class_for_without(uint64_t bytes, uint64_t align, uint32_t without) const noexcept {
    return best_fit(bytes, align, without);
  }
  uint64_t largest_unit_bytes() const noexcept { return largest_.load(std::memory_order_acquire); }

 private:
  static constexpr uint64_t kTableBytes = 4096;
  using Lookup = std::array<std::atomic<uint16_t>, kTableBytes / kUnitAlign + 1>;
  class BestFit;
  uint32_t search(uint64_t bytes, uint64_t align) const noexcept;
  uint32_t best_fit(uint64_t bytes, uint64_t align, uint32_t without) const noexcept;
  void rebuild_lookup() noexcept;

  uint64_t chunk_bytes_ = 0;
  std::array<std::atomic<uint64_t>, kMaxClasses> words_{};
  std::atomic<uint64_t> changes_{0};  // finished stores: a search that spans one begins again
  std::atomic<uint32_t> count_{0};
  std::atomic<uint64_t> largest_{0};
  Lookup by_size_{};
};

}  // namespace nacre::alloc
