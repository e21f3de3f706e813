#include "tests/support/pool_script.h"

#include "tests/support/random.h"
#include "tests/support/soundness.h"

namespace nacre::test {
namespace {

using engine::Db;
using engine::EngineKind;

// A record of each class and each path: within a line, one line, several classes, a slab of several chunks, an extent,
// and one that is copied past the cache.
constexpr uint64_t kSizes[] = {0, 1, 16, 100, 300, 1'000, 3'000, 10'000, 40'000, 70'000, 140'000};

std::string text_of(uint64_t bytes, uint64_t seed) { return Random(seed * 1'000'003 + bytes).bytes(bytes); }

Result<std::shared_ptr<engine::Table>> table_of(Db& db, const std::string& name) {
  return db.table(name, std::nullopt);
}

// Made beforehand: what fails in a step is to be the pool's doing, not the test's.
Step put(const std::string& table, const std::string& key, uint64_t bytes, uint64_t seed) {
  const auto value = std::make_shared<const std::string>(text_of(bytes, seed));
  return {"put " + table + " " + key + " " + std::to_string(bytes), [=](Db& db) -> Status {
            NACRE_ASSIGN(const auto t, table_of(db, table));
            return t->put(key, *value);
          }};
}

// A repeated remove, drop, retire or make finds its work done.
Status unless(Status s, Code done) { return s == done ? Status() : s; }

Step remove(const std::string& table, const std::string& key) {
  return {"remove " + table + " " + key, [=](Db& db) -> Status {
            NACRE_ASSIGN(const auto t, table_of(db, table));
            return unless(t->remove(key), Code::not_found);
          }};
}

Step make(const std::string& table) {
  return {"make " + table, [=](Db& db) { return db.table(table, EngineKind::hash).status(); }};
}

Step clear(const std::string& table) {
  return {"clear " + table, [=](Db& db) -> Status {
            NACRE_ASSIGN(const auto t, table_of(db, table));
            return t->clear();
          }};
}

Step drop(const std::string& table) {
  return {"drop " + table, [=](Db& db) { return unless(db.drop_table(table), Code::not_found); }};
}

Step add_class(uint32_t bytes) {
  return {"add class " + std::to_string(bytes), [=](Db& db) { return unless(db.add_class({bytes}), Code::exists); }};
}

Step retire_class(uint32_t bytes) {
  return {"retire class " + std::to_string(bytes),
          [=](Db& db) { return unless(db.retire_class(bytes), Code::not_found); }};
}

Step shrink() {
  return {"shrink", [](Db& db) { return db.shrink(); }};
}

std::string key_of(int i) { return "key" + std::to_string(i); }

std::vector<Step> puts(const std::string& table, int first, int end, uint64_t bytes, uint64_t seed) {
  std::vector<Step> steps;
  for (int i = first; i < end; ++i) steps.push_back(put(table, key_of(i), bytes, seed + static_cast<uint64_t>(i)));
  return steps;
}

void append(std::vector<Step>& to, std::vector<Step> more) {
  for (Step& s : more) to.push_back(std::move(s));
}

Script sizes() {
  Script s{.name = "sizes", .before = puts("default", 100, 110, 100, 1), .steps = {}};
  for (uint64_t bytes : kSizes) s.steps.push_back(put("default", "n" + std::to_string(bytes), bytes, 2));
  for (size_t i = 0; i < std::size(kSizes); ++i)  // each grows to the next size; the largest becomes the smallest
    s.steps.push_back(put("default", "n" + std::to_string(kSizes[i]), kSizes[(i + 1) % std::size(kSizes)], 3));
  for (uint64_t bytes : kSizes) s.steps.push_back(remove("default", "n" + std::to_string(bytes)));
  append(s.steps, puts("default", 100, 110, 120, 4));
  return s;
}

Script splits() {
  Script s{.name = "splits", .small_shape = true, .before = puts("default", 0, 30, 8, 1), .steps = {}};
  append(s.steps, puts("default", 30, 90, 8, 2));
  for (int i = 0; i < 90; i += 3) s.steps.push_back(remove("default", key_of(i)));
  append(s.steps, puts("default", 0, 20, 24, 3));
  return s;
}

Script tables() {
  Script s{.name = "tables", .small_shape = true, .before = {make("full")}, .steps = {}};
  append(s.before, puts("full", 0, 60, 40, 1));
  append(s.before, puts("default", 0, 5, 40, 2));
  s.steps = {make("two"), make("three"), put("two", "a", 2'000, 3), put("three", "a", 20'000, 3), clear("full")};
  append(s.steps, puts("full", 50, 60, 40, 4));
  append(s.steps, {drop("three"), clear("two"), make("three"), put("three", "b", 10, 5), clear("two"), drop("two"),
                   drop("full"), make("two"), put("two", "a", 30, 6), clear("default")});
  return s;
}

Script classes() {
  Script s{.name = "classes", .before = puts("default", 0, 5, 280, 1), .steps = {}};
  s.steps = {add_class(304),
             put("default", key_of(1), 280, 2),
             put("default", "new", 280, 3),
             retire_class(304),
             put("default", key_of(2), 280, 4),
             add_class(304),
             put("default", key_of(3), 280, 5),
             add_class(5'008),
             put("default", "long", 4'900, 6),
             remove("default", "new"),
             retire_class(5'008),
             retire_class(304)};
  return s;
}

Script growth() {
  Script s{.name = "growth", .grows = true, .before = puts("default", 0, 20, 20'000, 1), .steps = {}};
  append(s.steps, puts("default", 20, 60, 20'000, 2));
  s.steps.push_back(put("default", "extent", 300'000, 3));
  append(s.steps, puts("default", 60, 80, 20'000, 4));
  return s;
}

Script shrinking() {
  Script s{.name = "shrink", .grows = true, .before = puts("default", 0, 60, 40'000, 1), .steps = {}};
  for (int i = 50; i < 60; ++i) s.before.push_back(remove("default", key_of(i)));
  s.steps.push_back(shrink());
  for (int i = 20; i < 50; ++i) s.steps.push_back(remove("default", key_of(i)));
  append(s.steps, {shrink(), put("default", "n", 300'000, 2), shrink()});
  append(s.steps, puts("default", 20, 35, 40'000, 3));
  for (int i = 0; i < 35; ++i) s.steps.push_back(remove("default", key_of(i)));
  append(s.steps, {remove("default", "n"), shrink(), put("default", "last", 10, 4)});
  return s;
}

Status look_up(Db& db) {
  static const std::string key = key_of(7);
  return db.default_table()->get(key, [](std::string_view) {});
}

Status count_pairs(Db& db) {
  NACRE_ASSIGN(const auto cursor, db.default_table()->cursor());
  Status s;
  while ((s = cursor->next()).ok()) {
  }
  return unless(s, Code::not_found);
}

Status suggest(Db& db) {
  static const std::vector<alloc::SizeCount> histogram{{300, 5}, {900, 7}, {40, 100}};
  return db.suggest_classes(histogram, 4).status();
}

Script reads() {
  Script s{.name = "reads", .small_shape = true, .before = puts("default", 0, 60, 40, 1), .steps = {}};
  s.changes = false;
  s.before.push_back(make("second"));
  s.steps = {{"get", look_up},
             {"exists", [](Db& db) { return unless(db.default_table()->exists("no"), Code::not_found); }},
             {"count", [](Db& db) { return db.default_table()->count().status(); }},
             {"scan", [](Db& db) { return db.default_table()->scan([](auto, auto) { return true; }); }},
             {"cursor", count_pairs},
             {"tables", [](Db& db) { return db.tables().status(); }},
             {"classes", [](Db& db) { return db.classes().status(); }},
             {"suggest", suggest},
             {"stats", [](Db& db) { return db.stats().status(); }},
             {"info", [](Db& db) { return db.info().status(); }},
             {"check", [](Db& db) { return db.check().status(); }}};
  return s;
}

Result<Pairs> pairs_of(engine::Table& table) {
  Pairs pairs;
  bool twice = false;
  NACRE_TRY(table.scan([&](std::string_view k, std::string_view v) {
    twice |= !pairs.emplace(k, v).second;
    return true;
  }));
  if (twice) return Status::error(Code::internal, "scan: a key came twice");
  for (const auto& [key, value] : pairs)
    if (value_of(table, key) != value) return Status::error(Code::internal, "get '%s': not as scanned", key.c_str());
  return pairs;
}

}  // namespace

uint64_t PoolState::keys() const noexcept {
  uint64_t sum = 0;
  for (const auto& [name, pairs] : tables) sum += pairs.size();
  return sum;
}

Result<PoolState> read_state(Db& db) {
  PoolState state;
  NACRE_ASSIGN(const auto infos, db.tables());
  for (const engine::TableInfo& info : infos) {
    NACRE_ASSIGN(const auto table, table_of(db, info.name));
    NACRE_ASSIGN(state.tables[info.name], pairs_of(*table));
  }
  NACRE_ASSIGN(const auto classes, db.classes());
  for (const engine::ClassInfo& c : classes) state.classes[c.unit_bytes] = c.retired;
  return state;
}

std::string difference(const PoolState& found, const PoolState& wanted) {
  for (const auto& [name, pairs] : wanted.tables) {
    const auto it = found.tables.find(name);
    if (it == found.tables.end()) return "no table " + name;
    for (const auto& [key, value] : pairs)
      if (const auto pair = it->second.find(key); pair == it->second.end())
        return name + ": " + key + " is lost";
      else if (pair->second != value)
        return name + ": " + key + " has another value";
    for (const auto& [key, value] : it->second)
      if (!pairs.contains(key)) return name + ": " + key + " should not be there";
  }
  for (const auto& [name, pairs] : found.tables)
    if (!wanted.tables.contains(name)) return "table " + name + " should not be there";
  return found.classes == wanted.classes ? "" : "other classes";
}

const std::vector<Script>& scripts() {
  static const std::vector<Script> all{sizes(), splits(), tables(), classes(), growth(), shrinking(), reads()};
  return all;
}

engine::Options script_options(const Script& script, engine::MediumChoice medium, bool one_fence) {
  static const alloc::Geometry small = shrunk_geometry();
  engine::Options o;
  o.create_if_missing = true;
  o.size_bytes = script.grows ? engine::kMinPoolBytes : 2 * engine::kMinPoolBytes;
  o.grow = script.grows;
  o.grow_step_bytes = engine::kMinPoolBytes / 2;
  o.grow_helper = false;  // each run is to be the same
  o.medium = medium;
  o.one_fence = one_fence;
  o.identity_seed = 42;
  if (script.small_shape) o.geometry = &small;
  return o;
}

}  // namespace nacre::test
