// Random sequences of operations, reopenings and kills, against std::map. RC_PARAMS="seed=..." repeats a run.
#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <rapidcheck/state.h>

#include "tests/property/db_model.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

using Command = rc::state::Command<DbModel, DbUnderTest>;

std::string any_key() { return "k" + std::to_string(*rc::gen::inRange(0, 120)); }
int any_table() { return *rc::gen::weightedElement<int>({{4, 0}, {1, 1}}); }

void expect(bool condition, const std::string& what) {
  if (!condition) RC_FAIL(what);
}

void compare(DbUnderTest& sut, int which, const std::map<std::string, std::string>& model) {
  const auto table = sut.table(which);
  expect(count_of(*table) == model.size(), "count " + std::to_string(count_of(*table)));
  uint64_t seen = 0;
  const Status s = table->scan([&](std::string_view key, std::string_view value) {
    const auto it = model.find(std::string(key));
    expect(it != model.end() && it->second == value, "scan of " + std::string(key));
    ++seen;
    return true;
  });
  expect(s.ok() && seen == model.size(), "scan");
  for (const auto& [key, value] : model) expect(value_of(*table, key) == value, "get of " + key);
}

struct Put : Command {
  int which = any_table();
  std::string key = any_key();
  std::string value = std::string(*rc::gen::weightedOneOf<size_t>({{9, rc::gen::inRange<size_t>(0, 80)},
                                                                   {1, rc::gen::inRange<size_t>(200, 3000)}}),
                                  *rc::gen::inRange('a', 'z'));
  void apply(DbModel& m) const override {
    m.tables[which][key] = value;
    m.other_exists |= which == 1;
  }
  void run(const DbModel&, DbUnderTest& sut) const override {
    const auto table = sut.table(which);
    expect(table->put(key, value).ok(), "put");
    expect(value_of(*table, key) == value, "get after put");
  }
  void show(std::ostream& os) const override {
    os << "put " << which << " " << key << " " << value.size() << value[0];
  }
};

/// Many at once, so that segments split within short sequences.
struct PutMany : Command {
  int which = any_table();
  int first = *rc::gen::inRange(0, 100);
  int count = *rc::gen::inRange(1, 200);
  std::string value = std::string(*rc::gen::inRange<size_t>(0, 40), *rc::gen::inRange('a', 'z'));
  std::string key(int i) const { return "k" + std::to_string(first + i); }
  void apply(DbModel& m) const override {
    for (int i = 0; i < count; ++i) m.tables[which][key(i)] = value;
    m.other_exists |= which == 1;
  }
  void run(const DbModel&, DbUnderTest& sut) const override {
    for (int i = 0; i < count; ++i) expect(sut.table(which)->put(key(i), value).ok(), "put");
  }
  void show(std::ostream& os) const override {
    os << "put " << which << " " << first << ".." << first + count - 1;
  }
};

struct Remove : Command {
  int which = any_table();
  int first = *rc::gen::inRange(0, 120);
  int count = *rc::gen::weightedElement<int>({{4, 1}, {1, 100}});
  std::string key(int i) const { return "k" + std::to_string(first + i); }
  void apply(DbModel& m) const override {
    for (int i = 0; i < count; ++i) m.tables[which].erase(key(i));
    m.other_exists |= which == 1;
  }
  void run(const DbModel& m, DbUnderTest& sut) const override {
    const auto table = sut.table(which);
    for (int i = 0; i < count; ++i) {
      expect(table->remove(key(i)) == (m.tables[which].contains(key(i)) ? Code::ok : Code::not_found),
             "remove");
      expect(table->exists(key(i)) == Code::not_found, "exists after remove");
    }
  }
  void show(std::ostream& os) const override { os << "remove " << which << " " << first << " + " << count; }
};

struct Clear : Command {
  int which = any_table();
  void apply(DbModel& m) const override {
    m.tables[which].clear();
    m.other_exists |= which == 1;
  }
  void run(const DbModel&, DbUnderTest& sut) const override {
    expect(sut.table(which)->clear().ok(), "clear");
  }
  void show(std::ostream& os) const override { os << "clear " << which; }
};

struct Drop : Command {
  void apply(DbModel& m) const override {
    m.tables[1].clear();
    m.other_exists = false;
  }
  void run(const DbModel& m, DbUnderTest& sut) const override {
    expect(sut.db().drop_table("other") == (m.other_exists ? Code::ok : Code::not_found), "drop");
  }
  void show(std::ostream& os) const override { os << "drop other"; }
};

struct Reopen : Command {
  bool kill = *rc::gen::arbitrary<bool>();
  bool count_first = *rc::gen::arbitrary<bool>();
  void apply(DbModel&) const override {}
  void run(const DbModel& m, DbUnderTest& sut) const override {
    kill ? sut.crash() : sut.reopen();
    if (count_first) expect(count_of(*sut.table(0)) == m.tables[0].size(), "count after reopen");
  }
  void show(std::ostream& os) const override { os << (kill ? "kill" : "reopen"); }
};

/// Retires a class that lives, adds one that does not.
struct ChangeClass : Command {
  uint32_t unit = *rc::gen::element<uint32_t>(32, 48, 64, 96, 128, 304, 400, 1008);
  void apply(DbModel& m) const override { m.changed_classes[unit] = !m.class_lives(unit); }
  void run(const DbModel& m, DbUnderTest& sut) const override {
    const Status s = m.class_lives(unit) ? sut.db().retire_class(unit) : sut.db().add_class({unit});
    expect(s.ok(), std::string("class change: ") + last_message());
  }
  void show(std::ostream& os) const override { os << "change class " << unit; }
};

struct Verify : Command {
  void apply(DbModel&) const override {}
  void run(const DbModel& m, DbUnderTest& sut) const override {
    compare(sut, 0, m.tables[0]);
    if (m.other_exists) compare(sut, 1, m.tables[1]);
    const auto classes = sut.db().classes();
    expect(classes.has_value(), "classes");
    for (const ClassInfo& c : *classes)
      expect(!m.changed_classes.contains(c.unit_bytes) || m.class_lives(c.unit_bytes) != c.retired,
             "state of class " + std::to_string(c.unit_bytes));
    const std::string problem =
        unsound(sut.db(), static_cast<int64_t>(m.tables[0].size() + m.tables[1].size()));
    expect(problem.empty(), problem);
  }
  void show(std::ostream& os) const override { os << "verify"; }
};

struct Shrink : Command {
  void apply(DbModel&) const override {}
  void run(const DbModel&, DbUnderTest& sut) const override { expect(sut.db().shrink().ok(), "shrink"); }
  void show(std::ostream& os) const override { os << "shrink"; }
};

void run_growing_property(const alloc::Geometry* geometry, uint64_t pool_bytes, uint64_t most_bytes) {
  const DbModel model;
  DbUnderTest sut(geometry, pool_bytes, most_bytes, *rc::gen::arbitrary<bool>());
  rc::state::check(model, sut,
                   rc::state::gen::execOneOfWithArgs<Put, Put, PutMany, PutMany, PutMany, Remove, Remove, Shrink,
                                                     Reopen, Verify, Clear, Drop>());
  const std::string problem = unsound(sut.db());
  expect(problem.empty(), problem);
}

void run_property(const alloc::Geometry* geometry, uint64_t pool_bytes) {
  const bool one_fence = *rc::gen::arbitrary<bool>();
  const DbModel model;
  DbUnderTest sut(geometry, pool_bytes, pool_bytes, one_fence);
  rc::state::check(model, sut,
                   rc::state::gen::execOneOfWithArgs<Put, Put, Put, Remove, Remove, PutMany, Reopen, Verify,
                                                     Clear, Drop, ChangeClass>());
  const Verify last;
  (void)last;
  const std::string problem = unsound(sut.db());
  expect(problem.empty(), problem);
}

}  // namespace

TEST_CASE("a database of shrunk segments agrees with a map through reopenings and kills") {
  static const alloc::Geometry shapes[] = {shrunk_geometry(0, 4, 1), shrunk_geometry(2, 8, 2),
                                           shrunk_geometry(3, 7, 3)};
  rc::prop("shrunk", [] { run_property(&shapes[*rc::gen::inRange(0, 3)], 1 << 20); });
}

TEST_CASE("a database that grows and shrinks agrees with a map through reopenings and kills") {
  static const alloc::Geometry shape = shrunk_geometry(2, 4, 1);
  rc::prop("growing", [] { run_growing_property(&shape, 64 << 10, 4 << 20); });
}

TEST_CASE("a database of the default shape agrees with a map through reopenings and kills") {
  rc::prop("default", [] { run_property(nullptr, 4 << 20); });
}
