// The check: it finds what is wrong, names it, and finds nothing where nothing is.
#include <catch2/catch.hpp>

#include "alloc/heap_layout.h"
#include "alloc/lane_layout.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

void reseal(Pool& pool, uint64_t line_off) {
  GuardedLine* line = pool.line(line_off);
  line->guard = make_guard(pool.salt(), line_off, line->words, guard_seq(line->guard));
}

bool mentions(const std::vector<std::string>& problems, const char* text) {
  return std::any_of(problems.begin(), problems.end(),
                     [&](const std::string& p) { return p.find(text) != std::string::npos; });
}

// The bitmap line and bit of the unit that starts at `off`.
BitRef bit_at(Pool& pool, uint64_t off) {
  UnitRef unit;
  REQUIRE(pool.heap().locate(off, unit).ok());
  return pool.heap().bit_of(unit);
}

}  // namespace

TEST_CASE("a sound pool has no problems, and its bytes add up") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form);
    REQUIRE(p.problems(100).empty());
    for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, 100, 1).ok());
    REQUIRE(p.problems(100).empty());
    REQUIRE(p.account().live_units == 8);
    REQUIRE(p.account().live_bytes == 7 * 112 + 64);
    REQUIRE(p.account().leaked_bytes == 0);
    for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.remove(w).ok());
    REQUIRE(p.problems(100).empty());
    REQUIRE(p.account().live_units == 1);
  }
}

TEST_CASE("the check finds a leaked unit and says how large it is") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  GuardedLine* anchor = p->line(p.anchor());
  anchor->words[0] = 0;
  reseal(p.pool(), p.anchor());
  const auto problems = p.problems(100);
  REQUIRE(problems.size() == 1);
  REQUIRE(mentions(problems, "reached from nowhere"));
  REQUIRE(p.account().leaked_units == 1);
  REQUIRE(p.account().leaked_bytes == 112);
}

TEST_CASE("the check finds a unit that is reachable from two places") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  p->line(p.anchor())->words[3] = p.slot(0);
  reseal(p.pool(), p.anchor());
  const auto problems = p.problems(100);
  REQUIRE(problems.size() == 1);
  REQUIRE(mentions(problems, "from two places"));
}

TEST_CASE("the check finds a unit that is reachable but free") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  const BitRef bit = bit_at(p.pool(), p.slot(0));
  p->line(bit.line_off)->words[bit.word()] &= ~bit.mask();
  reseal(p.pool(), bit.line_off);
  const auto problems = p.problems(100);
  REQUIRE(problems.size() == 1);
  REQUIRE(mentions(problems, "its unit is free"));
}

TEST_CASE("the check finds references into units, into no slab, and records longer than their unit") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  const uint64_t off = p.slot(0);
  HeapCheck check(p.pool());
  REQUIRE_FALSE(check.mark(off + 16, 10, "record"));
  REQUIRE_FALSE(check.mark(64, 10, "record"));
  REQUIRE_FALSE(check.mark(p->layout().pool_bytes(), 10, "record"));
  REQUIRE_FALSE(check.mark(~uint64_t{0}, 10, "record"));
  REQUIRE_FALSE(check.mark(off, 113, "record"));
  REQUIRE(check.problem_count() == 5);
  REQUIRE(check.mark(off, 112, "record"));
}

TEST_CASE("every line of metadata that is damaged by one bit is found, wherever it is") {
  AnchoredPool p;
  for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, 100, 1).ok());
  const Layout& l = p->layout();
  uint64_t missed = 0, tried = 0;
  const auto damage = [&](uint64_t off) {
    *p.image()->at<uint64_t>(off) ^= 1u << 17;
    missed += p.problems(100).empty();
    *p.image()->at<uint64_t>(off) ^= 1u << 17;
    ++tried;
  };
  for (uint64_t off = 0; off < kLaneAreaOff; off += 8) damage(off);
  for (uint64_t lane = 0; lane < 2; ++lane)
    for (uint64_t w = 0; w < 8; ++w) damage(l.lane_header_off(lane) + w * 8);
  const Zone zone = l.zone(0);
  for (uint64_t i = 0; i < zone.capacity; ++i) {
    const ChunkPlace place = l.place_in(zone, i);
    const bool written = chunk_word_bitmap(p->line(place.line_off)->words[place.word]);
    for (uint64_t w = 0; w < 8; ++w) {
      if (place.word == 0) damage(place.line_off + w * 8);
      if (written) damage(place.bitmap_off + w * 8);
    }
  }
  REQUIRE(missed == 0);
  REQUIRE(tried > 2000);
  REQUIRE(p.problems(100).empty());
}

TEST_CASE("chunk words that make no sense, and bits beyond a slab's units, are found") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  const Layout& l = p->layout();
  const uint64_t chunk = l.chunk_of(p.slot(0));
  GuardedLine* table = p->line(l.chunk_line_off(chunk));
  const uint64_t good = table->words[l.chunk_word_idx(chunk)];
  for (const uint64_t bad : {good | uint64_t{1} << 20, uint64_t{7} << 56 | 1, make_slab_word(447),
                             good & ~kBitmapWritten, uint64_t{1}}) {
    table->words[l.chunk_word_idx(chunk)] = bad;
    reseal(p.pool(), l.chunk_line_off(chunk));
    REQUIRE(mentions(p.problems(100), "names no known state or class"));
  }
  table->words[l.chunk_word_idx(chunk)] = good;
  reseal(p.pool(), l.chunk_line_off(chunk));
  REQUIRE(p.problems(100).empty());
  GuardedLine* bitmap = p->line(l.bitmap_line_off(chunk, 0));
  bitmap->words[6] |= 1;
  reseal(p.pool(), l.bitmap_line_off(chunk, 0));
  REQUIRE(mentions(p.problems(100), "do not exist"));
  bitmap->words[6] = 0;
  reseal(p.pool(), l.bitmap_line_off(chunk, 0));
  const uint64_t last = l.zone(0).end_frame() - 1;  // free; its bitmap was never written, and so is not looked at
  GuardedLine* free_bitmap = p->line(l.bitmap_line_off(last, 0));
  free_bitmap->words[0] = 1;
  REQUIRE(p.problems(100).empty());
  p->line(l.chunk_line_off(last))->words[l.chunk_word_idx(last)] = kBitmapWritten;
  reseal(p.pool(), l.chunk_line_off(last));
  REQUIRE(mentions(p.problems(100), "fails its check"));
  reseal(p.pool(), l.bitmap_line_off(last, 0));
  REQUIRE(mentions(p.problems(100), "is no slab but its bitmap is not empty"));
}

TEST_CASE("at most 100 problems are kept, all are counted") {
  AnchoredPool p;
  HeapCheck check(p.pool());
  for (int i = 0; i < 250; ++i) check.problem("number %d", i);
  REQUIRE(check.problem_count() == 250);
  REQUIRE(check.problems().size() == HeapCheck::kMaxProblems);
}

TEST_CASE("the check never writes") {
  AnchoredPool p;
  for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, 100, 1).ok());
  p->line(p->layout().bitmap_line_off(p->layout().zone(0).chunk_frame, 0))->words[2] ^= 1;
  const ImagePtr before = p.image()->clone();
  REQUIRE_FALSE(p.problems(100).empty());
  REQUIRE(p.image()->same_as(*before));
}
