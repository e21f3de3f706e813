// The suggestion is the best there is: compared with all subsets on small inputs.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>

#include "alloc/class_suggest.h"
#include "alloc/heap_layout.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

Geometry geometry_of(uint32_t chunk_bytes) {
  Geometry g;
  g.chunk_bytes = chunk_bytes;
  return g;
}

void load(SizeClasses& classes, const Geometry& g, std::span<const uint32_t> units) {
  std::vector<uint64_t> words;
  for (uint32_t unit : units) words.push_back(live_class_word({unit}, g));
  REQUIRE(classes.load(words, g).ok());
}

/// The waste of records in these classes, by the definition; records that fit none do not count.
uint64_t waste_of(std::vector<uint32_t> units, uint32_t chunk_bytes, std::span<const SizeCount> histogram) {
  std::sort(units.begin(), units.end());
  uint64_t waste = 0;
  for (const SizeCount& h : histogram)
    for (uint32_t unit : units) {
      if (unit < h.bytes) continue;
      const uint64_t in_slab = chunk_bytes / unit;
      waste += h.count * ((chunk_bytes + in_slab - 1) / in_slab - h.bytes);
      break;
    }
  return waste;
}

uint64_t least_waste(const std::vector<uint32_t>& live, uint32_t chunk_bytes,
                     std::span<const SizeCount> histogram, uint32_t max_classes) {
  std::vector<uint32_t> candidates;
  for (const SizeCount& h : histogram)
    if (h.bytes <= live.back())
      candidates.push_back(static_cast<uint32_t>(std::max<uint64_t>(32, (h.bytes + 15) / 16 * 16)));
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  uint64_t least = ~uint64_t{0};
  for (uint32_t subset = 0; subset < 1u << candidates.size(); ++subset) {
    if (static_cast<uint32_t>(std::popcount(subset)) > max_classes) continue;
    std::vector<uint32_t> units = live;
    for (size_t i = 0; i < candidates.size(); ++i)
      if ((subset >> i & 1) != 0) units.push_back(candidates[i]);
    least = std::min(least, waste_of(units, chunk_bytes, histogram));
  }
  return least;
}

}  // namespace

TEST_CASE("the suggested classes waste as little as the best of all subsets, and say so") {
  Random random{7};
  uint64_t suggested = 0;
  for (int round = 0; round < 600; ++round) {
    const uint32_t chunk = round % 2 == 0 ? 4096 : 65536;
    std::vector<uint32_t> live;
    for (uint64_t n = 1 + random.below(4), unit = 0; n > 0; --n) {
      unit += 16 * (2 + random.below(40));
      live.push_back(static_cast<uint32_t>(unit));
    }
    SizeClasses classes;
    load(classes, geometry_of(chunk), live);
    std::vector<SizeCount> histogram;
    for (uint64_t n = random.below(10); n > 0; --n)
      histogram.push_back({1 + random.below(live.back() + 100), random.below(50)});
    const auto max_classes = static_cast<uint32_t>(random.below(5));
    const auto advice = suggest_classes(classes, geometry_of(chunk), histogram, max_classes);
    REQUIRE(advice.has_value());
    REQUIRE(advice->classes.size() <= max_classes);
    std::vector<uint32_t> then = live;
    uint64_t records = 0, saved = 0;
    for (const SuggestedClass& c : advice->classes) {
      REQUIRE(std::find(then.begin(), then.end(), c.unit_bytes) == then.end());
      REQUIRE(c.waste_after < c.waste_before);  // else it is not worth a suggestion
      then.push_back(c.unit_bytes);
      records += c.records;
      saved += c.waste_before - c.waste_after;
    }
    suggested += advice->classes.size();
    REQUIRE(advice->waste_before == waste_of(live, chunk, histogram));
    REQUIRE(advice->waste_after == waste_of(then, chunk, histogram));
    REQUIRE(advice->waste_after == least_waste(live, chunk, histogram, max_classes));
    REQUIRE(advice->waste_before - advice->waste_after == saved);
    REQUIRE(records <= advice->records);
    uint64_t all = 0;
    for (const SizeCount& h : histogram) all += h.count;
    REQUIRE(advice->records + advice->too_large == all);
  }
  REQUIRE(suggested > 500);
}

TEST_CASE("a size that a class fits exactly, and an empty histogram, need no class") {
  SizeClasses classes;
  const uint32_t live[] = {144, 256};
  load(classes, Geometry{}, live);
  for (const std::vector<SizeCount>& histogram :
       {std::vector<SizeCount>{{144, 1000}, {256, 1000}}, std::vector<SizeCount>{},
        std::vector<SizeCount>{{100, 0}}, std::vector<SizeCount>{{300, 7}}}) {
    const auto advice = suggest_classes(classes, Geometry{}, histogram, 4);
    REQUIRE(advice.has_value());
    REQUIRE(advice->classes.empty());
    REQUIRE(advice->waste_before == advice->waste_after);
  }
  const SizeCount large[] = {{300, 7}};
  REQUIRE(suggest_classes(classes, Geometry{}, large, 4)->too_large == 7);
}

TEST_CASE("the tail of a slab counts: an exact unit that leaves as much tail is not suggested") {
  SizeClasses classes;
  const uint32_t live[] = {128 * 1024};
  load(classes, Geometry{}, live);
  const SizeCount two_a_slab[] = {{100'000, 50}};  // two of 100,000 bytes in 256 KiB, as of 128 KiB
  REQUIRE(suggest_classes(classes, Geometry{}, two_a_slab, 4)->classes.empty());
  const SizeCount three_a_slab[] = {{80'000, 50}};
  const auto advice = suggest_classes(classes, Geometry{}, three_a_slab, 4);
  REQUIRE(advice->classes.size() == 1);
  REQUIRE(advice->classes[0].unit_bytes == 80'000);
  REQUIRE(advice->classes[0].waste_after == 50 * (87'382 - 80'000));  // 262,144 / 3, rounded up
}

TEST_CASE("records that lie in whole chunks cost those chunks, and a class that packs them closer is suggested") {
  SizeClasses classes;
  const Geometry g;  // chunks of 256 KiB
  const uint32_t live[] = {256 * 1024, 1024 * 1024};
  load(classes, g, live);
  const SizeCount two_chunks[] = {{524'288, 10}};
  REQUIRE(suggest_classes(classes, g, two_chunks, 4)->waste_before == 0);
  REQUIRE(suggest_classes(classes, g, two_chunks, 4)->classes.empty());
  const SizeCount odd[] = {{300'000, 10}};  // an extent of two chunks, not a unit of four
  const auto advice = suggest_classes(classes, g, odd, 4);
  REQUIRE(advice->waste_before == 10 * (524'288 - 300'000));
  REQUIRE(advice->classes.size() == 1);
  REQUIRE(advice->classes[0].unit_bytes == 300'000);
  REQUIRE(advice->waste_after * 100 < 3 * 10 * 524'288);
  const SizeCount beyond[] = {{1'048'577, 3}};
  REQUIRE(suggest_classes(classes, g, beyond, 4)->too_large == 3);
}

TEST_CASE("sizes of more than 32 chunks have no class of their own and stay in extents") {
  SizeClasses classes;
  const Geometry g = geometry_of(4096);
  const std::vector<uint64_t> words{live_class_word({64}, g), live_class_word({200 * 4096, 16, 200 * 4096}, g)};
  REQUIRE(classes.load(words, g).ok());
  const SizeCount histogram[] = {{30 * 4096 + 16, 5}, {150 * 4096 + 16, 5}};
  const auto advice = suggest_classes(classes, g, histogram, 4);
  REQUIRE(advice->records == 10);
  for (const SuggestedClass& c : advice->classes) REQUIRE(check_class_spec({c.unit_bytes}, g).ok());
  REQUIRE(advice->waste_after >= 5 * (4096 - 16));
}

TEST_CASE("a pool's retired classes hold nothing, so records of their size are worth a class") {
  SizeClasses classes;
  const uint32_t live[] = {144, 256};
  load(classes, Geometry{}, live);
  classes.store(0, with_class_state(live_class_word({144}, Geometry{}), ClassState::retired));
  const SizeCount histogram[] = {{144, 10}};
  const auto advice = suggest_classes(classes, Geometry{}, histogram, 1);
  REQUIRE(advice->classes.size() == 1);
  REQUIRE(advice->classes[0].unit_bytes == 144);
}

TEST_CASE("histograms beyond 2^62 bytes and more than 64 classes are refused, with the numbers") {
  SizeClasses classes;
  const uint32_t live[] = {256};
  load(classes, Geometry{}, live);
  const SizeCount huge[] = {{100, uint64_t{1} << 60}};
  REQUIRE(suggest_classes(classes, Geometry{}, huge, 4).status() == Code::limit);
  const SizeCount sum[] = {{100, uint64_t{1} << 52}, {101, uint64_t{1} << 52}, {102, uint64_t{1} << 52}};
  REQUIRE(suggest_classes(classes, Geometry{}, sum, 4).has_value());
  REQUIRE(suggest_classes(classes, Geometry{}, std::vector<SizeCount>(3, {100, uint64_t{1} << 52}), 4)
              .has_value());
  const SizeCount over[] = {{100, uint64_t{1} << 52}, {101, ~uint64_t{0}}};
  REQUIRE(suggest_classes(classes, Geometry{}, over, 4).status() == Code::limit);
  REQUIRE(suggest_classes(classes, Geometry{}, sum, 65).status() == Code::invalid_argument);
}

TEST_CASE("every size from 17 bytes to a chunk at once is worked out, and more classes never waste more") {
  const Geometry g;
  const auto words = default_class_words(g, {});
  SizeClasses classes;
  REQUIRE(classes.load(*words, g).ok());
  std::vector<SizeCount> histogram;
  for (uint64_t bytes = 17; bytes <= g.chunk_bytes; bytes += 16) histogram.push_back({bytes, 1 + bytes % 7});
  uint64_t last = ~uint64_t{0};
  for (uint32_t n : {0u, 1u, 2u, 4u}) {
    const auto advice = suggest_classes(classes, g, histogram, n);
    REQUIRE(advice.has_value());
    REQUIRE(advice->classes.size() == n);
    REQUIRE(advice->waste_after < last);
    last = advice->waste_after;
  }
}
