// Sizes that follow from the hardware, and the typed offset.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nacre {

inline constexpr uint64_t kWordBytes = 8;    ///< the only store that is atomic towards the medium
inline constexpr uint64_t kLineBytes = 64;   ///< the unit of guarding and of our layouts on every CPU
inline constexpr uint64_t kPageBytes = 4096; ///< the unit of the superblock copies and of msync
inline constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

constexpr uint64_t align_up(uint64_t n, uint64_t power_of_two) noexcept {
  return (n + power_of_two - 1) & ~(power_of_two - 1);
}
constexpr uint64_t align_down(uint64_t n, uint64_t power_of_two) noexcept { return n & ~(power_of_two - 1); }
constexpr uint64_t ceil_div(uint64_t n, uint64_t d) noexcept { return (n + d - 1) / d; }
constexpr bool is_power_of_two(uint64_t n) noexcept { return n != 0 && (n & (n - 1)) == 0; }

}  // namespace nacre
