// What came out, by shape, kind of damage and region. Plain numbers: it lives in memory that forked children share.
#pragma once

#include <array>
#include <cstdint>

#include "tests/damage/damage.h"
#include "tests/damage/judge.h"
#include "tests/damage/region_map.h"

namespace nacre::damage {

/// The tables that are printed: kinds of damage that promise the same.
enum class Family : uint8_t { one_bit, two_bits, stale, swapped, zeroed, random, foreign };
inline constexpr uint32_t kFamilyCount = 7;
const char* family_name(Family family) noexcept;
Family family_of(const Damage& damage) noexcept;

struct Cell {
  std::array<uint64_t, kOutcomeCount> outcomes{};
  uint64_t check_disagrees = 0;
  uint64_t odd_errors = 0;
  uint64_t violations = 0;

  uint64_t operator[](Outcome o) const noexcept { return outcomes[static_cast<size_t>(o)]; }
  uint64_t cases() const noexcept {
    uint64_t sum = 0;
    for (const uint64_t n : outcomes) sum += n;
    return sum;
  }
  uint64_t wrong() const noexcept { return (*this)[Outcome::wrong] + (*this)[Outcome::wrong_told]; }
  void add(const Cell& other) noexcept {
    for (size_t o = 0; o < kOutcomeCount; ++o) outcomes[o] += other.outcomes[o];
    check_disagrees += other.check_disagrees;
    odd_errors += other.odd_errors;
    violations += other.violations;
  }
};

using Tally = std::array<std::array<Cell, kRegionCount>, kFamilyCount>;

/// True if this may not happen. A crash, a hang and an error that is not about damage never may. Bits that are turned
/// around and damage inside a record must never be read as something else, and check must tell of all that a read
/// tells; of whole lines and pages that come from this very pool a part is missed, and measured.
bool is_violation(Family family, Region region, const Verdict& verdict) noexcept;

}  // namespace nacre::damage
