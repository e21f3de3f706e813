// The explorer, before anything is proved with it: the medium keeps exactly the versions that model W allows,
// the selections cover what they claim, every seeded bug of the toy store is found and the sound one passes.
#include <catch2/catch.hpp>

#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "tests/crash/crash_domain.h"
#include "tests/crash/explorer.h"
#include "tests/crash/mutation.h"
#include "tests/crash/selection.h"
#include "tests/crash/sequences.h"
#include "tests/crash/toy_client.h"
#include "tests/crash/zobrist.h"

using namespace nacre::crash;
using nacre::pmem::Site;

namespace {

constexpr Site kFlush{"test.flush"}, kFence{"test.fence"};
constexpr uint64_t kPoolBytes = 65536;

uint64_t& word(CrashDomain& d, uint64_t off) { return *d.at<uint64_t>(off); }

/// The values that the word at `off` may have after a crash now, the durable one first.
std::vector<uint64_t> candidates(CrashDomain& d, uint64_t off) {
  d.medium().observe();
  Unsettled u;
  d.medium().collect(&u);
  std::vector<uint64_t> values;
  for (const auto& w : u.words)
    if (w.word_idx == off / 8)
      for (uint32_t c = 0; c < w.count; ++c) values.push_back(u.candidate(w, c).value);
  return values;
}

using Values = std::vector<uint64_t>;

/// `count` words, each with the candidates 0 (durable), 1, ... versions - 1.
Unsettled unsettled_words(uint32_t count, uint16_t versions, uint32_t words_per_line = 8) {
  Unsettled u;
  uint64_t stamp = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t word_idx = i / words_per_line * 8 + i % words_per_line;
    u.words.push_back(
        {word_idx, static_cast<uint32_t>(u.candidates.size()), versions, static_cast<uint16_t>(versions - 1)});
    for (uint16_t v = 0; v < versions; ++v) u.candidates.push_back({v, stamp++});
  }
  return u;
}

struct Collector final : SelectionVisitor {
  std::set<Selection> distinct;
  uint64_t count = 0;
  bool visit(const Selection& selection) override {
    distinct.insert(selection);
    ++count;
    return true;
  }
};

uint64_t hash_of_image(const std::byte* image, uint64_t bytes) {
  uint64_t hash = 0;
  for (uint64_t w = 0; w < bytes / 8; ++w) {
    uint64_t value;
    std::memcpy(&value, image + w * 8, 8);
    hash ^= zobrist_change(w, 0, value);
  }
  return hash;
}

/// Two-operation workloads without crashes of their own, for judging what nested exploration adds.
Workload plain_workload(const std::string& bug) {
  return {"plain", "toy", "bug=" + bug, {"set:0:3", "move:0:1", "set:0:4"}, true};
}

ExploreConfig thorough() {
  ExploreConfig config;
  config.nested_every = 1;
  return config;
}

Report explore(const Workload& workload, const ExploreConfig& config) {
  const auto client = find_client_kind(workload.client)->make(parse_config(workload.config));
  return Explorer(*client, config).explore(workload);
}

}  // namespace

TEST_CASE("a flush captures the content of that moment, a fence drains it") {
  CrashDomain d(kPoolBytes);
  word(d, 64) = 1;
  d.flush(64, 8, kFlush);
  word(d, 64) = 2;
  CHECK(candidates(d, 64) == Values{0, 1, 2});
  d.fence(kFence);
  CHECK(candidates(d, 64) == Values{1, 2});
  d.flush(64, 8, kFlush);
  d.fence(kFence);
  CHECK(d.medium().settled());
}

TEST_CASE("a word that was stored but never flushed may be lost for ever") {
  CrashDomain d(kPoolBytes);
  word(d, 8192) = 7;
  for (uint64_t i = 1; i <= 3; ++i) {
    word(d, 64) = i;
    d.flush(64, 8, kFlush);
    d.fence(kFence);
  }
  CHECK(candidates(d, 64).empty());
  CHECK(candidates(d, 8192) == Values{0, 7});
}

TEST_CASE("a flush takes the whole line, whatever part of it was named") {
  CrashDomain d(kPoolBytes);
  word(d, 64) = 1, word(d, 120) = 2, word(d, 128) = 3;
  d.flush(100, 1, kFlush);
  d.fence(kFence);
  CHECK(candidates(d, 64).empty());
  CHECK(candidates(d, 120).empty());
  CHECK(candidates(d, 128) == Values{0, 3});
}

TEST_CASE("a fence drains the flushes of its own thread only") {
  CrashDomain d(kPoolBytes);
  word(d, 64) = 1;
  std::thread([&] { d.flush(64, 8, kFlush); }).join();
  d.fence(kFence);
  CHECK(candidates(d, 64) == Values{0, 1});
}

TEST_CASE("an older capture that is drained after a newer one takes nothing back") {
  CrashDomain d(kPoolBytes);
  word(d, 64) = 1;
  d.flush(64, 8, kFlush);
  word(d, 64) = 2;
  std::thread([&] { d.flush(64, 8, kFlush), d.fence(kFence); }).join();
  CHECK(d.medium().settled());
  word(d, 64) = 3;
  d.fence(kFence);
  CHECK(candidates(d, 64) == Values{2, 3});
}

TEST_CASE("a value that comes back is one candidate, and the word stays unsettled") {
  CrashDomain d(kPoolBytes);
  word(d, 64) = 1;
  d.medium().dirty(64, 8);
  word(d, 64) = 0;
  CHECK(candidates(d, 64) == Values{0, 1});
}

TEST_CASE("every word of a pool is seen, the first and the last too") {
  CrashDomain d(kPoolBytes);
  word(d, 0) = 1, word(d, kPoolBytes - 8) = 2;
  CHECK(candidates(d, 0) == Values{0, 1});
  CHECK(candidates(d, kPoolBytes - 8) == Values{0, 2});
}

TEST_CASE("faults: off does nothing, short misses the last line, early captures what was there before") {
  SiteTable sites;
  CrashDomain d(kPoolBytes);
  d.medium().set_sites(&sites);
  const auto store_flush_fence = [&] {
    word(d, 64) += 1, word(d, 128) += 1;
    d.flush(64, 128, kFlush);
    d.fence(kFence);
  };
  SECTION("flush off") {
    sites.set_fault("test.flush", SiteFault::off);
    store_flush_fence();
    CHECK(candidates(d, 64) == Values{0, 1});
  }
  SECTION("fence off") {
    sites.set_fault("test.fence", SiteFault::off);
    store_flush_fence();
    CHECK(candidates(d, 64) == Values{0, 1});
    d.fence({"another fence"});
    CHECK(d.medium().settled());
  }
  SECTION("short") {
    sites.set_fault("test.flush", SiteFault::short_line);
    store_flush_fence();
    CHECK(candidates(d, 64).empty());
    CHECK(candidates(d, 128) == Values{0, 1});
  }
  SECTION("early") {
    sites.set_fault("test.flush", SiteFault::early);
    store_flush_fence();
    store_flush_fence();
    CHECK(candidates(d, 64) == Values{1, 2});
  }
  CHECK(sites.sites().size() >= 2);
}

TEST_CASE("rollback takes back every store, observed or blind, and the hash") {
  CrashMedium medium(kPoolBytes);
  medium.assign(3, 33);
  const auto mark = medium.mark();
  const std::vector<std::byte> before(medium.working(), medium.working() + kPoolBytes);
  for (const bool blind : {false, true}) {
    medium.set_blind(blind);
    CrashDomain d(medium);
    for (uint64_t off = 0; off < kPoolBytes; off += 1000) word(d, off & ~7ull) = off + 1;
    d.flush(0, 20000, kFlush);
    d.fence(kFence);
    word(d, 64) = 99;
    if (!blind) CHECK(medium.durable_hash() == hash_of_image(medium.durable(), kPoolBytes));
    if (!blind) CHECK(medium.durable_hash() != mark.durable_hash);
    medium.rollback(mark);
    CHECK(medium.settled());
    CHECK(std::memcmp(medium.working(), before.data(), kPoolBytes) == 0);
    CHECK(std::memcmp(medium.durable(), before.data(), kPoolBytes) == 0);
    CHECK(medium.durable_hash() == hash_of_image(medium.durable(), kPoolBytes));
  }
}

TEST_CASE("after kill -9 what is visible is not durable until it is flushed again") {
  std::vector<std::byte> durable(kPoolBytes), working(kPoolBytes);
  working[64] = std::byte{5}, working[128] = std::byte{6};
  CrashDomain d(working, durable);
  CHECK(word(d, 64) == 5);
  d.fence(kFence);
  CHECK(candidates(d, 64) == Values{0, 5});
  d.flush(64, 8, kFlush);
  d.fence(kFence);
  CHECK(candidates(d, 64).empty());
  CHECK(candidates(d, 128) == Values{0, 6});
}

TEST_CASE("assign_killed keeps every version and the order of stores") {
  CrashDomain d(kPoolBytes);
  for (uint64_t v : {1, 2, 1}) word(d, 64) = v, d.medium().dirty(64, 8);
  Unsettled u;
  d.medium().collect(&u);
  CrashMedium after(kPoolBytes);
  after.assign_killed(u);
  CrashDomain e(after);
  CHECK(word(e, 64) == 1);
  CHECK(candidates(e, 64) == Values{0, 1, 2});
}

TEST_CASE("a covering array shows every pair of candidates of any two words") {
  for (const size_t count : {1, 2, 3, 5, 9, 36, 70, 130}) {
    std::vector<uint16_t> levels;
    for (size_t i = 0; i < count; ++i) levels.push_back(static_cast<uint16_t>(2 + (i % 5 == 0) + (i % 7 == 0)));
    const auto rows = covering_array(levels);
    CHECK(rows.size() <= 80);
    uint64_t missing = 0;
    for (size_t i = 0; i < count; ++i)
      for (size_t j = i + 1; j < count; ++j) {
        std::set<std::pair<int, int>> pairs;
        for (const auto& row : rows) pairs.insert({row[i], row[j]});
        missing += static_cast<uint64_t>(levels[i] * levels[j]) - pairs.size();
      }
    CHECK(missing == 0);
  }
  CHECK(covering_array(std::vector<uint16_t>(64, 2)).size() <= 20);
}

TEST_CASE("up to the limit every selection is visited exactly once") {
  Collector twelve_words, six_words_of_four;
  CHECK(visit_selections(unsettled_words(12, 2), {}, 1, twelve_words) == Coverage::all);
  CHECK(twelve_words.distinct.size() == 4096);
  CHECK(twelve_words.count == 4096);
  CHECK(visit_selections(unsettled_words(6, 4), {}, 1, six_words_of_four) == Coverage::all);
  CHECK(six_words_of_four.distinct.size() == 4096);
  Collector none;
  CHECK(visit_selections({}, {}, 1, none) == Coverage::all);
  CHECK(none.count == 1);
}

TEST_CASE("model L keeps prefixes of each line's stores, model E one prefix of all") {
  // Words 0 to 3 of line 0, stored in this order, then word 8 of line 1.
  Unsettled u;
  for (uint32_t i = 0; i < 5; ++i) {
    u.words.push_back({.word_idx = i < 4 ? i : 8, .first = 2 * i, .count = 2, .latest = 1});
    u.candidates.push_back({0, 0});
    u.candidates.push_back({1, i + 1});
  }
  Collector all, lines, prefixes;
  CHECK(visit_selections(u, {}, 1, all) == Coverage::all);
  CHECK(visit_selections(u, {.model = CrashModel::L}, 1, lines) == Coverage::all);
  CHECK(visit_selections(u, {.model = CrashModel::E}, 1, prefixes) == Coverage::all);
  CHECK(all.distinct.size() == 32);
  CHECK(lines.distinct.size() == 5 * 2);
  CHECK(prefixes.distinct.size() == 6);
  CHECK(lines.distinct.count({1, 1, 0, 0, 1}) == 1);
  CHECK(lines.distinct.count({0, 1, 0, 0, 0}) == 0);
  CHECK(prefixes.distinct.count({1, 1, 1, 1, 0}) == 1);
  CHECK(prefixes.distinct.count({1, 1, 0, 0, 1}) == 0);
  for (const auto& selection : prefixes.distinct) CHECK(lines.distinct.count(selection) == 1);
}

TEST_CASE("a word that went back to an older value is seen with it in models L and E") {
  Unsettled u;  // 0, 1, 0 again: the second zero is the latest
  u.words.push_back({.word_idx = 0, .first = 0, .count = 2, .latest = 0});
  u.candidates = {{0, 0}, {1, 1}};
  for (const CrashModel model : {CrashModel::L, CrashModel::E}) {
    Collector seen;
    CHECK(visit_selections(u, {.model = model}, 1, seen) == Coverage::all);
    CHECK(seen.distinct.size() == 2);
  }
}

TEST_CASE("model L finds an order that model E cannot, and neither needs a flush where E has none") {
  ExploreConfig config = thorough();
  config.kills = false;
  config.limits.model = config.nested_limits.model = CrashModel::E;
  CHECK(explore(plain_workload("no_log_flush"), config).violations == 0);  // persistent caches need no flush
  CHECK(explore(plain_workload("valid_first"), config).violations > 0);    // but an order
  config.limits.model = config.nested_limits.model = CrashModel::L;
  CHECK(explore(plain_workload("no_log_flush"), config).violations > 0);
}

TEST_CASE("a late fence lets the stores after it overtake those before it") {
  const auto states = [](SiteFault fault) {
    CrashMedium medium(kPoolBytes);
    SiteTable sites;
    sites.set_fault(kFence.name, fault);
    medium.set_sites(&sites);
    CrashDomain d(medium);
    word(d, 64) = 1;
    d.flush(64, 8, kFlush);
    d.fence(kFence);
    word(d, 128) = 2;
    Unsettled u;
    medium.observe();
    medium.collect(&u);
    const size_t before = u.words.size();
    medium.finish_late();
    medium.collect(&u);
    return std::make_pair(before, u.words.size());
  };
  CHECK(states(SiteFault::none) == std::make_pair<size_t, size_t>(1, 1));
  CHECK(states(SiteFault::late) == std::make_pair<size_t, size_t>(2, 1));
  CHECK(states(SiteFault::off) == std::make_pair<size_t, size_t>(2, 2));
}

TEST_CASE("beyond the limit the cut is reported and the families are there") {
  const Unsettled u = unsettled_words(40, 2);
  Collector seen;
  CHECK(visit_selections(u, {}, 1, seen) == Coverage::sampled);
  Selection one_in(40, 0), one_out(40, 1), first_line(40, 0), prefix(40, 0);
  one_in[17] = 1, one_out[23] = 0;
  std::fill_n(first_line.begin() + 8, 8, uint16_t{1});
  std::fill_n(prefix.begin(), 29, uint16_t{1});
  Selection suffix(40, 1);
  std::fill_n(suffix.begin(), 29, uint16_t{0});
  for (const auto& expected : {one_in, one_out, first_line, prefix, suffix, Selection(40, 0), Selection(40, 1)})
    CHECK(seen.distinct.count(expected) == 1);
  Collector few;
  CHECK(visit_selections(unsettled_words(4000, 3), {.exhaustive = 64, .sampled = 100}, 1, few) == Coverage::thinned);
  CHECK(few.count < 400);
}

TEST_CASE("a selection is written as the shorter list of exceptions and read back") {
  const Unsettled u = unsettled_words(20, 3, 4);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random{seed};
    Selection selection, back;
    for (size_t i = 0; i < u.words.size(); ++i)
      selection.push_back(static_cast<uint16_t>(seed % 3 == 0 ? random.below(3) : seed % 3 == 1 ? 2 : 0));
    REQUIRE(parse_pick(u, pick_text(u, selection), &back));
    REQUIRE(back == selection);
  }
  Selection ignored;
  for (const char* bad : {"", "x", "d+0x40", "d+0x41:1", "d+0x40:9", "d+40:1", "d+0xfff8:1"})
    CHECK_FALSE(parse_pick(u, bad, &ignored));
}

TEST_CASE("shrinking keeps only the exceptions that matter") {
  const auto fails = [](const std::vector<CrashStep>& steps) {
    return steps[0].pick.find("+0x18:1") != std::string::npos && steps[0].pick.find("+0x50:1") != std::string::npos;
  };
  std::string pick = "d";
  for (int off = 8; off < 0x100; off += 8) {
    char part[24];
    std::snprintf(part, sizeof part, "+0x%x:1", static_cast<unsigned>(off));
    pick += part;
  }
  CHECK(shrink_steps({{4, pick}}, fails)[0].pick == "d+0x18:1+0x50:1");
}

TEST_CASE("the sound toy store passes every workload, exhaustively and through nested crashes") {
  Report all;
  for (const Workload& workload : toy_client_kind().workloads()) {
    INFO(workload.name);
    const Report report = explore(workload, thorough());
    if (!report.failures.empty()) INFO(report.failures[0].line << "\n" << report.failures[0].what);
    CHECK(report.violations == 0);
    all.add(report);
  }
  INFO(all.summary());
  CHECK(all.states > 500);
  CHECK(all.nested_states > 1000);
}

TEST_CASE("every seeded bug is found, and its line replays it") {
  for (const ToyBug& bug : toy_bugs()) {
    INFO(bug.name << ": " << bug.what);
    const Workload workload = plain_workload(bug.name);
    ExploreConfig config = thorough();
    config.depth = bug.needs_nested ? 2 : 1;
    const Report report = explore(workload, config);
    REQUIRE(report.violations > 0);
    const Failure& failure = report.failures[0];
    INFO(failure.line << "\n" << failure.what);
    CHECK(failure.what.find("NOT REPEATABLE") == std::string::npos);
    CHECK(failure.steps.size() == (bug.needs_nested && bug.name != "check_writes" ? 2 : 1));
    const auto client = find_client_kind("toy")->make(parse_config(workload.config));
    std::string trace;
    CHECK(Explorer(*client, config).replay(workload, failure.steps, &trace) == failure.what);
    CHECK(trace.find("finding: ") != std::string::npos);
  }
}

TEST_CASE("nested crashes and kills are needed: without them these bugs stay hidden") {
  for (const ToyBug& bug : toy_bugs()) {
    INFO(bug.name);
    ExploreConfig config = thorough();
    if (bug.needs_nested) {
      config.depth = 1;
      CHECK(explore(plain_workload(bug.name), config).violations == 0);
    }
    if (bug.needs_kill) {
      config = thorough();
      config.kills = false;
      CHECK(explore(plain_workload(bug.name), config).violations == 0);
    }
  }
}

TEST_CASE("every flush and fence site of the toy store is missed when it is broken") {
  const std::vector<Workload> workloads = toy_client_kind().workloads();
  MutationConfig config{.explore = thorough(), .efforts = {{100'000, 4}}, .hints = {}, .equivalents = {}};
  const Score score = score_mutants(workloads, passed_mutants(workloads, thorough()), config);
  CHECK(score.unsound.empty());
  CHECK(score.mutants.size() > 30);
  for (const Mutant& mutant : score.mutants) {
    INFO(mutant.id.text());
    if (mutant.effects != 0) CHECK_FALSE(mutant.killed_by.empty());
    if (mutant.id.operation == "off") CHECK(mutant.effects != 0);
  }
}

TEST_CASE("a budget is kept and what it cost is said") {
  ExploreConfig config = thorough();
  config.max_states = 150;
  const Report report = explore(toy_client_kind().workloads().back(), config);
  CHECK(report.violations == 0);
  CHECK(report.states + report.nested_states < 400);
  CHECK(report.starved_points > 0);
}

TEST_CASE("the same seed gives the same run") {
  const Workload workload = toy_client_kind().workloads().back();
  const Report a = explore(workload, {}), b = explore(workload, {});
  CHECK(a.states == b.states);
  CHECK(a.nested_states == b.nested_states);
  CHECK(a.seen_states == b.seen_states);
}

TEST_CASE("the sequences of three are every operation of a family three times over, behind its own preparation") {
  std::vector<Workload> pairs;
  for (const ClientKind& kind : client_kinds())
    for (Workload& workload : kind.workloads())
      if (workload.is_sequence) pairs.push_back(std::move(workload));
  std::map<std::string, std::pair<std::set<std::string>, uint64_t>> alphabets;  // family -> operations, pairs
  const auto family = [](const Workload& w, size_t length) {
    return w.client + w.config + join({w.ops.begin(), w.ops.end() - static_cast<ptrdiff_t>(length)}, ';');
  };
  for (const Workload& pair : pairs) {
    auto& [alphabet, count] = alphabets[family(pair, 2)];
    alphabet.insert(pair.ops.end()[-2]), alphabet.insert(pair.ops.end()[-1]);
    ++count;
  }
  uint64_t expected = 0;
  for (const auto& [name, of] : alphabets) {
    CHECK(of.second == of.first.size() * of.first.size());  // every ordered pair is there
    expected += of.first.size() * of.first.size() * of.first.size();
  }
  std::set<std::string> distinct, names;
  for (const Workload& w : sequences_of_three(pairs)) {
    CHECK(alphabets.count(family(w, 3)) == 1);
    CHECK(w.ops.end()[-4] == "|");
    distinct.insert(replay_line(w, {})), names.insert(w.client + w.name);
  }
  CHECK(distinct.size() == expected);
  CHECK(names.size() == expected);
}
