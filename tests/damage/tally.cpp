#include "tests/damage/tally.h"

namespace nacre::damage {

const char* family_name(Family family) noexcept {
  static constexpr std::array<const char*, kFamilyCount> kNames{"one bit", "two bits", "stale",  "swapped",
                                                                "zeroed",  "random",   "foreign"};
  return kNames[static_cast<size_t>(family)];
}

Family family_of(const Damage& damage) noexcept {
  switch (damage.kind) {
    case DamageKind::bits:
      return damage.bit_count == 1 ? Family::one_bit : Family::two_bits;
    case DamageKind::stale:
      return Family::stale;
    case DamageKind::swap:
      return Family::swapped;
    case DamageKind::zero:
      return Family::zeroed;
    case DamageKind::random:
      return Family::random;
    case DamageKind::foreign:
      return Family::foreign;
  }
  return Family::random;
}

bool is_violation(Family family, Region region, const Verdict& v) noexcept {
  if (v.outcome == Outcome::crash || v.outcome == Outcome::hang || v.odd_error) return true;
  const bool in_record = region == Region::records || region == Region::extents;
  const bool promised = family == Family::one_bit || family == Family::two_bits ||
                        (in_record && family != Family::stale && family != Family::swapped);
  if (!promised) return false;
  return v.outcome == Outcome::wrong || v.outcome == Outcome::wrong_told || v.check_disagrees;
}

}  // namespace nacre::damage
