// The guarded line: 64 bytes, the only mutable thing on the medium besides the lanes.
//
//   0        8              48       56                       64
//   | word 0 | word 1 | ... | word 6 | busy 1 | check 15 | seq 48 |
//                                     bit 63    62..48     47..0
//
// check = fold of CRC32C over {salt, line offset, words 0..6, seq}: 14 bits `(x ^ x>>16 ^ x>>1) >> 6` and one
// parity bit over all. Plain truncation of CRC32C misses some 2-bit errors; this fold was found by search: all
// columns are distinct and of odd weight, so every error of one, two or three bits is seen (exhaustive for one
// and two: tests/unit/alloc/guarded_line_test.cpp), other damage with probability 1 - 2^-15.
// busy is not covered: it is a hint, never believed on its own.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "alloc/geometry.h"
#include "pmem/base/crc32c.h"
#include "pmem/base/sync.h"
#include "pmem/base/units.h"

namespace nacre::alloc {

struct alignas(64) GuardedLine {
  uint64_t words[kLineWords];
  uint64_t guard;
};
static_assert(sizeof(GuardedLine) == kLineBytes);
static_assert(std::has_unique_object_representations_v<GuardedLine>);

inline constexpr uint64_t kSeqBits = 48;
/// What the lines of a new pool begin with.
inline constexpr uint64_t kFirstSeq = 1;
inline constexpr uint64_t kSeqMask = (uint64_t{1} << kSeqBits) - 1;
inline constexpr uint64_t kCheckMask = 0x7fff;
inline constexpr uint64_t kBusyBit = uint64_t{1} << 63;

/// 32 bits drawn from the pool's identity, mixed into every check so that bytes of another pool never pass.
using Salt = uint32_t;

constexpr uint64_t guard_seq(uint64_t guard) noexcept { return guard & kSeqMask; }

/// 15 bits from a CRC32C register; see the top of the file.
inline uint64_t fold_check15(uint32_t crc) noexcept {
  const uint32_t fold = ((crc ^ (crc >> 16) ^ (crc >> 1)) >> 6) & 0x3fff;
  return fold | static_cast<uint64_t>(std::popcount(crc ^ fold) & 1) << 14;
}

inline uint64_t line_check(Salt salt, uint64_t line_off, const uint64_t words[kLineWords], uint64_t seq) noexcept {
  uint32_t crc = crc32c_u64(salt, line_off);
  for (uint64_t i = 0; i < kLineWords; ++i) crc = crc32c_u64(crc, words[i]);
  return fold_check15(crc32c_u64(crc, seq));
}

/// The guard word for these words at this place, busy clear.
inline uint64_t make_guard(Salt salt, uint64_t line_off, const uint64_t words[kLineWords], uint64_t seq) noexcept {
  return line_check(salt, line_off, words, seq) << kSeqBits | seq;
}

inline bool guard_matches(Salt salt, uint64_t line_off, const uint64_t words[kLineWords], uint64_t guard) noexcept {
  return make_guard(salt, line_off, words, guard_seq(guard)) == (guard & ~kBusyBit);
}

/// True if the line's check is good. For lines nobody changes meanwhile (held, or at open).
inline bool line_intact(Salt salt, uint64_t line_off, const GuardedLine& line) noexcept {
  uint64_t words[kLineWords];
  for (uint64_t i = 0; i < kLineWords; ++i) words[i] = sync::load_relaxed(&line.words[i]);
  return guard_matches(salt, line_off, words, sync::load_acquire(&line.guard));
}

}  // namespace nacre::alloc
