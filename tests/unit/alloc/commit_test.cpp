// What a commit costs, what it changes, and that one which is given up changes nothing.
#include <catch2/catch.hpp>
#include <optional>
#include <set>
#include <thread>

#include "alloc/lane_layout.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

pmem::Counters cost_of(pmem::Domain& domain, const auto& operation) {
  const pmem::Counters before = domain.total_counters();
  operation();
  const pmem::Counters after = domain.total_counters();
  return {after.fences - before.fences, after.lines - before.lines, after.bytes - before.bytes};
}

bool all_free(Pool& pool) {
  for (uint32_t i = 0; i < pool.index_locks().stripe_count(); ++i)
    if (pool.index_locks().state(i) != LineLocks::kFree) return false;
  for (uint32_t i = 0; i < pool.slab_locks().stripe_count(); ++i)
    if (pool.slab_locks().state(i) != LineLocks::kFree) return false;
  for (auto& lane : pool.lanes())
    if (lane->held.load() != 0) return false;
  return pool.epochs().depth() == 0;
}

uint64_t available_units(Pool& pool, uint32_t class_id) {
  std::vector<UnitRef> units;
  UnitRef unit;
  while (pool.heap().reserve_anywhere(class_id, unit).ok()) units.push_back(unit);
  for (const UnitRef& u : units) pool.heap().release(u);
  return units.size();
}

}  // namespace

TEST_CASE(
    "a commit of one fresh range and one line: two fences strict, one with one fence; lines of range and log "
    "only") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form);
    REQUIRE(p.put(0, 100, 1).ok());  // its slab is made here
    const uint64_t room = p->lanes()[0]->half_cells - p->lanes()[0]->pos % p->lanes()[0]->half_cells;
    REQUIRE(room > 1);  // no change of halves within the measured commit
    Status s;
    uint64_t record_lines = 0;
    const pmem::Counters cost = cost_of(p->domain(), [&] { s = p.put(1, 100, 2); });
    REQUIRE(s.ok());
    record_lines = (p.slot(1) + 99) / 64 - p.slot(1) / 64 + 1;
    REQUIRE(cost.fences == (form == CommitForm::strict ? 2 : 1));
    REQUIRE(cost.lines == record_lines + 1);  // and one cell of log
    REQUIRE(cost.bytes == 100 + 64);
  }
}

TEST_CASE("leaving a half flushes each line its records named once, and costs no fence") {
  AnchoredPool p(CommitForm::one_fence);
  Lane& lane = *p->lanes()[0];
  Pool::prefer_lane(0);
  REQUIRE(p.put(0, 100, 1).ok());
  const uint64_t fences = p->domain().total_counters().fences;
  uint64_t commits = 0;
  const uint64_t wraps = lane.wraps.load();
  uint64_t extra_lines = 0;
  while (lane.wraps.load() < wraps + 2) {
    const uint64_t before = lane.wraps.load();
    const pmem::Counters cost = cost_of(p->domain(), [&] { REQUIRE(p.put(0, 100, 2).ok()); });
    const uint64_t record_lines = (p.slot(0) + 99) / 64 - p.slot(0) / 64 + 1;
    extra_lines = cost.lines - record_lines - 1;
    ++commits;
    if (lane.wraps.load() == before) REQUIRE(extra_lines == 0);
  }
  REQUIRE(extra_lines == 2);  // the anchor and the bitmap line, however many records named them
  REQUIRE(p->domain().total_counters().fences - fences == commits);
  Pool::prefer_lane(-1);
}

TEST_CASE(
    "a commit that is destroyed before publish changes nothing and gives its units back, at whatever step") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form);
    REQUIRE(p.put(0, 100, 1).ok());
    const uint32_t id = p->heap().classes().class_for(100, 16);
    const uint64_t units = available_units(p.pool(), id);
    const ImagePtr before = p.image()->clone();
    for (int steps = 0; steps <= 6; ++steps) {
      uint64_t off = 0;
      {
        Commit c(p.pool());
        if (steps >= 1) REQUIRE(c.begin().ok());
        if (steps >= 2) REQUIRE(c.allocate(100, UnitUse::record, off).ok());
        if (steps >= 3) p.write_record(c, off, 100, 9), c.finish_fresh();
        if (steps >= 4) REQUIRE(c.free(p.slot(0), UnitUse::record).ok());
        const uint64_t line = p.anchor();
        if (steps >= 5) REQUIRE(c.lock(std::span(&line, 1), 1, 1).ok());
        if (steps >= 6) c.set_word(line, 0, off);
      }
      if (off != 0)
        std::memcpy(p.image()->data() + off, before->data() + off, 100);  // unreachable bytes may differ
      REQUIRE(p.image()->same_as(*before));
      REQUIRE(all_free(p.pool()));
      REQUIRE(available_units(p.pool(), id) == units);
    }
    REQUIRE(p.record_holds(0, 100, 1));
    REQUIRE(p.problems(100).empty());
  }
}

TEST_CASE("unlock lets a commit plan anew: the first plan leaves no trace") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  REQUIRE(p.put(1, 100, 2).ok());
  {
    Commit c(p.pool());
    const uint64_t line = p.anchor();
    REQUIRE(c.begin().ok());
    REQUIRE(c.free(p.slot(0), UnitUse::record).ok());
    REQUIRE(c.lock(std::span(&line, 1), 1, 1).ok());
    c.set_word(line, 0, 0);
    c.unlock();
    REQUIRE(c.free(p.slot(1), UnitUse::record).ok());
    REQUIRE(c.lock(std::span(&line, 1), 1, 1).ok());
    c.set_word(line, 1, 0);
    REQUIRE(c.publish().ok());
  }
  REQUIRE(p.record_holds(0, 100, 1));
  REQUIRE(p.slot(1) == 0);
  REQUIRE(p.problems(100).empty());
}

TEST_CASE("one commit may begin again after publish, and not before") {
  AnchoredPool p;
  Commit c(p.pool());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(c.begin().ok());
    REQUIRE(c.begin() == Code::internal);
    const uint64_t line = p.anchor();
    REQUIRE(c.lock(std::span(&line, 1), 1, 1).ok());
    c.set_word(line, 6, 0);
    REQUIRE(c.publish().ok());
  }
  REQUIRE(all_free(p.pool()));
}

TEST_CASE("set_word in any order of lines and words makes one update a line, and the last value wins") {
  AnchoredPool p;
  Commit c(p.pool());
  REQUIRE(c.begin().ok());
  const std::array lines{p.anchor(), kRootsLines[0], kRootsLines[1]};
  REQUIRE(c.lock(lines, 3, 7).ok());
  c.set_word(lines[0], 6, 1);
  c.set_word(lines[1], 6, 10);
  c.set_word(lines[0], 5, 2);
  c.set_word(lines[2], 6, 20);
  c.set_word(lines[1], 5, 11);
  c.set_word(lines[0], 6, 3);
  REQUIRE(c.lane().record.updates.size() == 3);
  REQUIRE(c.publish().ok());
  const ImagePtr copy = p.image()->clone();
  p.close();
  const auto again = open_image(copy, CommitForm::strict);  // through the log, too
  REQUIRE(again->line(lines[0])->words[6] == 3);
  REQUIRE(again->line(lines[0])->words[5] == 2);
  REQUIRE(again->line(lines[1])->words[6] == 10);
  REQUIRE(again->line(lines[1])->words[5] == 11);
  REQUIRE(again->line(lines[2])->words[6] == 20);
}

// The epoch may be one ahead of the thread that frees, and who pins that one may see the record still.
TEST_CASE("a freed record is not handed out before two advances after the one that may be on its way") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 * 1024));
  REQUIRE(p.put(0, 100, 1).ok());
  const uint64_t off = p.slot(0);
  const uint32_t id = p->heap().classes().class_for(100, 16);
  const auto handed_out = [&] {
    {
      Commit c(p.pool());  // drains its lane's limbo
      REQUIRE(c.begin().ok());
    }
    std::vector<UnitRef> units;
    UnitRef unit;
    bool seen = false;
    while (p->heap().reserve_anywhere(id, unit).ok()) {
      units.push_back(unit);
      seen |= unit.off() == off;
    }
    for (const UnitRef& u : units) p->heap().release(u);
    return seen;
  };
  REQUIRE_FALSE(handed_out());
  REQUIRE(p.remove(0).ok());
  REQUIRE(p->limbo_count() == 1);
  REQUIRE_FALSE(handed_out());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(p->advance(false));
    REQUIRE_FALSE(handed_out());
  }
  REQUIRE(p->advance(false));
  REQUIRE(handed_out());
  REQUIRE(p->limbo_count() == 0);
}

TEST_CASE("line memory is not handed out before a retire advance that began after the epoch of its free") {
  for (const bool retire_first : {false, true}) {
    AnchoredPool p;
    const uint64_t old = p.anchor();
    const uint32_t id = p->heap().classes().class_for(64, 64);
    REQUIRE(p.move_anchor().ok());
    const auto handed_out = [&] {
      {
        Commit c(p.pool());
        REQUIRE(c.begin().ok());
      }
      std::vector<UnitRef> units;
      UnitRef unit;
      bool seen = false;
      while (p->heap().reserve_anywhere(id, unit).ok()) {
        units.push_back(unit);
        seen |= unit.off() == old;
      }
      for (const UnitRef& u : units) p->heap().release(u);
      return seen;
    };
    if (retire_first) {
      for (int i = 0; i < 2; ++i) {  // of the epoch of the free, and of the next, which may see it still: not enough
        REQUIRE(p->advance(true));
        REQUIRE_FALSE(handed_out());
      }
    } else {
      for (int i = 0; i < 5; ++i) REQUIRE(p->advance(false));
      REQUIRE_FALSE(handed_out());
    }
    REQUIRE(p->advance(true));
    REQUIRE(handed_out());
    REQUIRE(p.problems(100).empty());
  }
}

TEST_CASE("an advance seals each lane up to its last commit, also a lane that somebody holds") {
  for (const bool held : {false, true}) {
    AnchoredPool p(CommitForm::one_fence);
    REQUIRE(p.put(0, 100, 1).ok());
    std::optional<WriterStop> stop;
    if (held) stop.emplace(p.pool());
    REQUIRE(p->advance(false));
    stop.reset();
    for (const auto& lane : p->lanes()) {
      if (lane->commits.load() == 0) continue;  // nothing but what recovery retired
      const uint64_t off = p->layout().lane_header_off(lane->number) + offsetof(LaneHeader, seal);
      REQUIRE((*p->at<uint64_t>(off) & kSeqMask) == lane->durable_seq.load());
    }
  }
}

TEST_CASE("a pin of an older epoch stops advances, and so keeps what is in limbo") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  REQUIRE(p->epochs().pin().ok());
  REQUIRE(p.remove(0).ok());
  REQUIRE(p->advance(false));
  REQUIRE_FALSE(p->advance(false));
  p->reclaim();
  REQUIRE(p->limbo_count() == 1);
  p->epochs().unpin();
  REQUIRE(p->advance(false));
  p->reclaim();
  REQUIRE(p->limbo_count() == 0);
}

TEST_CASE("a record too large for half a lane is too_large, nothing is locked, and the pool goes on") {
  AnchoredPool p;
  std::vector<uint64_t> lines;
  const uint64_t too_many = 8 * 64 / 10;  // half a lane has 8 cells; each line needs at least 10 bytes
  for (uint64_t i = 0; i < too_many; ++i) lines.push_back(kClassTableOff + i * kLineBytes);
  const ImagePtr before = p.image()->clone();
  {
    Commit c(p.pool());
    REQUIRE(c.begin().ok());
    REQUIRE(c.lock(lines, lines.size(), lines.size()) == Code::too_large);
    for (uint32_t i = 0; i < p->index_locks().stripe_count(); ++i)
      REQUIRE(p->index_locks().state(i) == LineLocks::kFree);
    const uint64_t line = p.anchor();
    REQUIRE(c.lock(lines, 1, 1).ok());  // many locks alone are fine
    c.unlock();
    REQUIRE(c.lock(std::span(&line, 1), 1, 1).ok());
  }
  REQUIRE(p.image()->same_as(*before));
  REQUIRE(all_free(p.pool()));
  REQUIRE(p.put(0, 100, 1).ok());
}

TEST_CASE("more fresh ranges than a record names are too_large") {
  Geometry g = small_geometry();
  g.lane_cells = 4096;
  AnchoredPool p(CommitForm::one_fence, formatted_image(2 << 20, g));
  Commit c(p.pool());
  REQUIRE(c.begin().ok());
  for (uint64_t i = 0; i <= kMaxFreshRanges; ++i) {
    uint64_t off;
    REQUIRE(c.allocate(32, UnitUse::record, off).ok());
    p.write_record(c, off, 32, 1);
  }
  const uint64_t line = p.anchor();
  REQUIRE(c.lock(std::span(&line, 1), 1, 1) == Code::too_large);
}

TEST_CASE(
    "what does not fit the largest zone is too_large; a full pool is out_of_space and takes puts again after "
    "removes") {
  AnchoredPool p(CommitForm::strict, formatted_image(64 * 1024));
  {
    Commit c(p.pool());
    REQUIRE(c.begin().ok());
    uint64_t off;
    REQUIRE(c.allocate(p->layout().chunk_count() * 4096 + 1, UnitUse::record, off) == Code::too_large);
    REQUIRE(c.allocate(~uint64_t{0}, UnitUse::record, off) == Code::too_large);
    REQUIRE(c.allocate(4 * 4096 + 1, UnitUse::lines, off) == Code::too_large);  // lines are never in extents
  }
  uint32_t word = 0;
  Status s;
  while (word < 7 && (s = p.put(word, 4096, 1)).ok()) ++word;
  if (word == 7) {  // overwriting needs a unit more than it frees
    for (int i = 0; i < 20; ++i) REQUIRE(p.put(0, 4096, 2).ok());
  } else {
    REQUIRE(s == Code::out_of_space);
    REQUIRE(p.remove(0).ok());
    REQUIRE(p.put(0, 4096, 3).ok());
    REQUIRE(p.put(word, 4096, 3) == Code::out_of_space);
  }
  REQUIRE(p.problems(4096).empty());
  REQUIRE(p.account().leaked_bytes == 0);
}

TEST_CASE("freeing what is not allocated, or starts nowhere, is corruption and changes nothing") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  const uint64_t off = p.slot(0);
  const ImagePtr before = p.image()->clone();
  Commit c(p.pool());
  REQUIRE(c.begin().ok());
  REQUIRE(c.free(off + 16, UnitUse::record) == Code::corruption);
  REQUIRE(c.free(64, UnitUse::record) == Code::corruption);
  REQUIRE(
      c.free(off + 112 * 3, UnitUse::record).ok());  // a unit, but a free one: seen when its bit is looked at
  const uint64_t line = p.anchor();
  REQUIRE(c.lock(std::span(&line, 1), 1, 1).ok());
  c.set_word(line, 0, 0);
  REQUIRE(c.publish() == Code::corruption);
  REQUIRE(p.image()->same_as(*before));
}

TEST_CASE("a damaged line is never given a good check again by a commit") {
  AnchoredPool p;
  REQUIRE(p.put(0, 100, 1).ok());
  p->line(p.anchor())->words[5] ^= 1;
  const ImagePtr before = p.image()->clone();
  REQUIRE(p.put(1, 100, 2) == Code::corruption);
  for (uint64_t w = 0; w < 8; ++w)
    REQUIRE(p.image()->at<uint64_t>(p.anchor())[w] == before->at<uint64_t>(p.anchor())[w]);
  REQUIRE(all_free(p.pool()));
}

TEST_CASE("a lane that another thread takes over flushes again what only that thread's fence would cover") {
  AnchoredPool p;
  Pool::prefer_lane(0);
  Lane& lane = *p->lanes()[0];
  REQUIRE(p.put(0, 100, 1).ok());
  while (lane.pending_half < 0) {
    // A commit that leaves a half and is given up before its fence cannot happen; so pretend one did.
    lane.pending_half = static_cast<int>(lane.half);
    lane.pending_thread = thread_serial();
  }
  pmem::Counters cost{};
  std::thread([&] {
    Pool::prefer_lane(0);
    cost = cost_of(p->domain(), [&] {
      Commit c(p.pool());
      REQUIRE(c.begin().ok());
    });
  }).join();
  REQUIRE(cost.lines > 0);
  REQUIRE(cost.fences == 0);
  Pool::prefer_lane(-1);
}

TEST_CASE("a pool that failed refuses further commits and says why") {
  AnchoredPool p;
  p->fail(Status::error(Code::io_error, "the test said so"));
  REQUIRE(p.put(0, 100, 1) == Code::read_only);
  REQUIRE(std::string(last_message()).find("the test said so") != std::string::npos);
  p->fail(Status::error(Code::internal, "later"));
  REQUIRE(p.put(0, 100, 1) == Code::read_only);
  REQUIRE(std::string(last_message()).find("the test said so") != std::string::npos);
}
