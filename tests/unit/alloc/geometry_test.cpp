// Every byte of a pool belongs to exactly one region, whatever its size.
#include <catch2/catch.hpp>
#include <vector>

#include "alloc/geometry.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::alloc;
using nacre::test::Random;

namespace {

struct Region {
  uint64_t begin, end;
  bool lines;     // guarded lines may lie in it
  int64_t chunk;  // or -1
};

// Written from the drawing in alloc/geometry.h, not from its code.
std::vector<Region> regions_of(const Layout& l) {
  std::vector<Region> all;
  all.push_back({0, 4096, true, -1});
  all.push_back({4096, 8192, true, -1});
  all.push_back({8192, 12288, true, -1});
  uint64_t at = 12288;
  for (uint64_t lane = 0; lane < l.geometry.lane_count; ++lane) {
    const uint64_t bytes = 64 + uint64_t{l.geometry.lane_cells} * 64;
    all.push_back({at, at + bytes, false, -1});
    at += bytes;
  }
  if (at % 4096 != 0) all.push_back({at, align_up(at, 4096), false, -1});
  at = align_up(at, 4096);
  int64_t chunk = 0;
  while (at < l.pool_bytes) {
    const uint64_t table = (l.geometry.zone_chunks + 6) / 7 * 64;
    const uint64_t bitmap = (l.geometry.chunk_bytes / 32 + 447) / 448 * 64;
    const uint64_t meta = align_up(table + l.geometry.zone_chunks * bitmap, 4096);
    const uint64_t rest = l.pool_bytes - at;
    const uint64_t chunks =
        rest <= meta ? 0 : std::min<uint64_t>(l.geometry.zone_chunks, (rest - meta) / l.geometry.chunk_bytes);
    if (chunks == 0) {
      all.push_back({at, l.pool_bytes, false, -1});
      break;
    }
    all.push_back({at, at + meta, true, -1});
    at += meta;
    for (uint64_t c = 0; c < chunks; ++c) {
      all.push_back({at, at + l.geometry.chunk_bytes, true, chunk++});
      at += l.geometry.chunk_bytes;
    }
    if (chunks < l.geometry.zone_chunks) {
      if (at < l.pool_bytes) all.push_back({at, l.pool_bytes, false, -1});
      break;
    }
  }
  return all;
}

void verify(const Geometry& g, uint64_t pool_bytes) {
  const Layout l(g, pool_bytes);
  INFO("pool of " << pool_bytes << ", chunk " << g.chunk_bytes << ", zone " << g.zone_chunks << ", lanes "
                  << g.lane_count << " x " << g.lane_cells);
  const std::vector<Region> regions = regions_of(l);
  uint64_t at = 0, chunks = 0, bad = 0;
  Random random(pool_bytes);
  for (const Region& r : regions) {
    bad += r.begin != at;
    at = r.end;
    const auto look = [&](uint64_t off) {
      const uint64_t want = r.chunk >= 0 ? static_cast<uint64_t>(r.chunk) : l.chunk_count;
      bad += l.chunk_of(off) != want;
      const uint64_t line = align_down(off, 64);
      if (line >= r.begin && line + 64 <= r.end) bad += l.is_line(line) != r.lines;
      if (off % 64 != 0) bad += l.is_line(off);
    };
    look(r.begin);
    look(r.end - 1);
    for (int i = 0; i < 8; ++i) look(r.begin + random.below(r.end - r.begin));
    if (r.chunk < 0) continue;
    const auto chunk = static_cast<uint64_t>(r.chunk);
    bad += chunk != chunks++ || l.chunk_off(chunk) != r.begin;
    bad += !l.is_line(l.chunk_line_off(chunk)) || l.chunk_of(l.chunk_line_off(chunk)) != l.chunk_count;
    for (uint64_t b = 0; b < l.bitmap_lines; ++b)
      bad +=
          !l.is_line(l.bitmap_line_off(chunk, b)) || l.chunk_of(l.bitmap_line_off(chunk, b)) != l.chunk_count;
  }
  REQUIRE(bad == 0);
  REQUIRE(at == pool_bytes);
  REQUIRE(chunks == l.chunk_count);
  REQUIRE(l.slack_bytes() ==
          pool_bytes - l.zones_off - l.zone_count * l.zone_meta_bytes - chunks * g.chunk_bytes);
  REQUIRE_FALSE(l.is_line(pool_bytes));
  REQUIRE_FALSE(l.is_line(~uint64_t{63}));
  REQUIRE(l.chunk_of(~uint64_t{0}) == l.chunk_count);
}

}  // namespace

TEST_CASE("every byte of pools of many sizes and shapes belongs to exactly one region") {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    Geometry g;
    g.chunk_bytes = 1024u << random.below(6);
    g.zone_chunks = static_cast<uint32_t>(1 + random.below(40));
    g.lane_count = static_cast<uint32_t>(1 + random.below(5));
    g.lane_cells = static_cast<uint32_t>(4 + 2 * random.below(20));
    REQUIRE(g.valid());
    const uint64_t lanes_end = kLaneAreaOff + g.lane_count * (1 + uint64_t{g.lane_cells}) * 64;
    verify(g, align_up(lanes_end, 4096) + 4096 * (1 + random.below(400)));
  }
}

TEST_CASE(
    "the default geometry of every size from 1 MiB up is valid, has room, and wastes little on metadata") {
  for (uint64_t mib : {1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 100, 255, 256, 257, 500, 1024, 1500}) {
    const uint64_t pool_bytes = mib << 20;
    const Geometry g = Geometry::for_pool(pool_bytes);
    REQUIRE(g.valid());
    const Layout l(g, pool_bytes);
    INFO(mib << " MiB");
    REQUIRE(l.chunk_count * g.chunk_bytes > pool_bytes * 8 / 10);
    verify(g, pool_bytes);
  }
  for (uint64_t gib : {16, 1000, 16384}) {
    const Layout l(Geometry::for_pool(gib << 30), gib << 30);
    REQUIRE(l.chunk_count * l.geometry.chunk_bytes > (gib << 30) * 98 / 100);
    REQUIRE(l.chunk_of(l.chunk_off(l.chunk_count - 1)) == l.chunk_count - 1);
  }
}

TEST_CASE("two chunks never share a bitmap line, nor a word of the chunk table") {
  Geometry g;
  g.chunk_bytes = 32 * 1024;  // three bitmap lines
  g.zone_chunks = 10;
  const Layout l(g, 16 << 20);
  REQUIRE(l.bitmap_lines == 3);
  REQUIRE(l.zone_count > 1);
  std::vector<uint64_t> lines, words;
  for (uint64_t chunk = 0; chunk < l.chunk_count; ++chunk) {
    for (uint64_t b = 0; b < l.bitmap_lines; ++b) lines.push_back(l.bitmap_line_off(chunk, b));
    words.push_back(l.chunk_line_off(chunk) + 8 * l.chunk_word_idx(chunk));
  }
  for (auto* list : {&lines, &words}) {
    std::sort(list->begin(), list->end());
    REQUIRE(std::adjacent_find(list->begin(), list->end()) == list->end());
  }
}

TEST_CASE("a geometry out of range is refused") {
  const auto with = [](auto change) {
    Geometry g;
    change(g);
    return g.valid();
  };
  REQUIRE(Geometry{}.valid());
  REQUIRE_FALSE(with([](Geometry& g) { g.chunk_bytes = 3000; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.chunk_bytes = 512; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.chunk_bytes = 0; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.chunk_bytes = 1u << 31; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.zone_chunks = 0; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.zone_chunks = ~0u; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_count = 0; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_count = 1025; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_cells = 5; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_cells = 2; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_cells = 65538; }));
}
