#include "tests/damage/damage.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "tests/support/random.h"

namespace nacre::damage {
namespace {

constexpr std::array<const char*, kDamageKinds> kNames{"bits", "stale", "swap", "zero", "random", "foreign"};

bool fits(const Damage& d, uint64_t file_bytes) noexcept {
  for (uint32_t i = 0; i < d.bit_count; ++i)
    if (d.bits[i] / 8 >= file_bytes) return false;
  const uint64_t last = d.kind == DamageKind::swap ? std::max(d.off, d.argument) : d.off;
  return last <= file_bytes && d.bytes <= file_bytes - last;
}

}  // namespace

const char* damage_name(DamageKind kind) noexcept { return kNames[static_cast<size_t>(kind)]; }

std::string Damage::text() const {
  char text[96];
  if (kind == DamageKind::bits)
    std::snprintf(text, sizeof text, bit_count == 2 ? "bits:%" PRIu64 ",%" PRIu64 : "bits:%" PRIu64, bits[0], bits[1]);
  else
    std::snprintf(text, sizeof text, "%s:%" PRIu64 "+%" PRIu64 ":%" PRIu64, damage_name(kind), off, bytes, argument);
  return text;
}

std::optional<Damage> Damage::parse(std::string_view given) {
  const std::string text(given);
  Damage d;
  if (const int n = std::sscanf(text.c_str(), "bits:%" SCNu64 ",%" SCNu64, &d.bits[0], &d.bits[1]); n > 0) {
    d.bit_count = static_cast<uint32_t>(n);
    return d;
  }
  const auto* name = std::find(kNames.begin(), kNames.end(), text.substr(0, text.find(':')));
  if (name == kNames.end() || name == kNames.begin()) return std::nullopt;
  d.kind = static_cast<DamageKind>(name - kNames.begin());
  const int n = std::sscanf(text.c_str() + std::strlen(*name), ":%" SCNu64 "+%" SCNu64 ":%" SCNu64, &d.off, &d.bytes,
                            &d.argument);
  return n >= 2 ? std::optional(d) : std::nullopt;
}

bool apply(const Damage& d, const PoolShape& shape, std::span<std::byte> file) {
  if (!fits(d, file.size())) return false;
  std::byte* const at = file.data() + d.off;
  switch (d.kind) {
    case DamageKind::bits:
      for (uint32_t i = 0; i < d.bit_count; ++i) file[d.bits[i] / 8] ^= std::byte{1} << d.bits[i] % 8;
      return d.bit_count == 1 || d.bits[0] != d.bits[1];
    case DamageKind::stale:
      if (d.argument >= shape.earlier.size()) return false;
      std::memcpy(at, &shape.earlier[d.argument][d.off], d.bytes);
      break;
    case DamageKind::swap:
      if (d.argument < d.off + d.bytes && d.off < d.argument + d.bytes) return false;
      std::swap_ranges(at, at + d.bytes, file.data() + d.argument);
      break;
    case DamageKind::zero:
      std::memset(at, 0, d.bytes);
      break;
    case DamageKind::random: {
      test::Random random(d.argument);
      for (uint64_t i = 0; i < d.bytes; ++i) at[i] = static_cast<std::byte>(random.next());
      break;
    }
    case DamageKind::foreign:
      std::memcpy(at, &shape.foreign[d.off], d.bytes);
      break;
  }
  return std::memcmp(at, &shape.base[d.off], d.bytes) != 0;
}

}  // namespace nacre::damage
