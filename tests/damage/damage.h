// One way of damaging a pool, and its text: what a case is replayed from.
//
//   bits:263,9001            these bits of the file are turned around (bit b is bit b % 8 of byte b / 8)
//   stale:4096+64:1          this range as it was at the earlier moment 1
//   swap:4096+64:8192        this range and the one at the other offset change places
//   zero:4096+64  random:4096+64:77 (seed)  foreign:4096+64 (of another pool)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tests/damage/pool_shape.h"

namespace nacre::damage {

enum class DamageKind : uint8_t { bits, stale, swap, zero, random, foreign };
inline constexpr uint32_t kDamageKinds = 6;
const char* damage_name(DamageKind kind) noexcept;

struct Damage {
  DamageKind kind = DamageKind::bits;
  uint64_t bits[2] = {};
  uint32_t bit_count = 0;
  uint64_t off = 0, bytes = 0;
  uint64_t argument = 0;  // moment, other offset or seed

  /// Calls fn(offset, bytes) for each range that is damaged.
  template <class Fn>
  void for_each_range(Fn&& fn) const {
    for (uint32_t i = 0; i < bit_count; ++i) fn(bits[i] / 8, uint64_t{1});
    if (bytes != 0) fn(off, bytes);
    if (kind == DamageKind::swap) fn(argument, bytes);
  }
  std::string text() const;
  static std::optional<Damage> parse(std::string_view text);

  static Damage flip(uint64_t bit) noexcept { return {DamageKind::bits, {bit, 0}, 1}; }
  static Damage flip_two(uint64_t a, uint64_t b) noexcept { return {DamageKind::bits, {a, b}, 2}; }
  static Damage range(DamageKind kind, uint64_t off, uint64_t bytes, uint64_t argument) noexcept {
    return {kind, {}, 0, off, bytes, argument};
  }
};

/// Damages `file`, a copy of the shape's base image. False if nothing changed: then it is no case.
bool apply(const Damage& damage, const PoolShape& shape, std::span<std::byte> file);

}  // namespace nacre::damage
