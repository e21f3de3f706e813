#include "tests/damage/judge.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "alloc/pool.h"

namespace nacre::damage {
namespace {

using engine::Db;
using engine::Figure;
using engine::Table;

const std::string kFresh = "fresh", kValue(20, 'v');

std::string quoted(std::string_view key) { return "'" + std::string(key) + "'"; }

}  // namespace

const char* outcome_name(Outcome outcome) noexcept {
  static constexpr std::array<const char*, kOutcomeCount> kNames{
      "at open", "at check", "at access", "healed", "harmless", "taken back", "wrong,told", "WRONG", "CRASH", "HANG"};
  return kNames[static_cast<size_t>(outcome)];
}

/// What one handle saw.
struct Judge::Sight {
  bool explain = false;
  bool opened = false;
  bool check_told = false;
  bool refused = false;  // an operation said that the pool is damaged
  bool wrong = false;
  bool odd = false;
  std::string text = {};

  void say(const std::string& what) {
    if (explain) text += "  " + what + "\n";
  }
  void error(Status s, const std::string& what) {
    (s.code() == Code::corruption ? refused : odd) = true;
    if (explain) say(what + ": " + s.name() + ": " + s.message());
  }
  void is_wrong(const std::string& what) {
    wrong = true;
    say("WRONG: " + what);
  }
  bool told() const noexcept { return check_told || refused; }
  bool bad() const noexcept { return !opened || refused || wrong || odd; }

  std::unique_ptr<Db> open(Victim& victim, const engine::Options& options) {
    alloc::Pool::prefer_lane(0);
    auto db = Db::open_domain(std::make_unique<VictimDomain>(victim), options, false);
    opened = db.has_value();
    if (opened) return std::move(*db);
    const Code code = db.status().code();
    odd = code != Code::corruption && code != Code::not_a_pool && code != Code::incompatible;
    if (explain) say(std::string("open: ") + db.status().name() + ": " + db.status().message());
    return nullptr;
  }

  void check(Db& db) {
    const auto figures = db.check();
    if (!figures) {
      check_told = true;
      return error(figures.status(), "check");
    }
    for (const Figure& f : *figures) {
      if (f.name == "problems" && f.value != 0) check_told = true;
      if (explain && f.name == "problem") say("check: " + f.text);
    }
  }

  void read_table(Table& table, const Pairs& pairs) {
    for (const auto& [key, value] : pairs) {
      bool same = false;
      const std::string_view want = value;
      const Status s = table.get(key, [&](std::string_view seen) { same = seen == want; });
      if (s.code() == Code::not_found)
        is_wrong("get does not find " + quoted(key));
      else if (!s.ok())
        error(s, "get");
      else if (!same)
        is_wrong("get of " + quoted(key) + " gives another value");
    }
    const Status absent = table.exists("absent");
    if (absent.ok()) is_wrong("get finds a key that is not there");
    if (!absent.ok() && absent.code() != Code::not_found) error(absent, "get of an absent key");
    scan_table(table, pairs);
    const auto count = table.count();
    if (!count)
      error(count.status(), "count");
    else if (*count != pairs.size())
      is_wrong("count says " + std::to_string(*count) + " of " + std::to_string(pairs.size()));
  }

  void scan_table(Table& table, const Pairs& pairs) {
    size_t seen = 0;
    const Status s = table.scan([&](std::string_view key, std::string_view value) {
      ++seen;
      const auto it = pairs.find(key);
      if (it == pairs.end() || it->second != value) is_wrong("scan gives a pair that is not there: " + quoted(key));
      return seen <= pairs.size();
    });
    if (s.code() == Code::stopped || (s.ok() && seen != pairs.size())) return is_wrong("scan gives another number");
    if (!s.ok()) error(s, "scan");
  }

  void read_all(Db& db, const Content& content) {
    const auto tables = db.tables();
    if (!tables) return error(tables.status(), "tables");
    if (tables->size() != content.size()) is_wrong("another number of tables");
    for (const auto& [name, pairs] : content) {
      auto table = db.table(name, std::nullopt);
      if (table)
        read_table(**table, pairs);
      else if (table.status().code() == Code::not_found)
        is_wrong("there is no table " + quoted(name));
      else
        error(table.status(), "table");
    }
  }

  // One write and its read-back. The content follows if it was acknowledged.
  void write(Db& db, Content& content, uint32_t which) {
    Pairs& pairs = content.begin()->second;
    auto table = db.table(content.begin()->first, std::nullopt);
    if (!table) return error(table.status(), "table");
    const std::string key = which == 0 ? kFresh : which == 1 ? pairs.begin()->first : pairs.rbegin()->first;
    const bool removes = which == 2;
    const Status s = removes ? (*table)->remove(key) : (*table)->put(key, kValue);
    if (s.code() == Code::not_found) return is_wrong("remove does not find " + quoted(key));
    if (!s.ok()) return error(s, removes ? "remove" : "put");
    if (removes)
      pairs.erase(key);
    else
      pairs[key] = kValue;
    bool same = removes;
    const Status back = (*table)->get(key, [&](std::string_view seen) { same = !removes && seen == kValue; });
    if (!back.ok() && back.code() != Code::not_found) return error(back, "read-back");
    if (back.ok() == removes || !same) is_wrong("what was written is not read back");
  }
};

Judge::Judge(const PoolShape& shape) : shape_(shape), regions_(shape), victim_(shape.capacity_bytes) {
  for (uint32_t write = 0; write < kWrites; ++write) {
    const Verdict v = judge_undamaged(write);
    if (v.outcome != Outcome::harmless || v.check_disagrees || v.odd_error) {
      std::fprintf(stderr, "the undamaged pool '%s' is not judged sound (%s):\n%s", shape.name.c_str(),
                   outcome_name(v.outcome), v.text.c_str());
      std::abort();
    }
    undamaged_[write] = {victim_.bytes().begin(), victim_.bytes().end()};
  }
}

void Judge::load(const Damage* damage) {
  victim_.load(shape_.base);
  if (damage != nullptr) (void)apply(*damage, shape_, victim_.bytes());
}

bool Judge::changes_anything(const Damage& damage) {
  victim_.load(shape_.base);
  return apply(damage, shape_, victim_.bytes());
}

void Judge::look_read_only(const Content& content, Sight& sight) {
  const auto db = sight.open(victim_, shape_.options(true));
  if (db == nullptr) return;
  sight.check(*db);
  sight.read_all(*db, content);
}

void Judge::look_and_write(Content& content, uint32_t write, Sight& sight) {
  const auto db = sight.open(victim_, shape_.options(false));
  if (db == nullptr) return;
  sight.read_all(*db, content);
  sight.write(*db, content, write);
  sight.check(*db);
  if (const Status s = db->close(); !s.ok()) sight.error(s, "close");
}

// No trace of the damage is left: the bytes are those of the base or of the same run without damage.
bool Judge::repaired(const Damage& damage, uint32_t write) const {
  const std::span<const std::byte> now = victim_.bytes();
  const auto same = [&](uint64_t off, uint64_t bytes) {
    if (off + bytes > now.size()) return true;  // it was cut off
    const auto equals = [&](const Bytes& to) {
      return off + bytes <= to.size() && std::memcmp(&now[off], &to[off], bytes) == 0;
    };
    return equals(undamaged_[write]) || equals(shape_.base);
  };
  bool all = true;
  damage.for_each_range([&](uint64_t off, uint64_t bytes) { all = all && same(off, bytes); });
  return all;
}

Region Judge::region_of(const Damage& damage) const noexcept {
  Region first = Region::free_space;
  damage.for_each_range([&](uint64_t off, uint64_t bytes) { first = std::min(first, regions_.of(off, bytes)); });
  return first;
}

// The log, or fresh bytes that a log record names: what tells that the last commit happened.
bool Judge::touches_proof(const Damage& damage) const noexcept {
  bool found = false;
  damage.for_each_range([&](uint64_t off, uint64_t bytes) {
    for (uint64_t i = off; i < off + bytes && !found; ++i)
      found = regions_.at(i) == Region::lanes || regions_.at(i) == Region::records;
  });
  return found;
}

Verdict Judge::run(const Damage* damage, const Content& content, uint32_t write, bool explain) {
  Sight before{explain}, writing{explain}, after{explain};
  Content expected = content;
  load(damage);
  before.say("read-only:");
  look_read_only(content, before);
  load(damage);
  writing.say("read-write:");
  look_and_write(expected, write, writing);
  const bool gone = damage != nullptr && writing.opened && repaired(*damage, write);
  if (writing.opened) {
    after.say("reopened:");
    look_read_only(expected, after);
  }
  Verdict v;
  const bool sound_before = before.opened && !before.check_told;
  const bool sound_after = writing.opened && !writing.check_told;
  v.check_disagrees = (sound_before && (before.bad() || writing.bad())) || (sound_after && after.bad());
  v.odd_error = before.odd || writing.odd || after.odd;
  const bool told = before.told() || writing.told() || after.told() || !before.opened || !writing.opened;
  if (before.wrong || writing.wrong || after.wrong)
    v.outcome = told ? Outcome::wrong_told : Outcome::wrong;
  else if (!before.opened || !writing.opened || !after.opened)
    v.outcome = Outcome::at_open;
  else if (before.refused || writing.refused || after.refused)
    v.outcome = Outcome::at_access;
  else if (gone)
    v.outcome = Outcome::healed;
  else
    v.outcome = told ? Outcome::at_check : Outcome::harmless;
  v.text = before.text + writing.text + after.text;
  return v;
}

Verdict Judge::judge(const Damage& damage, uint32_t write, bool explain) {
  Verdict v = run(&damage, shape_.content, write, explain);
  if (v.outcome != Outcome::wrong && v.outcome != Outcome::wrong_told) return v;
  if (!shape_.before_last || !touches_proof(damage)) return v;
  Verdict taken_back = run(&damage, *shape_.before_last, write, explain);
  if (taken_back.outcome == Outcome::wrong || taken_back.outcome == Outcome::wrong_told) return v;
  taken_back.outcome = Outcome::rolled_back;
  return taken_back;
}

Verdict Judge::judge_undamaged(uint32_t write) { return run(nullptr, shape_.content, write, true); }

}  // namespace nacre::damage
