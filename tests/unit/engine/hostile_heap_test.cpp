// Images whose heap metadata says nonsense behind good checks: every call answers, in bounded time and memory.
#include <catch2/catch.hpp>

#include "alloc/geometry.h"
#include "alloc/guarded_line.h"
#include "alloc/heap_layout.h"
#include "alloc/pool.h"
#include "tests/support/db_fixture.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::test;

namespace {

struct Lines {
  std::vector<uint64_t> offs;
  alloc::Salt salt = 0;
};

// All lines that belong to the heap, of a pool that was closed.
Lines heap_lines(const ImagePtr& image, const DbSpec& spec) {
  const auto db = open_db(image->clone(), spec);
  const alloc::Layout& l = db->pool().layout();
  Lines lines;
  lines.salt = db->pool().salt();
  for (uint64_t off = alloc::kClassTableOff; off < alloc::kLaneAreaOff; off += kLineBytes) lines.offs.push_back(off);
  for (uint64_t n = 0; n < 8; ++n)  // half of the draws hit the tables of chunks and their bitmaps
    for (uint64_t off = l.zones_off; off < l.chunk_off(l.zone(0).chunk_frame); off += kLineBytes)
      lines.offs.push_back(off);
  return lines;
}

uint64_t strange_word(Random& random, uint64_t old) {
  switch (random.below(8)) {
    case 0: return 0;
    case 1: return ~uint64_t{0};
    case 2: return old ^ uint64_t{1} << random.below(64);
    case 3: return alloc::make_extent_word(static_cast<uint32_t>(random.below(200)));
    case 4: return alloc::make_slab_word(static_cast<uint16_t>(random.below(80)));
    case 5: return old + 1;
    case 6: return random.below(300);
    default: return random.below(~uint64_t{0});
  }
}

uint64_t g_answers[32];

void note(Status s) {
  const bool expected = s.ok() || s == Code::corruption || s == Code::not_found || s == Code::out_of_space ||
                        s == Code::too_large || s == Code::read_only;
  if (!expected) FAIL(std::string(s.name()) + ": " + last_message());
  ++g_answers[static_cast<size_t>(s.code())];
}

void use(engine::Db& db, Random& random) {
  const auto table = db.default_table();
  for (int i = 0; i < 60; ++i) {
    const std::string key = "k" + std::to_string(random.below(40));
    switch (random.below(6)) {
      case 0: note(table->remove(key)); break;
      case 1: note(table->get(key, [](std::string_view) {})); break;
      case 2: db.pool().reclaim(); break;
      case 3: note(table->put(key, std::string(random.below(30000), 'y'))); break;
      default: note(table->put(key, std::string(random.below(900), 'x')));
    }
  }
  note(db.info().status());
  note(db.check().status());
  note(db.close());
}

}  // namespace

TEST_CASE("words of class table, zone table, chunk table and bitmaps of any content with good checks are survived") {
  const alloc::Geometry g = shrunk_geometry();
  for (const bool one_fence : {false, true}) {
    const DbSpec spec{.one_fence = one_fence, .geometry = &g};
    const ImagePtr good = make_image(384 * 1024);
    {
      const auto db = make_db(good, spec);
      for (int i = 0; i < 40; ++i)
        REQUIRE(db->default_table()->put("k" + std::to_string(i), std::string(i % 8 == 0 ? 9000 : 20 * i, 'v')).ok());
      REQUIRE(db->close().ok());
    }
    const Lines lines = heap_lines(good, spec);
    for (uint64_t seed = 1; seed <= 1500; ++seed) {
      Random random(seed * 2 + one_fence);
      const ImagePtr image = good->clone();
      for (uint64_t n = 1 + random.below(3); n > 0; --n) {
        const uint64_t off = lines.offs[random.below(lines.offs.size())];
        auto* line = image->at<alloc::GuardedLine>(off);
        uint64_t& word = line->words[random.below(alloc::kLineWords)];
        word = strange_word(random, word);
        line->guard = alloc::make_guard(lines.salt, off, line->words, 1 + alloc::guard_seq(line->guard));
      }
      auto db = try_open(image, spec);
      INFO("seed " << seed);
      note(db.status());
      if (db) use(**db, random);
    }
  }
  REQUIRE(g_answers[static_cast<size_t>(Code::ok)] > 10'000);
  REQUIRE(g_answers[static_cast<size_t>(Code::corruption)] > 1000);
}
