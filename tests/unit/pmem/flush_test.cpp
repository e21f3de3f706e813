// The flush layer's contract, as far as a program can see it.
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "pmem/arch/flush.h"
#include "pmem/base/units.h"

using namespace nacre;
using namespace nacre::pmem;

TEST_CASE("names of flush kinds go both ways") {
  for (const FlushKind kind :
       {FlushKind::none, FlushKind::hooked, FlushKind::clflush, FlushKind::clflushopt, FlushKind::clwb})
    REQUIRE(flush_kind_from_name(flush_kind_name(kind)) == kind);
  REQUIRE(!flush_kind_from_name("").has_value());
  REQUIRE(!flush_kind_from_name("CLWB").has_value());
}

TEST_CASE("none is always usable, hooked never, and the best one is usable") {
  REQUIRE(flush_kind_usable(FlushKind::none));
  REQUIRE(!flush_kind_usable(FlushKind::hooked));
  if (best_flush_kind()) REQUIRE(flush_kind_usable(*best_flush_kind()));
#if defined(__x86_64__)
  REQUIRE(best_flush_kind().has_value());
#endif
}

TEST_CASE("every usable instruction runs on every length and alignment and changes nothing") {
  std::vector<unsigned char> bytes(1024);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 7);
  const std::vector<unsigned char> before = bytes;
  for (const FlushKind kind : {FlushKind::none, FlushKind::clflush, FlushKind::clflushopt, FlushKind::clwb}) {
    if (!flush_kind_usable(kind)) continue;
    for (size_t start = 0; start < 65; ++start)
      for (size_t n = 0; n < 200; n += 13) flush_lines(kind, bytes.data() + start, n);
    store_fence(kind);
    REQUIRE(bytes == before);
  }
}
