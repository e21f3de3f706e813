// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected: 0x82F63B78), RFC 3720 appendix B.4.
//
// Raw convention: the register goes in and comes out as it is, without the inversions that the standard puts
// before and after. So parts chain, crc32c(crc32c(s, a), b) == crc32c(s, ab), a word is one instruction, and
// the checksum is linear: crc(s ^ t, a ^ b) == crc(s, a) ^ crc(t, b). The standard's value is ~crc32c(~0u, p,
// bytes). Leading zero bytes do not change a zero register: seed with something when lengths vary.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nacre {

namespace detail {
enum class CrcPath : uint8_t { unresolved = 0, table, hardware };
extern constinit std::atomic<CrcPath> g_crc_path;
uint32_t crc32c_u64_slow(uint32_t crc, uint64_t word) noexcept;

uint32_t crc32c_table(uint32_t crc, const void* p, size_t bytes) noexcept;  // the reference, for tests
#if defined(__x86_64__)
bool crc32c_hardware_usable() noexcept;
uint32_t crc32c_hardware(uint32_t crc, const void* p, size_t bytes) noexcept;
#endif
uint32_t crc32c_any(uint32_t seed, const void* p, size_t bytes) noexcept;
inline constexpr size_t kCrcInlineBytes = 256;  // longer ranges may use ISA-L: 12 ns against 25 there
}  // namespace detail

/// True once it is known that crc32c_u64_hardware may be called. For loops that ask once instead of at each word.
inline bool crc32c_is_hardware() noexcept {
  return detail::g_crc_path.load(std::memory_order_relaxed) == detail::CrcPath::hardware;
}

#if defined(__x86_64__)
/// As crc32c_u64; only where crc32c_is_hardware().
inline uint32_t crc32c_u64_hardware(uint32_t crc, uint64_t word) noexcept {
  uint64_t wide = crc;
  asm("crc32q %1, %0" : "+r"(wide) : "rm"(word));
  return static_cast<uint32_t>(wide);
}

namespace detail {
/// The last bytes of a range, fewer than eight.
inline uint32_t crc32c_rest_hardware(uint32_t crc, const unsigned char* at, size_t bytes) noexcept {
  if ((bytes & 4) != 0) {
    uint32_t part;
    std::memcpy(&part, at, sizeof part);
    asm("crc32l %1, %0" : "+r"(crc) : "rm"(part));
    at += sizeof part;
  }
  if ((bytes & 2) != 0) {
    uint16_t part;
    std::memcpy(&part, at, sizeof part);
    asm("crc32w %1, %0" : "+r"(crc) : "rm"(part));
    at += sizeof part;
  }
  if ((bytes & 1) != 0) asm("crc32b %1, %0" : "+r"(crc) : "rm"(*at));
  return crc;
}
}  // namespace detail
#endif

/// Chains `bytes` bytes at `p` into `seed`. Thread-safe. Long ranges use ISA-L where it was built in.
inline uint32_t crc32c(uint32_t seed, const void* p, size_t bytes) noexcept {
#if defined(__x86_64__)
  if (bytes < detail::kCrcInlineBytes && crc32c_is_hardware()) [[likely]] {
    const auto* at = static_cast<const unsigned char*>(p);
    for (; bytes >= sizeof(uint64_t); bytes -= sizeof(uint64_t), at += sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, at, sizeof word);
      seed = crc32c_u64_hardware(seed, word);
    }
    return detail::crc32c_rest_hardware(seed, at, bytes);
  }
#endif
  return detail::crc32c_any(seed, p, bytes);
}

/// As crc32c over the eight bytes of `word` in little-endian order. One instruction where the CPU has it.
inline uint32_t crc32c_u64(uint32_t crc, uint64_t word) noexcept {
#if defined(__x86_64__)
  if (crc32c_is_hardware()) [[likely]]
    return crc32c_u64_hardware(crc, word);
#endif
  return detail::crc32c_u64_slow(crc, word);
}

}  // namespace nacre
