// The C++ face as a user's program sees it: only <nacre/nacre.hpp>, through libnacre.so.
#include <nacre/nacre.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using nacre::Code;
using nacre::Db;
using nacre::Engine;
using nacre::Status;
using nacre::Table;

static_assert(!std::is_copy_constructible_v<Db> && std::is_nothrow_move_constructible_v<Db>);
static_assert(!std::is_copy_constructible_v<Table> && std::is_nothrow_move_assignable_v<Table>);
static_assert(std::input_iterator<nacre::PairIterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, nacre::PairIterator>);
static_assert(sizeof(Status) == 16);

Db open_memory(Engine engine) {
  return Db::open("", {.create_if_missing = true, .size = 16u << 20, .medium = "memory", .engine = engine})
      .value();
}

Engine each_engine() { return GENERATE(Engine::hash, Engine::dram); }

struct Boom : std::runtime_error {
  Boom() : std::runtime_error("boom") {}
};

}  // namespace

TEST_CASE("a failed open is a status with a sentence, and value() of it throws", "[capi][hpp]") {
  const auto missing = Db::open("/nonexistent-folder/users.nacre");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.code() != Code::ok);
  CHECK(missing.status().message().size() > std::string(missing.status().name()).size());
  CHECK_THROWS_AS(missing.value(), nacre::BadResult);
  try {
    static_cast<void>(missing.value());
  } catch (const nacre::BadResult& e) {
    CHECK(e.code() == missing.code());
    CHECK(std::string(e.what()).find(missing.status().name()) == 0);
  }
  CHECK(Db::open("x", {.medium = "tape"}).code() == Code::invalid_argument);
  CHECK(Db::open("x", {.size = 1}).code() == Code::invalid_argument);
  CHECK(Db::open("x", {.commit_form = "lax"}).code() == Code::invalid_argument);
}

TEST_CASE("a pool grows beyond its first size, within max_size, and shrinks when asked", "[capi][hpp]") {
  const auto figure = [](const Db& db, const char* name) {
    for (const nacre::Figure& f : db.info().value())
      if (f.name == name) return f.value;
    return uint64_t{0};
  };
  const std::string value(100'000, 'v');
  auto db =
      Db::open("", {.create_if_missing = true, .size = 1u << 20, .medium = "memory", .max_size = 8u << 20}).value();
  auto table = db.default_table().value();
  nacre::Status put;
  int kept = 0;
  while ((put = table.put(std::to_string(kept), value)).ok()) ++kept;
  CHECK(put == Code::out_of_space);
  CHECK(put.message().find("cannot grow") != std::string::npos);
  CHECK(kept > 60);
  CHECK(figure(db, "pool_bytes") <= 8u << 20);
  for (int i = 0; i < kept; ++i) REQUIRE(table.remove(std::to_string(i)).ok());
  REQUIRE(db.shrink().ok());
  CHECK(figure(db, "pool_bytes") < 1u << 20);
  CHECK(figure(db, "medium_bytes") < 1u << 20);
  CHECK(table.put("again", value).ok());
  CHECK(db.check().value().sound);

  auto fixed = Db::open("", {.create_if_missing = true, .size = 1u << 20, .medium = "memory", .grow = false}).value();
  auto full = fixed.default_table().value();
  for (kept = 0; (put = full.put(std::to_string(kept), value)).ok();) ++kept;
  CHECK(put == Code::out_of_space);
  CHECK(kept < 11);
}

TEST_CASE("a status keeps its sentence when the thread fails again", "[capi][hpp]") {
  auto db = open_memory(Engine::dram);
  const Status first = db.table("no such table").status();
  const Status second = db.table("").status();
  CHECK(first == Code::not_found);
  CHECK(second == Code::invalid_argument);
  CHECK(first.message() != second.message());
  Status copy = first;
  CHECK(copy.message() == first.message());
  copy = second;
  CHECK(copy.message() == second.message());
  const Status moved = std::move(copy);
  CHECK(moved.message() == second.message());
  CHECK(Status(Code::not_found).message() == "not_found");
}

TEST_CASE("point operations", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  REQUIRE(table.put("alice", "1").ok());
  CHECK(table.get("alice").value() == "1");
  CHECK(table.get("bob").code() == Code::not_found);
  CHECK(table.get("bob").value_or("nobody") == "nobody");
  CHECK(table.exists("alice").value());
  CHECK_FALSE(table.exists("bob").value());
  CHECK(table.count().value() == 1);

  std::string reuse = "before";
  CHECK(table.get_to("bob", reuse) == Code::not_found);
  CHECK(reuse == "before");
  CHECK(table.get_to("alice", reuse).ok());
  CHECK(reuse == "1");

  std::string seen;
  CHECK(table.get("alice", [&](std::string_view value) { seen = value; }).ok());
  CHECK(seen == "1");
  CHECK(table.get("bob", [&](std::string_view) { seen = "called"; }) == Code::not_found);
  CHECK(seen == "1");

  CHECK(table.put({}, {}).ok());
  CHECK(table.get("").value().empty());
  const std::string zeros(3, '\0');
  CHECK(table.put(zeros, zeros).ok());
  CHECK(table.get(zeros).value() == zeros);

  CHECK(table.remove("alice").ok());
  CHECK(table.remove("alice") == Code::not_found);
  CHECK(table.clear().ok());
  CHECK(table.count().value() == 0);
}

TEST_CASE("get_to keeps the capacity of its string", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  REQUIRE(table.put("k", std::string(100, 'v')).ok());
  std::string reuse;
  reuse.reserve(1000);
  const char* const place = reuse.data();
  REQUIRE(table.get_to("k", reuse).ok());
  CHECK(reuse == std::string(100, 'v'));
  CHECK(reuse.data() == place);
}

TEST_CASE("scan, range-for and iterator see each pair once", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  std::map<std::string, std::string> model;
  for (int i = 0; i < 300; ++i) {
    model["key" + std::to_string(i)] = std::to_string(i * i);
    REQUIRE(table.put("key" + std::to_string(i), std::to_string(i * i)).ok());
  }
  std::map<std::string, std::string> scanned, looped, pulled;
  int repeats = 0;
  CHECK(table.scan([&](std::string_view k, std::string_view v) { repeats += !scanned.emplace(k, v).second; })
            .ok());
  for (auto [k, v] : table) repeats += !looped.emplace(k, v).second;
  CHECK(table.iteration_status().ok());
  auto pairs = table.iterator().value();
  Status moved;
  while ((moved = pairs.next()).ok()) repeats += !pulled.emplace(pairs.key(), pairs.value()).second;
  CHECK(moved == Code::not_found);
  CHECK(repeats == 0);
  CHECK(scanned == model);
  CHECK(looped == model);
  CHECK(pulled == model);

  int calls = 0;
  CHECK(table.scan([&](std::string_view, std::string_view) { return ++calls < 7; }) == Code::stopped);
  CHECK(calls == 7);
  int steps = 0;
  for ([[maybe_unused]] auto [k, v] : table)
    if (++steps == 7) break;
  CHECK(table.iteration_status().ok());
  const Table empty = db.table("empty", Engine::dram).value();
  for ([[maybe_unused]] auto [k, v] : empty) FAIL("an empty table has no pairs");
  CHECK(empty.iteration_status().ok());
}

TEST_CASE("what a callable throws arrives at the caller, and the table goes on", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  REQUIRE(table.put("a", "1").ok());
  REQUIRE(table.put("b", "2").ok());
  int calls = 0;
  CHECK_THROWS_AS(static_cast<void>(table.get("a", [](std::string_view) { throw Boom(); })), Boom);
  CHECK_THROWS_AS(static_cast<void>(table.scan([&](std::string_view, std::string_view) {
                    ++calls;
                    throw Boom();
                  })),
                  Boom);
  CHECK(calls == 1);
  CHECK_THROWS_AS(
      static_cast<void>(table.scan([&](std::string_view, std::string_view) -> bool { throw 42; })), int);
  CHECK(table.put("a", "3").ok());
  CHECK(table.get("a").value() == "3");
  CHECK(db.close().ok());  // no call is thought to be running still
}

TEST_CASE("an exception from a raw C callback is an answer too", "[capi]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  REQUIRE(table.put("a", "1").ok());
  nacre_value_fn* thrower = [](const char*, size_t, void*) { throw Boom(); };
  CHECK(nacre_get(table.handle(), "a", 1, thrower, nullptr) == NACRE_INTERNAL);
  CHECK(std::string(nacre_errormsg()).find("boom") != std::string::npos);
  nacre_value_fn* starver = [](const char*, size_t, void*) { throw std::bad_alloc(); };
  CHECK(nacre_get(table.handle(), "a", 1, starver, nullptr) == NACRE_OUT_OF_MEMORY);
  CHECK(db.close().ok());
}

TEST_CASE("a callable may use the table it is called from", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  REQUIRE(table.put("a", "1").ok());
  Status put = Code::internal, closed;
  CHECK(table
            .get("a",
                 [&](std::string_view) {
                   put = table.put("a", "2");
                   closed = db.close();
                 })
            .ok());
  CHECK(put.ok());
  CHECK(closed == Code::invalid_argument);
  CHECK(table.get("a").value() == "2");
  int nested = 0;
  CHECK(table
            .scan([&](std::string_view, std::string_view) {
              for ([[maybe_unused]] auto [k, v] : table) ++nested;
              static_cast<void>(table.clear());
            })
            .ok());
  CHECK(nested == 1);
}

TEST_CASE("moving hands the handle over", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  Table taken = std::move(table);
  CHECK(taken.put("k", "v").ok());
  CHECK(table.put("k", "v") == Code::bad_handle);  // NOLINT: moved-from on purpose
  CHECK(table.iterator().code() == Code::bad_handle);
  for ([[maybe_unused]] auto [k, v] : table) FAIL("a moved-from table has no pairs");
  CHECK(table.iteration_status() == Code::bad_handle);
  table = std::move(taken);
  CHECK(table.get("k").value() == "v");

  auto pairs = table.iterator().value();
  nacre::Iterator taken_pairs = std::move(pairs);
  CHECK(taken_pairs.next().ok());
  CHECK(taken_pairs.key() == "k");
  CHECK(pairs.next() == Code::bad_handle);  // NOLINT

  Db owner = std::move(db);
  CHECK(db.close() == Code::bad_handle);  // NOLINT
  CHECK(owner.tables().has_value());
  owner = open_memory(Engine::dram);  // closes the first pool
  CHECK(table.get("k").code() == Code::bad_handle);
  CHECK(owner.default_table().has_value());
}

TEST_CASE("closing ends the tables, the iterators and the loops", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  auto other = db.table("other", Engine::dram).value();
  for (int i = 0; i < 10; ++i) REQUIRE(table.put(std::to_string(i), "v").ok());
  auto pairs = table.iterator().value();
  REQUIRE(pairs.next().ok());
  int steps = 0;
  for ([[maybe_unused]] auto [k, v] : table)
    if (++steps == 3) REQUIRE(db.close().ok());  // no callback: nothing forbids it
  CHECK(steps == 3);
  CHECK(table.iteration_status() == Code::bad_handle);
  CHECK(pairs.next() == Code::bad_handle);
  CHECK(other.count().code() == Code::bad_handle);
  CHECK(db.close() == Code::bad_handle);
  CHECK(db.stats().code() == Code::bad_handle);
}

TEST_CASE("tables, figures and counters", "[capi][hpp]") {
  auto db = open_memory(each_engine());
  REQUIRE(db.table("users", Engine::dram).has_value());
  CHECK(db.table("users", Engine::hash).code() == Code::invalid_argument);
  CHECK(db.table("users").has_value());
  std::set<std::string> names;
  for (const auto& row : db.tables().value()) names.insert(row.name + ":" + row.engine);
  CHECK(names.contains("users:dram"));
  CHECK(db.drop_table("users").ok());
  CHECK(db.drop_table("users") == Code::not_found);
  CHECK(db.drop_table("default") == Code::invalid_argument);
  CHECK_FALSE(db.stats().value().empty());
  CHECK_FALSE(db.info().value().empty());
  const auto report = db.check().value();
  CHECK(report.sound);
  CHECK_FALSE(report.figures.empty());
  CHECK(db.thread_counters().has_value());
}

TEST_CASE("allocation classes: given at creation, listed, added, retired, suggested", "[capi][hpp]") {
  nacre::Options options{.create_if_missing = true, .size = 16u << 20, .medium = "memory"};
  options.classes = {nacre::ClassSpec::for_record(8, 280), {.unit_bytes = 640, .align = 64}};
  CHECK(options.classes[0].unit_bytes == 304);
  const auto db = Db::open("", options).value();
  const auto find = [&](uint64_t unit_bytes) {
    nacre::ClassInfo found{};
    for (const nacre::ClassInfo& info : db.classes().value())
      if (info.unit_bytes == unit_bytes) found = info;
    return found;
  };
  CHECK(find(304).align == 16);
  REQUIRE(db.default_table().value().put("12345678", std::string(280, 'v')).ok());
  CHECK(find(304).live_units == 1);
  CHECK(db.retire_class(304).ok());
  CHECK(find(304).retired == 1);
  const Status again = db.retire_class(304);
  CHECK(again == Code::not_found);
  CHECK(again.message().find("304") != std::string::npos);
  CHECK(db.add_class({.unit_bytes = 304}).ok());
  CHECK(db.add_class({.unit_bytes = 304}) == Code::exists);
  CHECK(db.add_class({.unit_bytes = 41}) == Code::invalid_argument);
  const auto advice = db.suggest_classes({{900, 1000}, {304, 1000}}).value();
  REQUIRE(advice.classes.size() == 1);
  CHECK(advice.classes[0].unit_bytes == 912);
  CHECK(advice.totals.records == 2000);
  CHECK(db.suggest_classes({}, 65).code() == Code::invalid_argument);
  options.classes = {{.unit_bytes = 30}};
  CHECK(Db::open("", options).code() == Code::invalid_argument);
}

TEST_CASE("four threads close one pool while others call: one succeeds, none crashes",
          "[capi][hpp][concurrency]") {
  const Engine engine = each_engine();
  constexpr int kRounds = 30;
  constexpr int kClosers = 4;
  constexpr int kCallers = 3;
  int closed_rounds = 0;
  std::atomic<int> unexpected{0};
  for (int round = 0; round < kRounds; ++round) {
    auto db = open_memory(engine);
    const Table table = db.default_table().value();
    std::atomic<int> closed{0};
    std::atomic<int> ready{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < kCallers; ++i)
      threads.emplace_back([&, i] {
        const std::string key = "key" + std::to_string(i);
        for (int turn = 0;; ++turn) {
          Status status = table.put(key, "value");
          if (status.ok()) status = table.get(key, [](std::string_view) {});
          if (status.ok() && turn % 16 == 0) status = table.scan([](std::string_view, std::string_view) {});
          if (status.ok() && turn % 16 == 8) {
            for ([[maybe_unused]] auto [k, v] : table) {
            }
            auto extra = db.table("extra" + std::to_string(i), Engine::dram);
            status = extra.status();
            if (status.ok() && turn % 32 == 8) status = db.drop_table("extra" + std::to_string(i));
          }
          if (turn == 20) ++ready;
          if (status.ok()) continue;
          if (status != Code::bad_handle) ++unexpected;
          if (turn < 20) ++ready;
          return;
        }
      });
    for (int i = 0; i < kClosers; ++i)
      threads.emplace_back([&] {
        while (ready.load() < kCallers) std::this_thread::yield();
        const Status status = db.close();
        if (status.ok())
          ++closed;
        else if (status != Code::bad_handle)
          ++unexpected;
      });
    threads.clear();
    closed_rounds += closed.load() == 1;
  }
  CHECK(closed_rounds == kRounds);
  CHECK(unexpected.load() == 0);
}

TEST_CASE("a table is dropped while it is used: calls answer bad_handle, other tables go on",
          "[capi][concurrency]") {
  const Engine engine = each_engine();
  auto db = open_memory(engine);
  auto kept = db.default_table().value();
  REQUIRE(kept.put("k", "v").ok());
  std::atomic<int> droppers{2};
  std::atomic<int> unexpected{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      while (droppers.load() > 0) {
        auto victim = db.table(i == 2 ? "other victim" : "victim", engine);
        if (!victim.has_value()) {
          ++unexpected;
          return;
        }
        for (int k = 0; k < 20; ++k) {
          const Status status = victim->put(std::to_string(k), "v");
          if (status == Code::bad_handle) break;
          if (!status.ok()) ++unexpected;
        }
        for ([[maybe_unused]] auto [k, v] : *victim) {
        }
        if (const Status looped = victim->iteration_status(); !looped.ok() && looped != Code::bad_handle)
          ++unexpected;
        if (!kept.put("k", "v").ok()) ++unexpected;
      }
    });
  // Two droppers at once: each waits for the calls of the others, none for the other's wait.
  for (const char* name : {"victim", "other victim"})
    threads.emplace_back([&, name] {
      for (int drops = 0; drops < 50 && unexpected.load() == 0;) {
        const Status status = db.drop_table(name);
        drops += status.ok();
        if (!status.ok() && status != Code::not_found) ++unexpected;
        std::this_thread::yield();
      }
      --droppers;
    });
  threads.clear();
  CHECK(unexpected.load() == 0);
  CHECK(kept.get("k").value() == "v");
  CHECK(db.close().ok());
}

TEST_CASE("close waits for a callback that is running in another thread", "[capi][concurrency]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  REQUIRE(table.put("k", "v").ok());
  std::atomic<bool> inside{false}, closing{false}, left{false};
  std::string seen;
  std::jthread caller([&] {
    static_cast<void>(table.get("k", [&](std::string_view value) {
      inside = true;
      while (!closing.load()) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      seen = value;  // still there
      left = true;
    }));
  });
  while (!inside.load()) std::this_thread::yield();
  closing = true;
  CHECK(db.close().ok());
  CHECK(left.load());
  caller.join();
  CHECK(seen == "v");
}

TEST_CASE("more threads than thread numbers: close still waits for all, and refuses inside a callback",
          "[capi][concurrency]") {
  constexpr int kThreads = 1100;  // kMaxThreads is 1024
  auto db = open_memory(Engine::dram);
  auto table = db.default_table().value();
  REQUIRE(table.put("k", "v").ok());
  std::atomic<int> inside{0}, left{0}, refused{0}, bad_handles{0};
  std::atomic<bool> go{false};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      static_cast<void>(table.get("k", [&](std::string_view) {
        refused += db.close() == Code::invalid_argument;
        ++inside;
        go.wait(false);
        ++left;
      }));
      bad_handles += table.exists("k").code() == Code::bad_handle;
    });
  while (inside.load() < kThreads) std::this_thread::yield();
  std::jthread closer([&] {  // the last thread made has no number of its own
    const nacre::Status closed = db.close();  // a thread without a number cannot commit the clean shutdown
    CHECK((closed.ok() || closed == nacre::Code::limit));
    CHECK(left.load() == kThreads);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  go = true;
  go.notify_all();
  closer.join();
  threads.clear();
  CHECK(refused.load() == kThreads);
  CHECK(bad_handles.load() > 0);
}

TEST_CASE("scan and clear beside writers see whole pairs, each key once", "[capi][concurrency]") {
  auto db = open_memory(each_engine());
  auto table = db.default_table().value();
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  for (int i = 0; i < 50; ++i)
    REQUIRE(table.put("stay" + std::to_string(i), "stay" + std::to_string(i)).ok());
  {
    std::jthread writer([&] {
      for (int i = 0; !done.load(); ++i) {
        const std::string key = "come" + std::to_string(i % 200);
        if (!table.put(key, key).ok()) ++wrong;
        if (i % 3 == 0) static_cast<void>(table.remove("come" + std::to_string((i * 7) % 200)));
      }
    });
    for (int round = 0; round < 100; ++round) {
      std::set<std::string> keys;
      size_t stayed = 0;
      if (!table
               .scan([&](std::string_view k, std::string_view v) {
                 if (k != v || !keys.emplace(k).second) ++wrong;
                 stayed += k.starts_with("stay");
               })
               .ok())
        ++wrong;
      if (stayed != 50) ++wrong;
    }
    done = true;
  }
  CHECK(wrong.load() == 0);
  CHECK(table.clear().ok());
  CHECK(table.count().value() == 0);
}
