// Extents, slabs of several chunks, and what the heap reads when.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "alloc/heap_layout.h"
#include "tests/support/random.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

Geometry tiny_chunks() {
  Geometry g = small_geometry();
  g.chunk_bytes = 1024;
  g.lane_cells = 32;
  return g;
}

uint64_t chunk_word_of(Pool& pool, uint64_t chunk) {
  return pool.line(pool.layout().chunk_line_off(chunk))->words[pool.layout().chunk_word_idx(chunk)];
}

void set_chunk_word(Pool& pool, uint64_t chunk, uint64_t word) {
  const uint64_t off = pool.layout().chunk_line_off(chunk);
  GuardedLine* line = pool.line(off);
  line->words[pool.layout().chunk_word_idx(chunk)] = word;
  line->guard = make_guard(pool.salt(), off, line->words, guard_seq(line->guard));
}

uint32_t chunk_at(AnchoredPool& p, uint32_t word) { return p->layout().chunk_of(p.slot(word)); }

// Problems apart from the sizes of records, which differ here.
std::vector<std::string> problems_of(AnchoredPool& p) { return p.problems(1); }

}  // namespace

TEST_CASE("records of every size class come, change size in all directions, and go, across reopens") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form, formatted_image(512 * 1024, tiny_chunks()));
    std::map<uint32_t, std::pair<uint64_t, uint8_t>> model;
    Random random(form == CommitForm::strict ? 1 : 2);
    uint64_t full = 0, extents = 0;
    for (int round = 0; round < 3000; ++round) {
      const auto word = static_cast<uint32_t>(random.below(7));
      const uint64_t bytes = 8 + random.below(uint64_t{1} << (3 + random.below(16)));
      const auto fill = static_cast<uint8_t>(round);
      if (random.below(4) == 0 && model.contains(word)) {
        REQUIRE(p.remove(word).ok());
        model.erase(word);
      } else if (const Status s = p.put(word, bytes, fill); s.ok()) {
        model[word] = {bytes, fill};
        extents += chunk_word_is_extent(chunk_word_of(p.pool(), chunk_at(p, word)));
      } else {
        REQUIRE((s == Code::out_of_space || s == Code::too_large));
        ++full;
      }
      if (round % 100 == 99) {
        for (const auto& [w, record] : model) REQUIRE(p.record_holds(w, record.first, record.second));
        const auto problems = problems_of(p);
        INFO((problems.empty() ? "" : problems[0]));
        REQUIRE(problems.empty());
        REQUIRE(p.account().leaked_bytes == 0);
        if (random.below(2) == 0) p = AnchoredPool(form, p.image());  // as after a kill
      }
    }
    REQUIRE(extents > 200);
    REQUIRE(full > 0);
    for (const auto& [w, record] : model) REQUIRE(p.remove(w).ok());
    p->reclaim();
    REQUIRE(p.put(0, p->layout().chunk_count() * 1024 * 8 / 10, 1).ok());  // empty slabs went back to free chunks
    REQUIRE(problems_of(p).empty());
  }
}

TEST_CASE("an extent costs the fences of a small record and writes one word of metadata") {
  AnchoredPool p(CommitForm::one_fence, formatted_image(512 * 1024, tiny_chunks()));
  REQUIRE(p.put(0, 9000, 1).ok());
  const ImagePtr before = p.image()->clone();
  const uint64_t fences = p->domain().total_counters().fences, commits = p->stats().commits;
  REQUIRE(p.put(1, 9000, 2).ok());
  REQUIRE(p->domain().total_counters().fences == fences + 1);
  REQUIRE(p->stats().commits == commits + 1);
  const Zone zone = p->layout().zone(0);
  uint64_t changed = 0;
  for (uint64_t off = zone.meta_frame * 1024; off < zone.chunk_frame * 1024; off += 8)
    changed += *before->at<uint64_t>(off) != *p.image()->at<uint64_t>(off);
  REQUIRE(changed == 2);  // the word and the guard
  REQUIRE(chunk_word_of(p.pool(), chunk_at(p, 1)) == make_extent_word(9));
}

TEST_CASE("a record above 64 KiB makes its commit strict; one of 64 KiB does not") {
  AnchoredPool p(CommitForm::one_fence, formatted_image(1 << 20, tiny_chunks()));
  const uint64_t strict = p->stats().strict_commits;  // of the anchor and its slab
  REQUIRE(p.put(0, 64 * 1024, 1).ok());
  REQUIRE(p->stats().strict_commits == strict);
  REQUIRE(p.put(0, 64 * 1024 + 1, 2).ok());
  REQUIRE(p->stats().strict_commits == strict + 1);
}

TEST_CASE("an extent that is reserved and given up leaves no trace, and its chunks are handed out again") {
  AnchoredPool p(CommitForm::strict, formatted_image(128 * 1024, tiny_chunks()));
  REQUIRE(p.put(0, 100, 1).ok());
  const ImagePtr before = p.image()->clone();
  std::set<uint64_t> offs;
  for (int i = 0; i < 5; ++i) {
    Commit c(p.pool());
    REQUIRE(c.begin().ok());
    uint64_t a, b;
    REQUIRE(c.allocate(40 * 1024, UnitUse::record, a).ok());
    REQUIRE(c.allocate(30 * 1024, UnitUse::record, b).ok());
    offs.insert(a);
    offs.insert(b);
  }
  REQUIRE(offs.size() == 2);
  REQUIRE(p.image()->same_as(*before));
}

TEST_CASE("the chunks of a freed extent rest for two epochs") {
  AnchoredPool p(CommitForm::one_fence, formatted_image(128 * 1024, tiny_chunks()));
  REQUIRE(p.put(0, 20000, 1).ok());
  const uint64_t first = p.slot(0);
  REQUIRE(p.remove(0).ok());
  REQUIRE(p->limbo_count() == 1);
  REQUIRE(p.put(1, 20000, 2).ok());
  REQUIRE(p.slot(1) != first);
  REQUIRE(p->advance(false));
  REQUIRE(p.put(2, 20000, 3).ok());
  REQUIRE(p.slot(2) != first);
  REQUIRE(p->advance(false));
  REQUIRE(p.put(3, 20000, 4).ok());
  REQUIRE(p.slot(3) == first);
}

TEST_CASE("a plan to free an extent that another commit freed meanwhile fails when it is published, not before") {
  AnchoredPool p(CommitForm::strict, formatted_image(128 * 1024, tiny_chunks()));
  REQUIRE(p.put(0, 20000, 1).ok());
  const uint64_t off = p.slot(0);
  Commit late(p.pool());
  Pool::prefer_lane(1);
  REQUIRE(late.begin().ok());
  Pool::prefer_lane(0);
  REQUIRE(late.free(off, UnitUse::record).ok());
  REQUIRE(p.remove(0).ok());
  REQUIRE(late.lock({}, 0, 0).ok());
  REQUIRE(late.publish() == Code::corruption);
  late.unlock();
  REQUIRE(late.free(off, UnitUse::record).ok());  // its chunks are not free for others yet, for the pin
  REQUIRE(late.lock({}, 0, 0).ok());
  REQUIRE(late.publish() == Code::corruption);
  late.unlock();
  REQUIRE(late.free(off + 1024, UnitUse::record).ok());
  REQUIRE(late.free(off + 16, UnitUse::record) == Code::corruption);
  Pool::prefer_lane(-1);
}

TEST_CASE("an extent that is freed before the cursor comes by is not handed out twice, nor lost") {
  const ImagePtr image = formatted_image(1 << 20, tiny_chunks());
  {
    AnchoredPool p(CommitForm::strict, image);
    for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, 100 * 1024, 1).ok());
  }
  for (int order = 0; order < 3; ++order) {
    AnchoredPool p(CommitForm::strict, image->clone());
    const uint64_t off = p.slot(3);
    REQUIRE(p->heap().work().words_read == 0);
    REQUIRE(p.remove(3).ok());
    REQUIRE(p->heap().work().words_read == 0);
    if (order == 1) REQUIRE(p->heap().load_some().value());  // the cursor comes by while the chunks wait in limbo
    if (order == 2) p->reclaim();                             // they come back before the cursor comes by
    std::set<uint32_t> chunks;
    UnitRef unit;
    while (p->heap().reserve_extent(1, unit).ok()) REQUIRE(chunks.insert(unit.unit).second);
    REQUIRE(chunks.contains(static_cast<uint32_t>(off / 1024)) == (order == 2));
    p->reclaim();
    while (p->heap().reserve_extent(1, unit).ok()) REQUIRE(chunks.insert(unit.unit).second);
    for (uint32_t i = 0; i < 100; ++i) REQUIRE(chunks.contains(static_cast<uint32_t>(off / 1024 + i)));
    for (uint32_t w = 0; w < 7; ++w)
      if (w != 3) REQUIRE_FALSE(chunks.contains(chunk_at(p, w)));
  }
}

TEST_CASE("open reads no chunk word and no bitmap, and a put after it reads a bounded number") {
  constexpr uint32_t kSlabs = 9000;
  const ImagePtr image = formatted_image(64 << 20);
  uint64_t expected_free = 0;
  {  // thousands of full slabs, made by hand: bitmaps full, words naming their class
    AnchoredPool p(CommitForm::strict, image);
    REQUIRE(p->quiesce().ok());  // else recovery would find lines that no log record explains
    const uint32_t id = p->heap().classes().class_for(100, 16);
    const uint32_t units = p->heap().classes()[id].units_per_slab;
    const Zone zone = p->layout().zone(0);
    for (uint32_t i = 1; i <= kSlabs; ++i) {
      const uint64_t off = p->layout().bitmap_line_off(zone.chunk_frame + i, 0);
      GuardedLine* line = p->line(off);
      std::fill_n(line->words, 7, 0);
      for (uint32_t u = 0; u < units; ++u) line->words[u / 64] |= uint64_t{1} << u % 64;
      line->guard = make_guard(p->salt(), off, line->words, 1);
      set_chunk_word(p.pool(), zone.chunk_frame + i, make_slab_word(static_cast<uint16_t>(id)));
    }
    expected_free = zone.capacity - kSlabs - 1;
  }
  AnchoredPool p(CommitForm::strict, image);
  REQUIRE(p->heap().work().words_read == 0);
  REQUIRE(p->heap().work().slabs_loaded == 0);
  REQUIRE(p.put(0, 100, 1).ok());
  REQUIRE(p->heap().work().slabs_loaded <= 3 * Heap::kLoadsWhileFree);
  REQUIRE(p->heap().work().words_read >= kSlabs);  // no free chunk comes before: the cursor has to go there
  REQUIRE(p.put(1, 200, 1).ok());                  // another class: a free chunk, nothing more to read
  REQUIRE(p->heap().work().slabs_loaded <= 3 * Heap::kLoadsWhileFree);
  UnitRef unit;
  const uint64_t in_the_middle = p->layout().chunk_off(p->layout().zone(0).chunk_frame + 5000) + 112 * 3;
  const uint64_t loaded = p->heap().work().slabs_loaded;
  REQUIRE(p->heap().locate(in_the_middle, unit).ok());
  REQUIRE(p->heap().work().slabs_loaded == loaded + 1);
  uint64_t steps = 0;
  while (p->heap().load_some().value()) ++steps;
  REQUIRE(steps >= kSlabs - 3 * Heap::kLoadsWhileFree - 1);
  REQUIRE(p->heap().work().slabs_loaded == kSlabs + 1);  // and that of the anchor
  REQUIRE(p->heap().free_chunks_known() == expected_free - 2);
}

TEST_CASE("one step of the cursor reads a few thousand words at most") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 << 20));
  p = AnchoredPool(CommitForm::strict, p.image());
  uint64_t before = p->heap().work().words_read;
  while (p->heap().load_some().value()) {
    REQUIRE(p->heap().work().words_read - before <= Heap::kScanChunks);
    before = p->heap().work().words_read;
  }
  REQUIRE(before > 3 * Heap::kScanChunks);
}

TEST_CASE("slabs of several chunks: units anywhere in them are located after a reopen, and all come back") {
  const ClassSpec classes[] = {{64, 64}, {1600, 16, 8 * 1024}, {3000 - 8, 16}};
  const ImagePtr image = make_image(256 * 1024);
  {
    ImageDomain domain(image);
    REQUIRE(format_pool(
                domain, {.geometry = tiny_chunks(), .classes = classes, .identity_lo = 1, .identity_hi = 2})
                .ok());
  }
  AnchoredPool p(CommitForm::strict, image);
  for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, w < 5 ? 1600 : 2990, static_cast<uint8_t>(w)).ok());
  REQUIRE(chunk_word_is_slab(chunk_word_of(p.pool(), p->layout().chunk_of(p.slot(0)))));
  REQUIRE(problems_of(p).empty());
  for (uint32_t w : {6, 4, 0, 5, 1, 2, 3}) {  // each is the first to be touched after a reopen
    p = AnchoredPool(CommitForm::strict, image);
    UnitRef unit;
    for (uint32_t v = 0; v < 7; ++v) {
      if (p.slot(v) == 0) continue;
      REQUIRE(p.record_holds(v, v < 5 ? 1600 : 2990, static_cast<uint8_t>(v)));
      REQUIRE(p->heap().locate(p.slot(v), unit).ok());
      REQUIRE(unit.off() == p.slot(v));
      REQUIRE(p->heap().locate(p.slot(v) + 16, unit) == Code::corruption);
    }
    REQUIRE(p.remove(w).ok());
    REQUIRE(problems_of(p).empty());
  }
  p->reclaim();
  uint64_t freed = 0;
  Commit c(p.pool());
  REQUIRE(c.begin().ok());
  REQUIRE(c.free_empty_slabs(0, freed).ok());
  REQUIRE(freed > 8);
}

TEST_CASE("a slab of several chunks that would be much of a small pool is not made: an extent holds the record") {
  AnchoredPool p(CommitForm::strict, formatted_image(48 * 1024, tiny_chunks()));
  REQUIRE(p->layout().chunk_count() < 36);
  REQUIRE(p.put(0, 1150, 1).ok());
  REQUIRE(chunk_word_of(p.pool(), chunk_at(p, 0)) == make_extent_word(2));
}

TEST_CASE("an empty slab of several chunks serves small records when the pool is full") {
  AnchoredPool p(CommitForm::strict, formatted_image(96 * 1024, tiny_chunks()));
  REQUIRE(p.put(0, 1150, 1).ok());
  const uint64_t slab = p.slot(0) / 1024;
  REQUIRE(chunk_word_is_slab(chunk_word_of(p.pool(), slab)));
  REQUIRE(p.remove(0).ok());
  p->reclaim();
  UnitRef unit;
  while (p->heap().reserve_extent(1, unit).ok()) continue;  // nothing else is left
  for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, 100 * (w + 1), 1).ok());
  REQUIRE_FALSE(chunk_word_of(p.pool(), slab) == 0);
  REQUIRE(problems_of(p).empty());
  REQUIRE(p.put(0, 3000, 1) == Code::out_of_space);
}

TEST_CASE("slabs that come and go leave no mirrors behind") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 * 1024, tiny_chunks()));
  for (int round = 0; round < 300; ++round) {
    for (uint32_t w = 0; w < 6; ++w) REQUIRE(p.put(w, 900 - 100 * w, 1).ok());
    for (uint32_t w = 0; w < 6; ++w) REQUIRE(p.remove(w).ok());
    p->reclaim();
    const uint64_t free = p->heap().free_chunks_known();
    REQUIRE(p.put(6, 33 * 1024, 2).ok());  // takes back what the slabs had
    REQUIRE(free < 33);
    REQUIRE(p.remove(6).ok());
    p->reclaim();
  }
  REQUIRE(p->heap().work().slabs_retired <= 12);
  REQUIRE(problems_of(p).empty());
}

TEST_CASE("the free tail is found, taken out, given back, and cut off and grown again") {
  AnchoredPool p(CommitForm::strict, formatted_image(256 * 1024));
  REQUIRE(p.put(0, 100, 1).ok());
  REQUIRE(p.put(1, 5000, 2).ok());  // the tail is behind these
  Layout& layout = p->growing_layout();
  const uint32_t tail = p->heap().free_tail().value();
  REQUIRE(tail > 40);
  REQUIRE(tail < layout.chunk_count());
  REQUIRE_FALSE(p->heap().take_tail(tail + 1));
  REQUIRE(p->heap().take_tail(10));
  REQUIRE(p->heap().free_tail().value() == 0);
  const uint64_t known = p->heap().free_chunks_known();
  p->heap().give_tail(10);
  REQUIRE(p->heap().free_tail().value() == tail);
  REQUIRE(p->heap().take_tail(10));
  const uint64_t bytes = layout.chunk_off(layout.zone(0).chunk_frame + layout.chunks_in(0) - 10);
  {
    Commit c(p.pool());
    REQUIRE(c.begin().ok());
    REQUIRE(c.lock(kRootsLines, 2, 2).ok());
    for (uint64_t off : kRootsLines) c.set_word(off, kPoolBytesWord, bytes);
    REQUIRE(c.publish([&] {
                layout.set_pool_bytes(bytes);
                p->heap().tail_cut();
              }).ok());
  }
  REQUIRE(p->heap().free_chunks_known() == known);
  REQUIRE(p->heap().free_tail().value() == tail - 10);
  REQUIRE(problems_of(p).empty());
  REQUIRE(p->advance(true));
  REQUIRE(p.grow(0, 4).ok());
  REQUIRE(p->heap().free_tail().value() == tail - 6);
  REQUIRE(p.put(2, (tail - 6) * 4096, 3).ok());
  REQUIRE(problems_of(p).empty());
  REQUIRE(p.account().free_chunk_bytes == 0);
}

TEST_CASE("a value finds its run in a zone that is large enough, whatever zones come before") {
  AnchoredPool p(CommitForm::one_fence, formatted_image(1 << 20, small_geometry(), 64 * 1024));
  REQUIRE(p.put(0, 100, 1).ok());
  REQUIRE(p.put(1, 100 * 1024, 1) == Code::too_large);
  REQUIRE(p.grow(40, 20).ok());
  REQUIRE(p.put(1, 100 * 1024, 1) == Code::too_large);
  REQUIRE(p.grow(0, 20).ok());
  REQUIRE(p.put(1, 100 * 1024, 1).ok());
  REQUIRE(p.grow(100, 60).ok());
  REQUIRE(p.put(2, 240 * 1024, 2).ok());
  REQUIRE(p.put(3, 200 * 1024, 2) == Code::out_of_space);
  p = AnchoredPool(CommitForm::one_fence, p.image());
  REQUIRE(p.record_holds(1, 100 * 1024, 1));
  REQUIRE(p.record_holds(2, 240 * 1024, 2));
  REQUIRE(problems_of(p).empty());
}

TEST_CASE("chunk words of hostile images end in corruption or in service, in bounded time and memory") {
  const ImagePtr good = formatted_image(256 * 1024);
  {
    AnchoredPool p(CommitForm::strict, good);
    REQUIRE(p.put(0, 100, 1).ok());
    REQUIRE(p.put(1, 20000, 1).ok());
    REQUIRE(p.put(2, 3000, 1).ok());
  }
  const uint16_t many = [&] {
    AnchoredPool p(CommitForm::strict, good->clone());
    return static_cast<uint16_t>(p->heap().classes().class_for(16384, 16));  // slabs of several chunks
  }();
  uint64_t refused = 0, served = 0;
  const uint64_t words[] = {make_extent_word(0), make_extent_word(1), make_extent_word(3), make_extent_word(61),
                            make_extent_word(~uint32_t{0}), make_extent_word(5) | uint64_t{1} << 40,
                            make_slab_word(many), make_slab_word(447), make_slab_word(0xffff), make_slab_word(0),
                            make_slab_word(0) & ~kBitmapWritten, uint64_t{3} << 56, ~uint64_t{0}, kBitmapWritten, 1};
  for (uint64_t chunk = 0; chunk < 60; ++chunk)
    for (uint64_t word : words) {
      AnchoredPool p(CommitForm::strict, good->clone());
      set_chunk_word(p.pool(), p->layout().zone(0).chunk_frame + chunk % p->layout().chunk_count(), word);
      const auto try_all = [&] {
        NACRE_TRY(p.put(3, 100, 2));
        NACRE_TRY(p.put(4, 30000, 2));
        NACRE_TRY(p.put(1, 8000, 3));
        NACRE_TRY(p.remove(0));
        NACRE_TRY(p.remove(2));
        p->reclaim();
        for (uint32_t w = 0; w < 20; ++w) NACRE_TRY(p.put(5, 4096 * (1 + w % 3), 3));
        return p.put(6, 4096 * 30, 3);
      };
      const Status s = try_all();
      REQUIRE((s.ok() || s == Code::corruption || s == Code::out_of_space));
      ++(s == Code::corruption ? refused : served);
      if (const auto usage = p->heap().usage(); !usage) REQUIRE(usage.status() == Code::corruption);
      (void)problems_of(p);
    }
  REQUIRE(refused > 100);
  REQUIRE(served > 100);
}

TEST_CASE("damaged lines, and bits of units that do not exist, are corruption when they are needed and not before") {
  const ImagePtr good = formatted_image(256 * 1024);
  {
    AnchoredPool p(CommitForm::strict, good);
    REQUIRE(p.put(0, 100, 1).ok());
    REQUIRE(p.put(1, 20000, 1).ok());
  }
  const auto after = [&](auto damage) {
    AnchoredPool p(CommitForm::strict, good->clone());
    damage(p);
    return p.remove(0);
  };
  const auto bitmap_of = [](AnchoredPool& p) { return p->layout().bitmap_line_off(chunk_at(p, 0), 0); };
  REQUIRE(after([](AnchoredPool&) {}).ok());
  REQUIRE(after([&](AnchoredPool& p) { p->line(bitmap_of(p))->words[3] ^= 1; }) == Code::corruption);
  REQUIRE(after([&](AnchoredPool& p) {
            const uint64_t off = bitmap_of(p);
            p->line(off)->words[0] |= uint64_t{1} << 4096 / 112;
            p->line(off)->guard = make_guard(p->salt(), off, p->line(off)->words, 9);
          }) == Code::corruption);
  const auto spoil_table = [](AnchoredPool& p, uint32_t w) {
    p->line(p->layout().chunk_line_off(chunk_at(p, w)))->words[6] ^= 1;
  };
  REQUIRE(after([&](AnchoredPool& p) { spoil_table(p, 0); }) == Code::corruption);
  AnchoredPool p(CommitForm::strict, good->clone());
  p->line(p->layout().chunk_line_off(p->layout().zone(0).end_frame() - 1))->words[6] ^= 1;  // far away
  REQUIRE(p.remove(0).ok());
  REQUIRE(p.remove(1).ok());
  REQUIRE(p.put(2, 100, 1).ok());                  // in the slab that was loaded
  REQUIRE(p.put(2, 900, 1) == Code::corruption);  // the cursor reads all of so small a table in one step
}

TEST_CASE("heads that overlap are found: by the cursor, by the check") {
  AnchoredPool p(CommitForm::strict, formatted_image(256 * 1024));
  REQUIRE(p.put(1, 20000, 1).ok());
  const uint32_t chunk = chunk_at(p, 1);
  for (const uint64_t word : {make_extent_word(1), make_slab_word(0)}) {
    set_chunk_word(p.pool(), chunk + 2, word);
    const auto problems = problems_of(p);
    REQUIRE_FALSE(problems.empty());
    REQUIRE(problems[0].find("its own table word says otherwise") != std::string::npos);
    AnchoredPool again(CommitForm::strict, p.image()->clone());
    REQUIRE(again.put(2, 100, 1) == Code::corruption);
  }
}

TEST_CASE("the check finds an extent that nothing leads to, that two lead to, and references into one") {
  AnchoredPool p(CommitForm::strict, formatted_image(256 * 1024));
  REQUIRE(p.put(1, 20000, 1).ok());
  const uint64_t off = p.slot(1);
  HeapCheck check(p.pool());
  REQUIRE_FALSE(check.mark(off + 4096, 10, "record"));
  REQUIRE_FALSE(check.mark(off + 16, 10, "record"));
  REQUIRE_FALSE(check.mark(off, 5 * 4096 + 1, "record"));
  REQUIRE(check.mark(p.anchor(), 64, "anchor"));
  check.finish();
  REQUIRE(check.account().leaked_units == 1);
  REQUIRE(check.account().leaked_bytes == 5 * 4096);
  REQUIRE(check.account().sum() == check.account().pool_bytes);
  REQUIRE(check.mark(off, 5 * 4096, "record"));
  REQUIRE_FALSE(check.mark(off, 5 * 4096, "record"));
}
