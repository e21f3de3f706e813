// Classes of states: that they are what they claim, and that visiting classes finds every outcome that visiting all
// states finds, with real pools.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/crash/explorer.h"
#include "tests/crash/oracle.h"
#include "tests/crash/state_classes.h"
#include "tests/crash/workload_run.h"

using namespace nacre::crash;
using nacre::pmem::Site;

namespace {

struct Collector final : SelectionVisitor {
  std::vector<Selection> all;
  std::vector<size_t> blocks;  // where each begins
  bool visit(const Selection& selection) override { return all.push_back(selection), true; }
  void begin_block() override { blocks.push_back(all.size()); }
};

/// Words of two versions each; `sealing` says what they are, line by line.
Unsettled unsettled_lines(const std::vector<std::pair<Sealing, uint32_t>>& lines) {
  Unsettled u;
  for (uint32_t line = 0; line < lines.size(); ++line)
    for (uint32_t w = 0; w < lines[line].second; ++w) {
      u.words.push_back({.word_idx = line * 8 + w,
                         .first = static_cast<uint32_t>(u.candidates.size()),
                         .count = 2,
                         .latest = 1,
                         .sealing = lines[line].first,
                         .sealed_by = 1});
      u.candidates.push_back({0, 0});
      u.candidates.push_back({1, u.candidates.size()});
    }
  return u;
}

std::vector<Selection> every_selection(const Unsettled& u) {
  Collector seen;
  REQUIRE(visit_selections(u, {.exhaustive = 1 << 16}, 1, seen) == Coverage::all);
  return seen.all;
}

/// Recovers states of one point after the other, on a copy of the durable image.
class States {
 public:
  explicit States(Client& client)
      : client_(client), medium_(client.pool_bytes(), client.max_bytes()), oracle_(client, known_, nullptr) {}

  /// Runs the workload and calls fn(point, allowed) for each crash point, with the durable image of that moment.
  template <class Fn>
  void for_each_point(const Workload& workload, const Fn& fn) {
    Recording recording;
    WorkloadRun run(client_, workload, known_, recording, nullptr);
    REQUIRE(run.prepare());
    for (const std::string& op : workload.ops) REQUIRE(run.step(op));
    const std::vector<Delta>& deltas = run.medium().deltas();
    size_t done = 0;
    for (size_t i = 0; i < recording.count(); ++i) {
      for (; done < recording[i].delta_end; ++done) medium_.assign(deltas[done].word_idx, deltas[done].value);
      fn(recording[i], recording.phase(recording[i].phase).allowed);
    }
  }

  Outcome recover(const CrashPoint& point, const Allowed& allowed, const Selection& selection) {
    const CrashMedium::Mark mark = medium_.mark();
    for (size_t i = 0; i < selection.size(); ++i)
      medium_.assign(point.unsettled.words[i].word_idx,
                     point.unsettled.candidate(point.unsettled.words[i], selection[i]).value);
    const Seen nobody;
    Outcome outcome = oracle_.check(medium_, allowed, nullptr, 1, &nobody);
    medium_.rollback(mark);
    return outcome;
  }

 private:
  Client& client_;
  KnownStates known_;
  CrashMedium medium_;
  Oracle oracle_;
};

/// The sealed and the plain words of a selection: what a block has in common.
Selection without_homes(const Unsettled& u, const Selection& selection) {
  Selection rest;
  for (size_t i = 0; i < u.words.size(); ++i)
    if (u.words[i].sealing != Sealing::home) rest.push_back(selection[i]);
  return rest;
}

struct Totals {
  uint64_t points = 0, states = 0, visited = 0;
};

// Every state of every point that has few enough: its outcome is that of its class, its image that of its block.
void compare_with_every_state(const Workload& workload, Totals* totals) {
  const auto client = find_client_kind(workload.client)->make(parse_config(workload.config));
  States states(*client);
  states.for_each_point(workload, [&](const CrashPoint& point, const Allowed& allowed) {
    const StateClasses classes(point.unsettled);
    const uint64_t plain = selection_count(point.unsettled, 1 << 20);
    if (plain > 8192 || classes.count(plain) == plain) return;
    INFO(workload.name << ", point " << point.number << " " << point.reason);
    std::map<std::vector<uint64_t>, uint64_t> outcome_of_class;
    std::map<Selection, uint64_t> image_of_block;
    std::set<uint64_t> outcomes, visited_outcomes;
    uint64_t wrong = 0;
    const std::vector<Selection> all = every_selection(point.unsettled);
    for (const Selection& selection : all) {
      const Outcome outcome = states.recover(point, allowed, selection);
      wrong += !outcome.finding.empty();
      outcomes.insert(outcome.fingerprint);
      const auto known = outcome_of_class.try_emplace(classes.class_of(selection), outcome.fingerprint).first;
      wrong += known->second != outcome.fingerprint;
      const Selection rest = without_homes(point.unsettled, selection);
      wrong += image_of_block.try_emplace(rest, outcome.image).first->second != outcome.image;
    }
    CHECK(wrong == 0);
    CHECK(outcome_of_class.size() == classes.count(plain));
    Random random{1};
    Collector chosen;
    classes.visit_blocks(random, chosen);
    for (const Selection& selection : chosen.all)
      visited_outcomes.insert(states.recover(point, allowed, selection).fingerprint);
    CHECK(outcomes == visited_outcomes);
    totals->points += 1, totals->states += all.size(), totals->visited += chosen.all.size();
  });
}

}  // namespace

TEST_CASE("one selection of each class is visited, and each selection is of one of them") {
  const Unsettled u = unsettled_lines({{Sealing::none, 2},
                                       {Sealing::cells, 3},
                                       {Sealing::cells, 1},
                                       {Sealing::fresh, 2},
                                       {Sealing::fresh, 2},
                                       {Sealing::home, 2}});
  const StateClasses classes(u);
  CHECK(classes.count(1000) == 2 * 2 * 3 * 2 * 3 * 4);  // the two lines of one fresh range are one part
  CHECK(classes.count(50) == 50);
  std::set<std::vector<uint64_t>> there, visited;
  for (const Selection& selection : every_selection(u)) there.insert(classes.class_of(selection));
  Collector seen;
  Random random{1};
  classes.visit_all(random, seen);
  for (const Selection& selection : seen.all) visited.insert(classes.class_of(selection));
  CHECK(seen.all.size() == classes.count(1000));
  CHECK(visited == there);
  CHECK(visited.size() == seen.all.size());
}

TEST_CASE("a sealed word that has had two new values, or its old one again, is nobody's part but its own") {
  Unsettled u = unsettled_lines({{Sealing::cells, 3}, {Sealing::fresh, 2}});
  u.words[1].latest = 0;  // the word came back to what is durable
  u.words[3].count = 3, u.words[3].latest = 2;
  u.candidates.resize(u.candidates.size() + 1);
  const StateClasses classes(u);
  CHECK(classes.count(1000) == 3 * 2 * 3 * 2);
  Collector seen;
  Random random{1};
  classes.visit_all(random, seen);
  CHECK(seen.all.size() == 36);
}

TEST_CASE("in a block one home line varies at a time, and all blocks are visited") {
  const Unsettled u = unsettled_lines({{Sealing::fresh, 2}, {Sealing::home, 3}, {Sealing::home, 2}});
  const StateClasses classes(u);
  Collector seen;
  Random random{1};
  classes.visit_blocks(random, seen);
  REQUIRE(seen.blocks.size() == 3);
  CHECK(seen.all.size() == classes.count_in_blocks(1000));
  for (size_t b = 0; b < seen.blocks.size(); ++b) {
    const size_t end = b + 1 < seen.blocks.size() ? seen.blocks[b + 1] : seen.all.size();
    const Selection first = seen.all[seen.blocks[b]];
    std::set<Selection> distinct;
    for (size_t i = seen.blocks[b]; i < end; ++i) {
      const Selection& s = seen.all[i];
      CHECK(std::equal(s.begin(), s.begin() + 2, first.begin()));
      const bool a_latest = s[2] + s[3] + s[4] == 3, a_durable = s[2] + s[3] + s[4] == 0;
      const bool b_latest = s[5] + s[6] == 2, b_durable = s[5] + s[6] == 0;
      CHECK((a_latest || a_durable || b_latest || b_durable));
      distinct.insert(s);
    }
    CHECK(distinct.count({first[0], first[1], 1, 0, 1, 1, 1}) == 1);
    CHECK(distinct.count({first[0], first[1], 0, 1, 0, 0, 0}) == 1);
    CHECK(distinct.count({first[0], first[1], 0, 0, 0, 1, 0}) == 1);
  }
}

TEST_CASE("what a word is used for is known by its flush or its apply, until somebody else stores into it") {
  constexpr Site kLog{"alloc.commit.log_flush"}, kOther{"test.flush"};
  CrashDomain d(65536);
  const auto sealing = [&](uint64_t off) {
    d.medium().observe();
    Unsettled u;
    d.medium().collect(&u);
    for (const auto& word : u.words)
      if (word.word_idx == off / 8) return word.sealing;
    FAIL("not unsettled");
    return Sealing::none;
  };
  *d.at<uint64_t>(64) = 1, *d.at<uint64_t>(72) = 1;
  d.flush(64, 8, kLog);
  CHECK(sealing(64) == Sealing::cells);
  CHECK(sealing(72) == Sealing::none);  // in the same line, but not of the record
  *d.at<uint64_t>(64) = 2;
  d.flush(64, 8, kOther);
  CHECK(sealing(64) == Sealing::none);
  *d.at<uint64_t>(128) = 1, *d.at<uint64_t>(136) = 1;
  d.dirty(128, 64);
  CHECK(sealing(128) == Sealing::home);
  *d.at<uint64_t>(128) = 2;
  d.dirty(128, 64);
  CHECK(sealing(128) == Sealing::home);
  *d.at<uint64_t>(136) = 2;  // not by an apply
  CHECK(sealing(136) == Sealing::none);
  d.dirty(128, 64);
  *d.at<uint64_t>(136) = 3;
  d.dirty(128, 64);
  CHECK(sealing(136) == Sealing::none);  // once is enough
}

TEST_CASE("with real pools every state is recovered as its class is, to the image of its block") {
  Totals totals;
  for (const std::string form : {"form=strict", "form=one"}) {
    for (const char* ops : {"put:0:24:1;del:0", "put:0:24:1;put:7:24:3", "put:0:24:4:8:24:5;move:0", "epoch;put:0:24:1",
                            "put:0:24:1;lane:1;put:1:24:2;!kill;del:1"}) {
      Workload workload{form + " " + ops, "pool", form, {"put:0:24:9:1:24:8", "retire", "|"}};
      for (const std::string& op : split(ops, ';')) workload.ops.push_back(op);
      compare_with_every_state(workload, &totals);
    }
    for (const char* ops : {"put:0:1:8:2;del:0:1", "create:1;put:1:1:8:4", "addclass:304;put:0:2:8:3"}) {
      Workload workload{form + " " + ops, "db", form, {"put:0:1:8:1", "retire", "|"}};
      for (const std::string& op : split(ops, ';')) workload.ops.push_back(op);
      compare_with_every_state(workload, &totals);
    }
  }
  INFO(totals.points << " points, " << totals.states << " states, " << totals.visited << " visited by class");
  CHECK(totals.points > 40);
  CHECK(totals.states > 40'000);
  CHECK(totals.visited * 4 < totals.states);
}

TEST_CASE("home lines without a durable log are found torn, and their points count as cut") {
  const Workload workload{"", "pool", "form=strict", {"put:0:24:9", "retire", "|", "put:0:24:1", "put:7:24:3"}};
  SiteTable sites;
  sites.set_fault("alloc.commit.fence", SiteFault::off);
  const auto client = find_client_kind("pool")->make(parse_config(workload.config));
  ExploreConfig config;
  config.depth = 1, config.max_failures = 1000000, config.shrink = false;
  config.limits.exhaustive = 1, config.limits.classes = 1 << 16;
  const Report broken = Explorer(*client, config, &sites).explore(workload);
  CHECK(broken.violations > 0);
  CHECK(broken.cut_points > 0);
  const Report sound = Explorer(*client, config).explore(workload);
  CHECK(sound.violations == 0);
  CHECK(sound.cut_points == 0);
  CHECK(sound.class_points > 0);
}
