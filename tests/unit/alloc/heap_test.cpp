// Size classes, slabs, the volatile heap and epochs.
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "alloc/epoch.h"
#include "alloc/size_class.h"
#include "tests/support/random.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

struct DefaultClasses : SizeClasses {
  explicit DefaultClasses(const Geometry& g, std::span<const ClassSpec> extra = {}) {
    auto words = default_class_words(g, extra);
    REQUIRE(words.has_value());
    REQUIRE(load(*words, g).ok());
  }
};

}  // namespace

TEST_CASE(
    "the default classes cover every size up to a chunk, waste under 16 bytes to 256 and about 12.5 % "
    "above") {
  for (uint32_t chunk : {2048u, 4096u, 64u * 1024, 256u * 1024, 1024u * 1024}) {
    Geometry g;
    g.chunk_bytes = chunk;
    const DefaultClasses classes(g);
    std::set<uint32_t> sizes;
    for (uint32_t id = 0; id < classes.count(); ++id) {
      REQUIRE(sizes.insert(classes[id].unit_bytes).second);
      REQUIRE(classes[id].unit_bytes % 16 == 0);
      const uint64_t slab_bytes = uint64_t{classes[id].slab_chunks} * chunk;
      REQUIRE(classes[id].units_per_slab == slab_bytes / classes[id].unit_bytes);
      if (classes[id].unit_bytes <= chunk)
        REQUIRE(classes[id].slab_chunks == 1);
      else
        REQUIRE(slab_bytes % classes[id].unit_bytes * 100 < 3 * slab_bytes);
    }
    REQUIRE(classes.largest_unit_bytes() > chunk * 7 / 2);
    for (uint64_t bytes = chunk; bytes <= classes.largest_unit_bytes(); bytes += 16)
      REQUIRE(classes[classes.class_for(bytes, kUnitAlign)].unit_bytes * 7 <= bytes * 8 + 1024);
    uint64_t bad = 0, worst_permille = 0;
    for (uint64_t bytes = 1; bytes <= chunk; ++bytes) {
      const uint32_t id = classes.class_for(bytes, kUnitAlign);
      if (id == kMaxClasses || classes[id].unit_bytes < bytes) {
        ++bad;
        continue;
      }
      const uint64_t unit = classes[id].unit_bytes;
      if (id > 0)
        bad += classes[id - 1].unit_bytes >= bytes;  // ascending, so the one before must be too small
      if (bytes >= 17 && bytes <= 256) bad += unit - bytes >= 16;
      if (bytes > 2048 && chunk / bytes < 18) continue;  // large fractions of a chunk are far apart
      if (bytes > 256 && unit > bytes + 16)
        worst_permille = std::max(worst_permille, (unit - 16 - bytes) * 1000 / unit);
    }
    INFO("chunk of " << chunk);
    REQUIRE(bad == 0);
    REQUIRE(worst_permille <= 145);  // 21 parts of a chunk follow on 24: one part in seven
    REQUIRE(classes.class_for(4 * chunk + 1, kUnitAlign) == kMaxClasses);
    REQUIRE(classes.class_for(~uint64_t{0}, kUnitAlign) == kMaxClasses);
  }
}

TEST_CASE(
    "the table of class look-ups says what a search says, with classes in any order, doubled, retired and absent") {
  const Geometry geometry;
  test::Random random{7};
  for (int round = 0; round < 200; ++round) {
    std::vector<uint64_t> words(random.below(40));
    for (uint64_t& word : words) {
      const auto unit = static_cast<uint32_t>(kMinUnitBytes + random.below(round % 2 == 0 ? 32 : 400) * kUnitAlign);
      word = live_class_word({unit}, geometry);
      if (const uint64_t kind = random.below(4); kind < 2)
        word = kind == 0 ? 0 : with_class_state(word, ClassState::retired);
    }
    SizeClasses classes;
    REQUIRE(classes.load(words, geometry).ok());
    uint64_t different = 0;
    for (uint64_t bytes = 0; bytes <= 8192; ++bytes)
      different += classes.class_for(bytes, kUnitAlign) != classes.class_for_without(bytes, kUnitAlign, kMaxClasses);
    REQUIRE(different == 0);
  }
}

TEST_CASE("the fractions of a chunk leave no slab tail of a whole 16 bytes per unit") {
  const DefaultClasses classes(Geometry{});
  for (uint32_t id = 0; id < classes.count(); ++id) {
    if (classes[id].unit_bytes <= 2048 || classes[id].unit_bytes > 256 * 1024) continue;
    REQUIRE(256 * 1024 - classes[id].units_per_slab * classes[id].unit_bytes <
            classes[id].units_per_slab * 16);
  }
}

TEST_CASE("further classes are merged: exact sizes, the strongest alignment, bad ones refused") {
  const ClassSpec extra[] = {{1088, 64}, {48, 16}, {16384, 64}, {128, 64}};
  const DefaultClasses classes(Geometry{}, extra);
  REQUIRE(classes[classes.class_for(1088, 64)].unit_bytes == 1088);
  REQUIRE(classes[classes.class_for(1088, 64)].align == 64);
  REQUIRE(classes[classes.class_for(100, 64)].unit_bytes == 128);
  REQUIRE(classes[classes.class_for(100, 16)].unit_bytes == 112);
  for (const ClassSpec bad : {ClassSpec{16}, ClassSpec{40}, ClassSpec{1u << 31}, ClassSpec{64, 48},
                              ClassSpec{64, 8}, ClassSpec{8192, 8192}, ClassSpec{96, 64},
                              ClassSpec{1u << 20, 16, 3 << 18}, ClassSpec{64, 16, 1 << 20}, ClassSpec{64, 16, 1000},
                              ClassSpec{1u << 20, 16, uint64_t{256} << 18}})
    REQUIRE(default_class_words(Geometry{}, {&bad, 1}).status() == Code::invalid_argument);
  const ClassSpec large[] = {{1u << 20, 4096, 1 << 21}, {3u << 20}, {100000, 16, 3 << 18}};
  const DefaultClasses with_large(Geometry{}, large);
  const auto found = [&](uint64_t bytes) { return with_large[with_large.class_for(bytes, kUnitAlign)]; };
  REQUIRE(found(1u << 20).slab_chunks == 8);
  REQUIRE(found(1u << 20).units_per_slab == 2);
  REQUIRE(found(3u << 20).slab_chunks == 12);
  REQUIRE(found(100000).unit_bytes == 100000);
  REQUIRE(found(100000).units_per_slab == 7);
  std::vector<ClassSpec> many;
  for (uint32_t i = 1; i <= kMaxClasses; ++i) many.push_back({i * 16 + 4096});
  REQUIRE(default_class_words(Geometry{}, many).status() == Code::limit);
}

TEST_CASE("class words that describe no class are corruption") {
  const uint64_t good = make_class_word(ClassState::live, 1, 4, 64);
  SizeClasses classes;
  REQUIRE(classes.load(std::vector{good}, Geometry{}).ok());
  for (uint64_t word :
       {make_class_word(static_cast<ClassState>(3), 1, 4, 64), make_class_word(ClassState::live, 0, 4, 64),
        make_class_word(ClassState::live, 4, 4, 64), make_class_word(ClassState::live, 1, 4, (256u << 10) + 16),
        make_class_word(ClassState::live, 1, 3, 64), make_class_word(ClassState::live, 1, 13, 64),
        make_class_word(ClassState::live, 1, 4, 16), make_class_word(ClassState::live, 1, 4, 1u << 30),
        make_class_word(ClassState::live, 1, 6, 80), make_class_word(ClassState::live, 1, 4, 0),
        make_class_word(ClassState::absent, 1, 4, 64), make_class_word(ClassState::retired, 1, 4, 40),
        good | uint64_t{1} << 48})
    REQUIRE(classes.load(std::vector{word}, Geometry{}) == Code::corruption);
}

TEST_CASE("a slab hands out each unit once, takes them back, and lets go of all or nothing") {
  Slab slab(3, 1, 1, 40960, 20480, 48, 85);
  for (uint32_t u = 0; u < 85; ++u) slab.give(u);
  REQUIRE(slab.whole_available());
  std::set<uint32_t> taken;
  for (uint32_t i = 0; i < 85; ++i) {
    const uint32_t unit = slab.take();
    REQUIRE(unit < 85);
    REQUIRE(taken.insert(unit).second);
    REQUIRE(slab.unit_off(unit) == 40960 + unit * 48);
  }
  REQUIRE(slab.take() == 85);
  slab.give(77);
  REQUIRE_FALSE(slab.take_all());
  REQUIRE(slab.available_count() == 1);
  REQUIRE(slab.take() == 77);
  for (uint32_t u = 0; u < 85; ++u) slab.give(u);
  REQUIRE(slab.take_all());
  REQUIRE(slab.take() == 85);
  REQUIRE(slab.available_count() == 0);
}

TEST_CASE("the heap locates exactly the starts of units, and nothing else in the pool") {
  AnchoredPool p;
  for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, 100, 1).ok());
  std::set<uint64_t> starts;
  const Layout& l = p->layout();
  for (uint64_t chunk = l.zone(0).chunk_frame; chunk < l.zone(0).end_frame(); ++chunk) {
    const uint64_t word = p->line(l.chunk_line_off(chunk))->words[l.chunk_word_idx(chunk)];
    if (chunk_word_free(word)) continue;
    const SizeClass& c = p->heap().classes()[chunk_word_class(word)];
    for (uint32_t u = 0; u < c.units_per_slab; ++u) starts.insert(l.chunk_off(chunk) + u * c.unit_bytes);
  }
  REQUIRE(starts.size() > 40);
  uint64_t bad = 0;
  for (uint64_t off = 0; off < l.pool_bytes() + 8192; off += 8) {
    UnitRef unit;
    bad += p->heap().locate(off, unit).ok() != starts.contains(off);
  }
  for (uint64_t off : {l.pool_bytes(), ~uint64_t{0}, ~uint64_t{15}}) {
    UnitRef unit;
    bad += p->heap().locate(off, unit).ok();
  }
  REQUIRE(bad == 0);
}

TEST_CASE(
    "units that were reserved and released are handed out again; a full pool says not_found, never twice the "
    "same") {
  AnchoredPool p;
  const uint32_t id = p->heap().classes().class_for(100, 16);
  REQUIRE(p.put(0, 100, 1).ok());
  Arena a, b;
  std::set<uint64_t> offs;
  std::vector<UnitRef> units;
  UnitRef unit;
  while (p->heap().reserve(units.size() % 2 ? a : b, id, unit).ok()) {
    REQUIRE(offs.insert(unit.off()).second);
    units.push_back(unit);
  }
  while (p->heap().reserve_anywhere(id, unit).ok()) {
    REQUIRE(offs.insert(unit.off()).second);
    units.push_back(unit);
  }
  REQUIRE_FALSE(offs.contains(p.slot(0)));
  REQUIRE(units.size() == 4096 / 112 - 1);
  for (const UnitRef& u : units) p->heap().release(u);
  for (size_t i = 0; i < units.size(); ++i) REQUIRE(p->heap().reserve_anywhere(id, unit).ok());
  REQUIRE(p->heap().reserve(a, id, unit) == Code::not_found);
}

TEST_CASE(
    "an empty slab becomes a slab of another class when the pool runs out, and comes back when the claim is "
    "given up") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 * 1024));
  Heap& heap = p->heap();
  for (uint32_t w = 0; w < 3; ++w) REQUIRE(p.put(w, 100, 1).ok());
  const uint64_t off = p.slot(0);
  for (uint32_t w = 0; w < 3; ++w) REQUIRE(p.remove(w).ok());
  p->reclaim();
  const uint32_t id = heap.classes().class_for(100, 16);
  UnitRef unit;
  size_t count = 0;
  for (int round = 0; round < 2; ++round) {  // the second time round all are there again
    std::vector<std::unique_ptr<Heap::Claim>> claims;
    std::set<uint32_t> chunks;
    for (;;) {
      claims.push_back(std::make_unique<Heap::Claim>(heap));
      const Status s = claims.back()->take();
      if (!s.ok()) {
        REQUIRE(s == Code::out_of_space);
        break;
      }
      REQUIRE(chunks.insert(claims.back()->chunk()).second);
    }
    REQUIRE((round == 0 || chunks.size() == count));
    count = chunks.size();
    REQUIRE(chunks.contains(static_cast<uint32_t>(p->layout().chunk_of(off))));
    REQUIRE(heap.reserve_anywhere(id, unit) == Code::not_found);
    claims.clear();
    REQUIRE(heap.reserve_anywhere(id, unit).ok());
    heap.release(unit);
  }
}

TEST_CASE("a pool grows by zones and within them: each chunk is used, the check is content, and a reopen agrees") {
  const ImagePtr image = formatted_image(512 * 1024, small_geometry(), 64 * 1024);
  std::memset(image->data() + 64 * 1024, 0xa5, 448 * 1024);
  AnchoredPool p(CommitForm::strict, image);
  const auto fill = [&] {  // claims whole chunks until there is none
    std::set<uint64_t> offs;
    for (;;) {
      Commit c(p.pool());
      uint64_t off;
      REQUIRE(c.begin().ok());
      const Status s = c.allocate(4096, UnitUse::record, off);
      if (!s.ok()) {
        REQUIRE(s == Code::out_of_space);
        return offs.size();
      }
      p.write_record(c, off, 4096, 1);
      c.finish_fresh();
      REQUIRE(offs.insert(off).second);
      REQUIRE(c.lock(std::array{p.anchor()}, 1, 1).ok());
      c.set_word(p.anchor(), 6, p.slot(6));  // nothing leads there: a leak, which the check has to see
      REQUIRE(c.publish().ok());
    }
  };
  const size_t first = fill();
  REQUIRE(p.grow(20, 3).ok());
  REQUIRE(fill() == 3);
  REQUIRE(p.grow(0, 10).ok());
  REQUIRE(p.grow(0, 7).ok());
  REQUIRE(fill() == 17);
  REQUIRE(p.grow(1, 1).ok());
  REQUIRE(p.grow(30, 30).ok());
  REQUIRE(fill() == 31);
  const size_t units = first + 3 + 17 + 31;
  for (int round = 0; round < 2; ++round) {
    const auto problems = p.problems(100);
    REQUIRE(problems.size() == units);
    REQUIRE(p.account().leaked_units == units);
    REQUIRE(p.account().free_chunk_bytes == 0);
    REQUIRE(p->layout().zone_count() == 4);
    p = AnchoredPool(CommitForm::strict, image);
  }
}

TEST_CASE("the epoch moves on only when every pin is of the current one; pins nest, the outermost decides") {
  Epochs epochs;
  const uint64_t start = epochs.current();
  REQUIRE(epochs.quiescent());
  REQUIRE(epochs.pin().ok());
  REQUIRE(epochs.quiescent());
  epochs.advance();
  REQUIRE(epochs.current() == start + 1);
  REQUIRE_FALSE(epochs.quiescent());
  REQUIRE(epochs.pin().ok());
  REQUIRE(epochs.depth() == 2);
  REQUIRE_FALSE(epochs.quiescent());
  epochs.unpin();
  REQUIRE_FALSE(epochs.quiescent());
  epochs.unpin();
  REQUIRE(epochs.quiescent());
  REQUIRE(epochs.pin().ok());
  REQUIRE(epochs.quiescent());
  std::thread([&] {
    const Pin pin(epochs);
    REQUIRE(epochs.quiescent());
    epochs.advance();
    REQUIRE_FALSE(epochs.quiescent());
  }).join();
  REQUIRE_FALSE(epochs.quiescent());
  epochs.unpin();
  REQUIRE(epochs.quiescent());
}
