// The guarded line: 64 bytes, the only mutable thing on the medium besides the lanes.
//
//   0        8              48       56                       64
//   | word 0 | word 1 | ... | word 6 | busy 1 | check 15 | seq 48 |
//                                     bit 63    62..48     47..0
//
// check = 15 bits over {salt, line offset, words 0..6, seq}, linear in all of them:
//
//   a = crc32c(salt, offset, word 0, word 1, word 2)      three chains that run side by side: the instruction's latency
//   b = crc32c(0, word 3, word 4, word 5)                 of three cycles is paid four times instead of nine
//   c = crc32c(0, word 6, seq)
//   x = a ^ rotl(b, 30) ^ rotl(b, 1) ^ rotl(c, 30) ^ rotl(c, 18)
//   bits 0..13 = (x ^ x >> 16 ^ x >> 27), bit 14 = parity of those bits and of all words and seq
//
// The rotations and the fold were found by search: all 511 columns of the code are distinct and of odd weight, so
// every error of one, two or three bits is seen (exhaustive: tests/unit/alloc/guarded_line_test.cpp; plain truncation
// of CRC32C misses some of two), other damage with probability 1 - 2^-15. Because it is linear, a change of one word
// changes the check by a function of the difference alone (check_change): a line that was damaged stays so.
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

namespace detail {

/// How a crc chain takes in a word; two types, so that the choice of path is made once a line.
struct AnyCrcStep {
  uint32_t operator()(uint32_t crc, uint64_t word) const noexcept { return crc32c_u64(crc, word); }
};
#if defined(__x86_64__)
struct HardwareCrcStep {
  uint32_t operator()(uint32_t crc, uint64_t word) const noexcept { return crc32c_u64_hardware(crc, word); }
};
#endif
template <class Body>
[[gnu::always_inline]] inline auto with_crc_step(Body&& body) noexcept {
#if defined(__x86_64__)
  if (crc32c_is_hardware()) [[likely]]
    return body(HardwareCrcStep{});
#endif
  return body(AnyCrcStep{});
}

constexpr uint32_t mix_b(uint32_t b) noexcept { return std::rotl(b, 30) ^ std::rotl(b, 1); }
constexpr uint32_t mix_c(uint32_t c) noexcept { return std::rotl(c, 30) ^ std::rotl(c, 18); }

/// 15 bits from the joined chains and the exclusive or of all words and seq; see the top of the file.
inline uint64_t fold_check15(uint32_t x, uint64_t all) noexcept {
  const uint32_t fold = (x ^ x >> 16 ^ x >> 27) & 0x3fff;
  return fold | static_cast<uint64_t>(__builtin_parityll(all ^ fold)) << 14;
}

}  // namespace detail

inline uint64_t line_check(Salt salt, uint64_t line_off, const uint64_t words[kLineWords], uint64_t seq) noexcept {
  return detail::with_crc_step([&](auto step) noexcept {
    const uint32_t a = step(step(step(step(salt, line_off), words[0]), words[1]), words[2]);
    const uint32_t b = step(step(step(0, words[3]), words[4]), words[5]);
    const uint32_t c = step(step(0, words[6]), seq);
    const uint64_t all = words[0] ^ words[1] ^ words[2] ^ words[3] ^ words[4] ^ words[5] ^ words[6] ^ seq;
    return detail::fold_check15(a ^ detail::mix_b(b) ^ detail::mix_c(c), all);
  });
}

/// What the check changes by (exclusive or) when the words and seq change by these differences. It is the check of the
/// differences themselves: the code is linear, and crc32c(0, 0) is 0. No branch asks which word it is, for nobody could
/// predict it.
inline uint64_t check_change(const uint64_t differences[kLineWords], uint64_t seq_difference) noexcept {
  return line_check(0, 0, differences, seq_difference);
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
  return guard_matches(salt, line_off, line.words, line.guard);
}

}  // namespace nacre::alloc
