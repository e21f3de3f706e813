// Every byte of a pool belongs to exactly one region, whatever its size.
#include <algorithm>
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

// Written from the drawing in alloc/geometry.h, not from its code. `capacities` of the zones, in order.
std::vector<Region> regions_of(const Geometry& g, uint64_t pool_bytes, const std::vector<uint64_t>& capacities) {
  std::vector<Region> all;
  for (uint64_t page = 0; page < 4; ++page) all.push_back({page * 4096, page * 4096 + 4096, true, -1});
  const uint64_t lanes_end = 16384 + g.lane_count * (64 + uint64_t{g.lane_cells} * 64);
  uint64_t at = align_up(lanes_end, std::max<uint64_t>(g.chunk_bytes, 4096));
  all.push_back({16384, at, false, -1});
  for (const uint64_t capacity : capacities) {
    const uint64_t table = (capacity + 6) / 7 * 64;
    const uint64_t bitmap = (g.chunk_bytes / 32 + 447) / 448 * 64;
    const uint64_t meta = align_up(table + capacity * bitmap, g.chunk_bytes);
    all.push_back({at, at + meta, true, -1});
    at += meta;
    for (uint64_t c = 0; c < capacity && at + g.chunk_bytes <= pool_bytes; ++c, at += g.chunk_bytes)
      all.push_back({at, at + g.chunk_bytes, true, static_cast<int64_t>(at / g.chunk_bytes)});
  }
  if (at < pool_bytes) all.push_back({at, pool_bytes, true, -1});
  return all;
}

void verify(const Geometry& g, uint64_t pool_bytes, const std::vector<uint64_t>& capacities) {
  Layout l(g, pool_bytes);
  for (const uint64_t capacity : capacities) REQUIRE(l.append_zone(capacity));
  INFO("pool of " << pool_bytes << ", chunk " << g.chunk_bytes << ", " << capacities.size() << " zones, lanes "
                  << g.lane_count << " x " << g.lane_cells);
  const std::vector<Region> regions = regions_of(g, pool_bytes, capacities);
  uint64_t at = 0, chunks = 0, bad = 0;
  Random random(pool_bytes);
  for (const Region& r : regions) {
    bad += r.begin != at;
    at = r.end;
    const auto look = [&](uint64_t off) {
      bad += l.chunk_of(off) != (r.chunk >= 0 ? static_cast<uint32_t>(r.chunk) : kNoChunk);
      const uint64_t line = align_down(off, 64);
      if (line >= r.begin && line + 64 <= r.end) bad += l.is_line(line) != r.lines;
      if (off % 64 != 0) bad += l.is_line(off);
    };
    look(r.begin);
    look(r.end - 1);
    for (int i = 0; i < 8; ++i) look(r.begin + random.below(r.end - r.begin));
    if (r.chunk < 0) continue;
    ++chunks;
    const auto chunk = static_cast<uint64_t>(r.chunk);
    bad += l.chunk_off(chunk) != r.begin;
    const Zone zone = l.zone(l.zone_of(chunk));
    const auto in_meta = [&](uint64_t off) {
      return off >= l.chunk_off(zone.meta_frame) && off + 64 <= l.chunk_off(zone.chunk_frame);
    };
    bad += !in_meta(l.chunk_line_off(chunk));
    for (uint64_t b = 0; b < l.bitmap_lines; ++b) bad += !in_meta(l.bitmap_line_off(chunk, b));
  }
  REQUIRE(bad == 0);
  REQUIRE(at == pool_bytes);
  REQUIRE(chunks == l.chunk_count());
  REQUIRE(l.zones_off + l.zone_meta_bytes() + chunks * g.chunk_bytes + l.slack_bytes() == pool_bytes);
  REQUIRE_FALSE(l.is_line(pool_bytes));
  REQUIRE_FALSE(l.is_line(~uint64_t{63}));
  REQUIRE(l.chunk_of(~uint64_t{0}) == kNoChunk);
}

Geometry random_geometry(Random& random) {
  Geometry g;
  g.chunk_bytes = 1024u << random.below(6);
  g.lane_count = static_cast<uint32_t>(1 + random.below(5));
  g.lane_cells = static_cast<uint32_t>(4 + 2 * random.below(20));
  REQUIRE(g.valid());
  return g;
}

}  // namespace

TEST_CASE("every byte of pools of many sizes, shapes and zones belongs to exactly one region") {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const Geometry g = random_geometry(random);
    Layout l(g, 0);
    std::vector<uint64_t> capacities;
    for (uint64_t i = 0, n = 1 + random.below(5); i < n; ++i) {
      capacities.push_back(1 + random.below(60));
      REQUIRE(l.append_zone(capacities.back()));
    }
    const Zone last = l.zone(l.zone_count() - 1);  // it may be there in part, and something behind it
    const uint64_t frames = last.chunk_frame + random.below(last.capacity + 3);
    verify(g, (frames << l.chunk_shift) + random.below(2) * 512, capacities);
  }
}

TEST_CASE("the largest zone that fits leaves no room for one chunk more") {
  Random random(2);
  for (int round = 0; round < 300; ++round) {
    const Geometry g = random_geometry(random);
    Layout l(g, 0);
    if (random.below(2) != 0) REQUIRE(l.append_zone(1 + random.below(20)));
    const uint64_t bytes = l.zones_off + random.below(500 * g.chunk_bytes);
    const uint64_t capacity = l.largest_capacity(bytes);
    if (capacity != 0) REQUIRE(l.next_zone(capacity).end_frame() << l.chunk_shift <= bytes);
    REQUIRE(l.next_zone(capacity + 1).end_frame() << l.chunk_shift > bytes);
  }
}

TEST_CASE("the default geometry of every size from 1 MiB up is valid, has room, and wastes little on metadata") {
  for (uint64_t mib : {1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 100, 255, 256, 257, 500, 1024, 1500}) {
    const uint64_t pool_bytes = mib << 20;
    const Geometry g = Geometry::for_pool(pool_bytes);
    REQUIRE(g.valid());
    Layout l(g, pool_bytes);
    const uint64_t capacity = l.largest_capacity(pool_bytes);
    REQUIRE(l.append_zone(capacity));
    INFO(mib << " MiB");
    REQUIRE(l.chunk_count() == capacity);
    REQUIRE(l.chunk_count() * g.chunk_bytes > pool_bytes * 8 / 10);
    verify(g, pool_bytes, {capacity});
  }
  for (uint64_t gib : {16, 1000, 16384}) {
    Layout l(Geometry::for_pool(gib << 30), gib << 30);
    REQUIRE(l.append_zone(l.largest_capacity(gib << 30)));
    REQUIRE(l.chunk_count() * l.geometry.chunk_bytes > (gib << 30) * 98 / 100);
    const uint64_t last = l.zone(0).end_frame() - 1;
    REQUIRE(l.chunk_of(l.chunk_off(last)) == last);
  }
}

TEST_CASE("two chunks never share a bitmap line, nor a word of the chunk table") {
  Geometry g;
  g.chunk_bytes = 32 * 1024;  // three bitmap lines
  Layout l(g, 16 << 20);
  for (uint64_t capacity : {10, 1, 37}) REQUIRE(l.append_zone(capacity));
  REQUIRE(l.bitmap_lines == 3);
  std::vector<uint64_t> lines, words;
  for (uint64_t zone = 0; zone < l.zone_count(); ++zone)
    for (uint64_t i = 0; i < l.chunks_in(zone); ++i) {
      const uint64_t chunk = l.zone(zone).chunk_frame + i;
      for (uint64_t b = 0; b < l.bitmap_lines; ++b) lines.push_back(l.bitmap_line_off(chunk, b));
      words.push_back(l.chunk_line_off(chunk) + 8 * l.chunk_word_idx(chunk));
      lines.push_back(l.chunk_line_off(chunk) + (i % 7 == 0 ? 0 : 64 * 1000000 + i));
    }
  REQUIRE(words.size() == 48);
  for (auto* list : {&lines, &words}) {
    std::sort(list->begin(), list->end());
    REQUIRE(std::adjacent_find(list->begin(), list->end()) == list->end());
  }
}

TEST_CASE("zones that fit no pool are refused, and change nothing") {
  Layout l(Geometry{}, 1 << 30);
  REQUIRE_FALSE(l.append_zone(0));
  REQUIRE_FALSE(l.append_zone(~uint64_t{0}));
  REQUIRE_FALSE(l.append_zone(l.max_frames));
  REQUIRE(l.zone_count() == 0);
  for (uint64_t i = 0; i < kMaxZones; ++i) REQUIRE(l.append_zone(1 + i % 3));
  REQUIRE_FALSE(l.append_zone(1));
  REQUIRE(l.zone_count() == kMaxZones);
  l.drop_last_zone();
  REQUIRE(l.append_zone(7));
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
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_count = 0; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_count = 1025; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_cells = 5; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_cells = 2; }));
  REQUIRE_FALSE(with([](Geometry& g) { g.lane_cells = 65538; }));
}
