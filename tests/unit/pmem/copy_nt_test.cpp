// copy_nt copies exactly the bytes it was given, for every length and alignment, and counts them as a flush.
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "pmem/domain.h"

using namespace nacre;
using namespace nacre::pmem;

namespace {

constexpr Site kSite{"test.unit.copy_nt"};
constexpr uint64_t kBytes = 4096;
alignas(4096) std::byte g_to[kBytes];

class PlainDomain final : public Domain {
 public:
  explicit PlainDomain(FlushKind kind) : Domain(g_to, kBytes, Medium::test, kind, false) {}
};

void check_copy(Domain& domain, const std::vector<std::byte>& from, uint64_t to_off, uint64_t from_off,
                uint64_t bytes) {
  std::memset(g_to, 0xEE, kBytes);
  const Counters before = domain.thread_counters();
  domain.copy_nt(to_off, from.data() + from_off, bytes, kSite);
  domain.fence(kSite);
  REQUIRE(std::memcmp(g_to + to_off, from.data() + from_off, bytes) == 0);
  for (uint64_t i = to_off < 70 ? 0 : to_off - 70; i < to_off; ++i) REQUIRE(g_to[i] == std::byte{0xEE});
  for (uint64_t i = to_off + bytes; i < to_off + bytes + 70; ++i) REQUIRE(g_to[i] == std::byte{0xEE});
  const uint64_t lines = bytes == 0 ? 0 : (to_off + bytes - 1) / 64 - to_off / 64 + 1;
  REQUIRE(domain.thread_counters().lines - before.lines == lines);
  REQUIRE(domain.thread_counters().bytes - before.bytes == bytes);
}

}  // namespace

TEST_CASE("copy_nt equals memcpy for every length and alignment") {
  std::vector<std::byte> from(kBytes);
  for (uint64_t i = 0; i < kBytes; ++i) from[i] = static_cast<std::byte>(i * 131 >> 3);
  for (const FlushKind kind : {FlushKind::none, best_flush_kind().value_or(FlushKind::none)}) {
    PlainDomain domain(kind);
    for (uint64_t bytes = 0; bytes < 700; bytes += bytes < 270 ? 1 : 7)
      check_copy(domain, from, 100 + bytes % 64, bytes % 19, bytes);
    for (uint64_t to_off = 64; to_off < 129; ++to_off)
      for (const uint64_t bytes : {255, 256, 257, 320, 511, 512, 1000})
        check_copy(domain, from, to_off, to_off % 7, bytes);
  }
}
