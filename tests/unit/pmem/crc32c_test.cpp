// All paths of CRC-32C agree bit for bit, with the published vectors and with each other.
#include <catch2/catch.hpp>
#include <random>
#include <string_view>
#include <vector>

#include "pmem/base/crc32c.h"

using namespace nacre;

namespace {

uint32_t standard(const void* p, size_t bytes) { return ~crc32c(~0u, p, bytes); }

// One bit at a time, straight from the definition.
uint32_t by_definition(uint32_t crc, const unsigned char* p, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    crc ^= p[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return crc;
}

std::vector<unsigned char> random_bytes(size_t n) {
  std::mt19937_64 random(7);
  std::vector<unsigned char> out(n);
  for (auto& b : out) b = static_cast<unsigned char>(random());
  return out;
}

}  // namespace

TEST_CASE("crc32c: the vectors of RFC 3720 B.4") {
  REQUIRE(standard("123456789", 9) == 0xE3069283);
  unsigned char bytes[32] = {};
  REQUIRE(standard(bytes, 32) == 0x8A9136AA);
  std::fill_n(bytes, 32, 0xFF);
  REQUIRE(standard(bytes, 32) == 0x62A8AB43);
  for (unsigned char i = 0; i < 32; ++i) bytes[i] = i;
  REQUIRE(standard(bytes, 32) == 0x46DD794E);
}

TEST_CASE("crc32c: every length and alignment agrees with the definition, on every path") {
  const std::vector<unsigned char> data = random_bytes(3000);
  for (size_t bytes = 0; bytes <= 1100; ++bytes) {
    const size_t start = bytes % 17;
    const unsigned char* p = data.data() + start;
    const uint32_t want = by_definition(0x12345678, p, bytes);
    REQUIRE(crc32c(0x12345678, p, bytes) == want);
    REQUIRE(detail::crc32c_table(0x12345678, p, bytes) == want);
#if defined(__x86_64__)
    if (detail::crc32c_hardware_usable()) REQUIRE(detail::crc32c_hardware(0x12345678, p, bytes) == want);
#endif
  }
}

TEST_CASE("crc32c: parts chain, across the switch to the long path too") {
  const std::vector<unsigned char> data = random_bytes(5000);
  const uint32_t want = crc32c(1, data.data(), data.size());
  for (size_t cut = 0; cut <= data.size(); cut += 37)
    REQUIRE(crc32c(crc32c(1, data.data(), cut), data.data() + cut, data.size() - cut) == want);
}

TEST_CASE("crc32c: a word is its eight bytes, whether or not the path was resolved before") {
  const uint64_t word = 0x0123456789ABCDEF;
  unsigned char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(word >> 8 * i);
  const uint32_t want = by_definition(77, bytes, 8);
  REQUIRE(crc32c_u64(77, word) == want);
  REQUIRE(detail::crc32c_u64_slow(77, word) == want);
}
