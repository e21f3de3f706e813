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
}  // namespace detail

/// Chains `bytes` bytes at `p` into `seed`. Thread-safe. Long ranges use ISA-L where it was built in.
uint32_t crc32c(uint32_t seed, const void* p, size_t bytes) noexcept;

/// As crc32c over the eight bytes of `word` in little-endian order. One instruction where the CPU has it.
inline uint32_t crc32c_u64(uint32_t crc, uint64_t word) noexcept {
#if defined(__x86_64__)
  if (detail::g_crc_path.load(std::memory_order_relaxed) == detail::CrcPath::hardware) [[likely]] {
    uint64_t wide = crc;
    asm("crc32q %1, %0" : "+r"(wide) : "rm"(word));
    return static_cast<uint32_t>(wide);
  }
#endif
  return detail::crc32c_u64_slow(crc, word);
}

}  // namespace nacre
