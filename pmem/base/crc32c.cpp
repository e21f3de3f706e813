#include "pmem/base/crc32c.h"

#include <algorithm>
#include <array>
#include <bit>
#include <climits>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(NACRE_HAVE_ISAL) && NACRE_HAVE_ISAL
#include <isa-l/crc.h>
#endif

namespace nacre {
namespace detail {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // reflected

// kTables[k][b] is byte b followed by k zero bytes: eight look-ups take in one word ("slicing by eight",
// Kounavis and Berry, 2005).
using Tables = std::array<std::array<uint32_t, 256>, 8>;
constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (uint32_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xFF];
  return tables;
}
constexpr Tables kTables = make_tables();

uint32_t table_word(uint32_t crc, uint64_t word) noexcept {
  word ^= crc;
  uint32_t out = 0;
  for (unsigned i = 0; i < 8; ++i) out ^= kTables[7 - i][word >> 8 * i & 0xFF];
  return out;
}

uint64_t load_little_endian(const unsigned char* p) noexcept {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

CrcPath resolve_path() noexcept {
  CrcPath path = CrcPath::table;
#if defined(__x86_64__)
  if (crc32c_hardware_usable()) path = CrcPath::hardware;
#endif
  g_crc_path.store(path, std::memory_order_relaxed);
  return path;
}

}  // namespace

constinit std::atomic<CrcPath> g_crc_path{CrcPath::unresolved};

uint32_t crc32c_table(uint32_t crc, const void* p, size_t bytes) noexcept {
  const auto* at = static_cast<const unsigned char*>(p);
  for (; bytes >= 8; bytes -= 8, at += 8) crc = table_word(crc, load_little_endian(at));
  for (; bytes > 0; --bytes, ++at) crc = crc >> 8 ^ kTables[0][(crc ^ *at) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
bool crc32c_hardware_usable() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSE4_2) != 0;
}

uint32_t crc32c_hardware(uint32_t crc, const void* p, size_t bytes) noexcept {
  const auto* at = static_cast<const unsigned char*>(p);
  uint64_t wide = crc;
  for (; bytes >= 8; bytes -= 8, at += 8) asm("crc32q %1, %0" : "+r"(wide) : "rm"(load_little_endian(at)));
  auto narrow = static_cast<uint32_t>(wide);
  for (; bytes > 0; --bytes, ++at) asm("crc32b %1, %0" : "+r"(narrow) : "rm"(*at));
  return narrow;
}
#endif

uint32_t crc32c_u64_slow(uint32_t crc, uint64_t word) noexcept {
  CrcPath path = g_crc_path.load(std::memory_order_relaxed);
  if (path == CrcPath::unresolved) path = resolve_path();
#if defined(__x86_64__)
  if (path == CrcPath::hardware) return crc32c_u64(crc, word);
#endif
  return table_word(crc, word);
}

uint32_t crc32c_any(uint32_t seed, const void* p, size_t bytes) noexcept {
  if (bytes == 0) return seed;
#if defined(NACRE_HAVE_ISAL) && NACRE_HAVE_ISAL
  // Its interface counts in int and takes a pointer to non-const that it does not write through.
  auto* at = static_cast<unsigned char*>(const_cast<void*>(p));
  for (; bytes >= kCrcInlineBytes;) {
    const size_t part = std::min<size_t>(bytes, size_t{1} << 30);
    seed = ::crc32_iscsi(at, static_cast<int>(part), seed);
    at += part;
    bytes -= part;
  }
  if (bytes == 0) return seed;
  p = at;
#endif
  CrcPath path = g_crc_path.load(std::memory_order_relaxed);
  if (path == CrcPath::unresolved) path = resolve_path();
#if defined(__x86_64__)
  if (path == CrcPath::hardware) [[likely]]
    return crc32c_hardware(seed, p, bytes);
#endif
  return crc32c_table(seed, p, bytes);
}

}  // namespace detail
}  // namespace nacre
