// Classes that come and go while the pool is open: what is durable, what is refused, and that nobody
// allocates from a class after it was retired.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "alloc/class_table.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

ClassUsage usage_of(Pool& pool, uint32_t unit_bytes) {
  const auto usage = class_usage(pool);
  REQUIRE(usage.has_value());
  for (const ClassUsage& row : usage->classes)
    if (row.size_class.unit_bytes == unit_bytes) return row;
  return {};
}

ClassState state_of(Pool& pool, uint32_t unit_bytes) { return usage_of(pool, unit_bytes).size_class.state; }

uint32_t unit_for(Pool& pool, uint64_t bytes) {
  const SizeClasses& classes = pool.heap().classes();
  const uint32_t id = classes.class_for(bytes, kUnitAlign);
  return id == kMaxClasses ? 0 : classes[id].unit_bytes;
}

bool says(std::initializer_list<const char*> parts) {
  const std::string text = last_message();
  for (const char* part : parts)
    if (text.find(part) == std::string::npos) return false;
  return true;
}

/// Fills the table: every word is a class, live ones first, and the returned ones were added here.
std::vector<uint32_t> fill_table(Pool& pool) {
  std::vector<uint32_t> added;
  for (uint32_t unit = kMinUnitBytes; pool.heap().classes().count() < kMaxClasses; unit += kUnitAlign) {
    const auto id = add_class(pool, {unit});
    if (id.has_value()) added.push_back(unit);
  }
  return added;
}

Geometry roomy_geometry() {  // chunks of 8 KiB: 510 sizes are possible
  Geometry g = small_geometry();
  g.chunk_bytes = 8192;
  return g;
}

}  // namespace

TEST_CASE("a class that is added holds the next record of its size, and survives a reopening and a kill") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form);
    REQUIRE(unit_for(p.pool(), 300) == 336);
    const auto id = add_class(p.pool(), {304});
    REQUIRE(id.has_value());
    REQUIRE(unit_for(p.pool(), 300) == 304);
    REQUIRE(unit_for(p.pool(), 305) == 336);
    REQUIRE(p.put(0, 300, 7).ok());
    REQUIRE(usage_of(p.pool(), 304).live_units == 1);
    AnchoredPool killed(form, p.image()->clone());
    REQUIRE(unit_for(killed.pool(), 300) == 304);
    REQUIRE(killed.record_holds(0, 300, 7));
    REQUIRE(killed.problems(300).empty());
    REQUIRE(p->quiesce().ok());
    p.close();
    AnchoredPool reopened(form, p.image());
    REQUIRE(unit_for(reopened.pool(), 300) == 304);
    REQUIRE(reopened->heap().classes()[*id].unit_bytes == 304);
    REQUIRE(reopened.problems(300).empty());
  }
}

TEST_CASE(
    "a class change costs one fence in both forms, and an allocation from a new class none of its own") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form);
    const auto fences = [&] { return p->domain().thread_counters().fences; };
    uint64_t before = fences();
    REQUIRE(add_class(p.pool(), {304}).has_value());
    REQUIRE(fences() - before == 1);
    REQUIRE(p.put(0, 300, 1).ok());  // makes the slab
    before = fences();
    REQUIRE(p.put(1, 300, 1).ok());
    REQUIRE(fences() - before == (form == CommitForm::strict ? 2u : 1u));
    before = fences();
    REQUIRE(retire_class(p.pool(), 304, {}).ok());
    REQUIRE(fences() - before == 1);
  }
}

TEST_CASE("units of a retired class stay readable and can be freed; nothing more is handed out from it") {
  AnchoredPool p;
  REQUIRE(add_class(p.pool(), {304}).has_value());
  for (uint32_t w = 0; w < 3; ++w) REQUIRE(p.put(w, 300, static_cast<uint8_t>(w)).ok());
  REQUIRE(retire_class(p.pool(), 304, {}).ok());
  REQUIRE(usage_of(p.pool(), 304).live_units == 3);
  REQUIRE(p.put(3, 300, 3).ok());  // the arena still has the slab, with room
  REQUIRE(usage_of(p.pool(), 304).live_units == 3);
  REQUIRE(usage_of(p.pool(), 336).live_units == 1);
  AnchoredPool again(CommitForm::strict, p.image()->clone());
  REQUIRE(state_of(again.pool(), 304) == ClassState::retired);
  for (uint32_t w = 0; w < 4; ++w) REQUIRE(again.record_holds(w, 300, static_cast<uint8_t>(w)));
  REQUIRE(again.remove(1).ok());
  REQUIRE(again.put(4, 300, 4).ok());
  REQUIRE(usage_of(again.pool(), 304).live_units == 2);
  REQUIRE(usage_of(again.pool(), 336).live_units == 2);
  REQUIRE(again.problems(300).empty());
}

TEST_CASE("empty slabs of a retired class become slabs of other classes; records of it stay") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 * 1024));
  REQUIRE(add_class(p.pool(), {304}).has_value());
  REQUIRE(p.put(0, 300, 1).ok());
  REQUIRE(retire_class(p.pool(), 304, {}).ok());
  REQUIRE(p.remove(0).ok());
  p->reclaim();
  REQUIRE(usage_of(p.pool(), 304).slabs == 1);
  {
    Commit c(p.pool());
    REQUIRE(c.begin().ok());
    uint64_t off;
    Status s;
    while ((s = c.allocate(4000, UnitUse::record, off)).ok()) continue;  // a slab each, until nothing is left
    REQUIRE(s == Code::out_of_space);
  }
  REQUIRE(usage_of(p.pool(), 304).slabs == 0);
}

TEST_CASE("adding a retired class again revives it in its place, with its slabs") {
  AnchoredPool p;
  const auto id = add_class(p.pool(), {320});
  REQUIRE(id.has_value());
  REQUIRE(p.put(0, 310, 1).ok());
  REQUIRE(retire_class(p.pool(), 320, {}).ok());
  REQUIRE(p.put(1, 310, 1).ok());
  REQUIRE(usage_of(p.pool(), 336).live_units == 1);
  const auto again = add_class(p.pool(), {320, 64});
  REQUIRE(again.has_value());
  REQUIRE(*again == *id);
  REQUIRE(p->heap().classes()[*id].align == 64);
  REQUIRE(p.put(2, 310, 1).ok());
  REQUIRE(usage_of(p.pool(), 320).live_units == 2);
  REQUIRE(usage_of(p.pool(), 320).slabs == 1);
  REQUIRE(p.problems(310).empty());
}

TEST_CASE("wrong, double and unknown classes are refused with their numbers, and nothing changes") {
  AnchoredPool p;
  const uint64_t commits = p->stats().commits;
  for (const ClassSpec bad : {ClassSpec{0}, ClassSpec{16}, ClassSpec{40}, ClassSpec{33 * 4096}, ClassSpec{64, 48},
                              ClassSpec{64, 8}, ClassSpec{96, 64}, ClassSpec{4096, 8192}, ClassSpec{64, 0},
                              ClassSpec{4096, 16, 5000}, ClassSpec{8192, 16, 4096}, ClassSpec{32, 16, 16 * 4096}}) {
    REQUIRE(add_class(p.pool(), bad).status() == Code::invalid_argument);
    REQUIRE(says({std::to_string(bad.unit_bytes).c_str()}));
  }
  REQUIRE(add_class(p.pool(), {64}).status() == Code::exists);
  REQUIRE(says({"64", "already"}));
  REQUIRE(retire_class(p.pool(), 304, {}) == Code::not_found);
  REQUIRE(says({"304"}));
  REQUIRE(p->stats().commits == commits);
  REQUIRE(retire_class(p.pool(), 64, {}).ok());
  REQUIRE(retire_class(p.pool(), 64, {}) == Code::not_found);
  REQUIRE(says({"64", "retired already"}));
}

TEST_CASE("the last class that holds what the engine needs is not retired; one that another can replace is") {
  AnchoredPool p;
  const ClassNeed needs[] = {{4000, 64, "a segment"}};
  for (uint32_t unit : {64u, 128u}) REQUIRE(retire_class(p.pool(), unit, needs).ok());
  std::vector<uint32_t> several;  // classes of slabs of several chunks hold a segment too
  for (uint32_t id = 0; id < p->heap().classes().count(); ++id)
    if (p->heap().classes().unit_bytes(id) > 4096) several.push_back(p->heap().classes().unit_bytes(id));
  for (uint32_t unit : several) REQUIRE(retire_class(p.pool(), unit, needs).ok());
  REQUIRE(retire_class(p.pool(), 4096, needs) == Code::invalid_argument);
  REQUIRE(says({"4096", "a segment", "4000", "64"}));
  REQUIRE(state_of(p.pool(), 4096) == ClassState::live);
  REQUIRE(add_class(p.pool(), {4032}).has_value());
  REQUIRE(retire_class(p.pool(), 4096, needs).ok());
  REQUIRE(retire_class(p.pool(), 4032, needs) == Code::invalid_argument);
  REQUIRE(p->heap().classes().largest_unit_bytes() == 4032);
  REQUIRE(p.put(0, 4033, 1).ok());  // a record that no class holds lies in chunks of its own
  REQUIRE(class_usage(p.pool())->extents == 1);
  Commit c(p.pool());
  REQUIRE(c.begin().ok());
  uint64_t off;
  REQUIRE(c.allocate(4033, UnitUse::lines, off) == Code::too_large);  // lines never do
  REQUIRE(says({"4033", "4032"}));
}

TEST_CASE("a class whose units are longer than a chunk comes, is filled, goes and comes back with its slabs") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form, formatted_image(1 << 20));
    const auto id = add_class(p.pool(), {5120});
    REQUIRE(id.has_value());
    const SizeClass c = p->heap().classes()[*id];
    REQUIRE(c.slab_chunks == 5);  // 4 x 5120 = 5 x 4096: nothing is left behind the last unit
    REQUIRE(c.units_per_slab == 4);
    for (uint32_t w = 0; w < 5; ++w) REQUIRE(p.put(w, 5100, static_cast<uint8_t>(w)).ok());
    REQUIRE(p.put(5, 7700, 1).ok());  // two chunks are 8192, and its class of 8384 is larger
    const ClassUsage u = usage_of(p.pool(), 5120);
    REQUIRE(u.slabs == 2);
    REQUIRE(u.slab_bytes() == 2 * 5 * 4096);
    REQUIRE(u.live_units == 5);
    REQUIRE(u.live_bytes() + u.free_bytes() + u.tail_bytes() == u.slab_bytes());
    REQUIRE(retire_class(p.pool(), 5120, {}).ok());
    REQUIRE(p.put(6, 5100, 6).ok());
    REQUIRE(usage_of(p.pool(), 5120).live_units == 5);
    REQUIRE(p->heap().used_classes()->test(*id));
    REQUIRE(add_class(p.pool(), {5120}).value_or(0) == *id);
    REQUIRE(p->heap().classes()[*id].slab_chunks == 5);
    REQUIRE(p.put(6, 5100, 6).ok());
    REQUIRE(usage_of(p.pool(), 5120).live_units == 6);
    AnchoredPool again(form, p.image()->clone());
    for (uint32_t w = 0; w < 5; ++w) REQUIRE(again.record_holds(w, 5100, static_cast<uint8_t>(w)));
    REQUIRE(usage_of(again.pool(), 5120).slabs == 2);
  }
}

TEST_CASE("a retired class that chunks name keeps the length of its slabs; one that none names may change it") {
  AnchoredPool p(CommitForm::strict, formatted_image(1 << 20));
  const auto id = add_class(p.pool(), {304, 16, 2 * 4096});
  REQUIRE(id.has_value());
  REQUIRE(p->heap().classes()[*id].slab_chunks == 2);
  REQUIRE(p.put(0, 300, 1).ok());
  REQUIRE(retire_class(p.pool(), 304, {}).ok());
  REQUIRE(add_class(p.pool(), {304, 16, 4096}).status() == Code::invalid_argument);
  REQUIRE(says({"304", "8192", "4096"}));
  REQUIRE(state_of(p.pool(), 304) == ClassState::retired);
  REQUIRE(add_class(p.pool(), {304}).has_value());  // nothing is said of the length: it stays
  REQUIRE(p->heap().classes()[*id].slab_chunks == 2);
  REQUIRE(p.record_holds(0, 300, 1));
  REQUIRE(p.problems(300).empty());
  REQUIRE(retire_class(p.pool(), 304, {}).ok());
  REQUIRE(p.remove(0).ok());
  p->reclaim();
  {
    Commit c(p.pool());
    REQUIRE(c.begin().ok());
    uint64_t freed;
    REQUIRE(c.free_empty_slabs(0, freed).ok());
    REQUIRE(freed >= 2);
  }
  REQUIRE_FALSE(p->heap().used_classes()->test(*id));
  REQUIRE(add_class(p.pool(), {304, 16, 4096}).value_or(0) == *id);
  REQUIRE(p->heap().classes()[*id].slab_chunks == 1);
  REQUIRE(p.put(0, 300, 2).ok());
  REQUIRE(usage_of(p.pool(), 304).slab_bytes() == 4096);
  REQUIRE(p.problems(300).empty());
}

TEST_CASE("a full table is limit; the word of a retired class that no chunk names becomes another class") {
  AnchoredPool p(CommitForm::strict, formatted_image(256 * 1024, roomy_geometry()));
  const std::vector<uint32_t> added = fill_table(p.pool());
  REQUIRE(added.size() > 300);
  const uint32_t other = 8176;
  REQUIRE(state_of(p.pool(), other) == ClassState::absent);
  REQUIRE(add_class(p.pool(), {other}).status() == Code::limit);
  REQUIRE(says({"448"}));
  const uint32_t used = added[20];
  REQUIRE(p.put(0, used, 5).ok());
  const uint32_t used_id = usage_of(p.pool(), used).id;
  REQUIRE(retire_class(p.pool(), used, {}).ok());
  REQUIRE(add_class(p.pool(), {other}).status() == Code::limit);  // a chunk names it
  const uint32_t empty = added[30];
  const uint32_t empty_id = usage_of(p.pool(), empty).id;
  REQUIRE(retire_class(p.pool(), empty, {}).ok());
  REQUIRE(add_class(p.pool(), {other}).has_value());
  REQUIRE(usage_of(p.pool(), other).id == empty_id);
  REQUIRE(state_of(p.pool(), empty) == ClassState::absent);
  REQUIRE(add_class(p.pool(), {empty}).status() == Code::limit);
  REQUIRE(p.put(1, other, 6).ok());
  REQUIRE(usage_of(p.pool(), other).live_units == 1);
  AnchoredPool again(CommitForm::strict, p.image()->clone());
  REQUIRE(again.record_holds(0, used, 5));
  REQUIRE(again.record_holds(1, other, 6));
  REQUIRE(usage_of(again.pool(), used).id == used_id);
}

TEST_CASE("a class whose slab is only claimed by another is not given away: the claim may come back") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 * 1024));
  REQUIRE(add_class(p.pool(), {304}).has_value());
  REQUIRE(p.put(0, 300, 1).ok());
  REQUIRE(retire_class(p.pool(), 304, {}).ok());
  REQUIRE(p.remove(0).ok());
  p->reclaim();
  const uint32_t id = usage_of(p.pool(), 304).id;
  const auto unused = [&] { return !p->heap().used_classes().value_or(std::bitset<kMaxClasses>()).test(id); };
  REQUIRE_FALSE(unused());
  std::vector<std::unique_ptr<Heap::Claim>> claims;
  do claims.push_back(std::make_unique<Heap::Claim>(p->heap()));
  while (claims.back()->take().ok());
  REQUIRE_FALSE(unused());
  claims.clear();
  REQUIRE_FALSE(unused());
}

TEST_CASE("a damaged line of the class table is not changed, and the pool cannot be opened again") {
  AnchoredPool p;
  const uint64_t line_off = kClassTableOff + p->heap().classes().count() / kLineWords * kLineBytes;
  p->line(line_off)->words[6] ^= uint64_t{1} << 40;
  REQUIRE(add_class(p.pool(), {304}).status() == Code::corruption);
  REQUIRE(unit_for(p.pool(), 300) == 336);
  REQUIRE(p.put(0, 300, 1).ok());  // the rest goes on
  const auto image = p.image()->clone();
  const auto pool = Pool::open(std::make_unique<ImageDomain>(image), {});
  REQUIRE(pool.status() == Code::corruption);
  REQUIRE(says({"class table", std::to_string(line_off).c_str()}));
}

TEST_CASE("a read-only pool lists its classes and refuses changes") {
  AnchoredPool p;
  REQUIRE(p->quiesce().ok());
  const auto pool = open_image(p.image()->clone(), CommitForm::strict, true);
  REQUIRE(add_class(*pool, {304}).status() == Code::read_only);
  REQUIRE(retire_class(*pool, 64, {}) == Code::read_only);
  REQUIRE(class_usage(*pool).has_value());
}

TEST_CASE("the figures of a class add up to its slabs") {
  AnchoredPool p;
  REQUIRE(add_class(p.pool(), {304}).has_value());
  for (uint32_t w = 0; w < 5; ++w) REQUIRE(p.put(w, 300, 1).ok());
  const ClassUsage u = usage_of(p.pool(), 304);
  REQUIRE(u.slabs == 1);
  REQUIRE(u.units == 4096 / 304);
  REQUIRE(u.live_bytes() == 5 * 304);
  REQUIRE(u.free_bytes() == 8 * 304);
  REQUIRE(u.tail_bytes() == 4096 - 13 * 304);
  REQUIRE(u.live_bytes() + u.free_bytes() + u.tail_bytes() == u.slab_bytes());
  REQUIRE(u.fragmentation_permille() == 8 * 304 * 1000 / 4096);
  REQUIRE(usage_of(p.pool(), 48).fragmentation_permille() == 0);
}

// Assertions are made by the main thread only; the others count failures.
TEST_CASE("a look-up while classes come and go finds one that was there; none is used after retire returns") {
  Geometry g = small_geometry();
  g.lane_count = 4;
  AnchoredPool p(CommitForm::strict, formatted_image(8 << 20, g));
  const uint64_t anchor = p.anchor();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> failed{0}, looked{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      while (!stop.load(std::memory_order_relaxed)) {
        const Status put = p.put(t, 300, static_cast<uint8_t>(t));
        // A thread that loses its processor inside a commit keeps the epoch: what the others free fills the
        // pool.
        failed += !put.ok() && put != Code::out_of_space;
        const uint32_t small = unit_for(p.pool(), 300), lines = unit_for(p.pool(), 4090);
        failed += (small != 304 && small != 320 && small != 336) || lines != 4096;
        ++looked;
      }
    });
  uint64_t handed_out_later = 0, slabs_used = 0;
  for (int round = 0; round < 40; ++round) {
    const uint32_t unit = round % 2 == 0 ? 304 : 320;
    const uint64_t seen = looked;
    REQUIRE(add_class(p.pool(), {unit}).has_value());
    while (looked < seen + 30) std::this_thread::yield();
    REQUIRE(retire_class(p.pool(), unit, {}).ok());
    const uint64_t before = usage_of(p.pool(), unit).live_units;
    slabs_used += usage_of(p.pool(), unit).slabs;
    const uint64_t then = looked;
    while (looked < then + 30) std::this_thread::yield();
    handed_out_later += usage_of(p.pool(), unit).live_units > before;
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  REQUIRE(failed == 0);
  REQUIRE(handed_out_later == 0);
  REQUIRE(slabs_used > 0);
  REQUIRE(p.anchor() == anchor);
  REQUIRE(p.problems(300).empty());
}

TEST_CASE("retire returns only when the commits that chose the class before have ended") {
  AnchoredPool p;
  const auto id = add_class(p.pool(), {304});
  REQUIRE(id.has_value());
  std::atomic<bool> returned{false};
  std::thread retirer;
  bool too_early = false;
  {
    Commit c(p.pool());
    REQUIRE(c.begin().ok());
    uint64_t off;
    REQUIRE(c.allocate(300, UnitUse::record, off).ok());
    retirer = std::thread([&] {
      (void)retire_class(p.pool(), 304, {});
      returned = true;
    });
    while (p->heap().classes().is_live(*id)) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    too_early = returned;
  }
  retirer.join();
  REQUIRE_FALSE(too_early);
  REQUIRE(returned);
  REQUIRE(state_of(p.pool(), 304) == ClassState::retired);
}

TEST_CASE("a commit that waits for space while its class is retired takes another class") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 * 1024));
  REQUIRE(p.put(1, 300, 2).ok());  // a slab of 336 with room
  REQUIRE(add_class(p.pool(), {304}).has_value());
  REQUIRE(p.put(0, 300, 1).ok());
  std::vector<UnitRef> held;  // every unit of 304, and every chunk, so that an allocation of 300 has to wait
  UnitRef unit;
  while (p->heap().reserve_anywhere(p->heap().classes().class_for(300, kUnitAlign), unit).ok())
    held.push_back(unit);
  std::vector<std::unique_ptr<Heap::Claim>> claims;
  do claims.push_back(std::make_unique<Heap::Claim>(p->heap()));
  while (claims.back()->take().ok());
  Code code = Code::out_of_space;
  for (int round = 0; round < 50 && code == Code::out_of_space;
       ++round) {  // it waits 20 ms: retire may come later
    std::atomic<int> step{0};
    const auto await = [&](int n) {
      while (step.load() < n) std::this_thread::yield();
    };
    std::thread pinner([&] {
      const Pin pin(p->epochs());  // keeps the commit below waiting for the epoch
      step = 1;
      await(3);
    });
    std::thread retirer([&] {
      await(2);
      (void)retire_class(p.pool(), 304, {});
    });
    await(1);
    uint64_t off = 0;
    {
      Commit c(p.pool());
      REQUIRE(c.begin().ok());
      step = 2;
      code = c.allocate(300, UnitUse::record, off).code();
      if (code == Code::ok) REQUIRE(p->heap().locate(off, unit).ok());
    }
    step = 3;
    pinner.join();
    retirer.join();
    REQUIRE(state_of(p.pool(), 304) == ClassState::retired);
    if (code == Code::out_of_space) REQUIRE(add_class(p.pool(), {304}).has_value());
  }
  REQUIRE(code == Code::ok);
  REQUIRE(unit.slab->unit_bytes() == 336);
  claims.clear();
  for (const UnitRef& u : held) p->heap().release(u);
}

TEST_CASE("a commit that waits for space while its class becomes one of another size takes a class that fits") {
  AnchoredPool p(CommitForm::strict, formatted_image(256 * 1024, roomy_geometry()));
  (void)fill_table(p.pool());
  REQUIRE(p.put(1, 310, 2).ok());  // a slab of 320 with room; of 304 there is none
  std::vector<std::unique_ptr<Heap::Claim>> claims;
  do claims.push_back(std::make_unique<Heap::Claim>(p->heap()));
  while (claims.back()->take().ok());
  const uint32_t id = p->heap().classes().class_for(300, kUnitAlign), other = 8176;
  Code code = Code::out_of_space;
  UnitRef unit;
  for (int round = 0; round < 50 && code == Code::out_of_space; ++round) {  // it waits 20 ms: the change may come later
    std::atomic<int> step{0};
    const auto await = [&](int n) {
      while (step.load() < n) std::this_thread::yield();
    };
    std::thread pinner([&] {
      const Pin pin(p->epochs());
      step = 1;
      await(3);
    });
    uint32_t other_id = kMaxClasses;
    std::thread changer([&] {
      await(2);
      (void)retire_class(p.pool(), 304, {});
      other_id = add_class(p.pool(), {other}).value_or(kMaxClasses);
    });
    await(1);
    uint64_t off = 0;
    {
      Commit c(p.pool());
      REQUIRE(c.begin().ok());
      step = 2;
      code = c.allocate(300, UnitUse::record, off).code();
      if (code == Code::ok) REQUIRE(p->heap().locate(off, unit).ok());
    }
    step = 3;
    pinner.join();
    changer.join();
    REQUIRE(other_id == id);
    if (code == Code::ok) break;
    REQUIRE(retire_class(p.pool(), other, {}).ok());
    REQUIRE(add_class(p.pool(), {304}).value_or(kMaxClasses) == id);
  }
  REQUIRE(code == Code::ok);
  REQUIRE(unit.slab->unit_bytes() == 320);
}
