// Threads on one database, over shrunk segments and few lanes: they wait for lanes and lines, split under
// each other, wrap rings, advance and retire epochs. Sized for ThreadSanitizer.
//
// Assertions are made by the main thread only (Catch2's are not thread-safe); the others count failures.
#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "alloc/pool.h"
#include "tests/concurrency/register_checker.h"
#include "tests/support/db_fixture.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kSlow = true;
#elif defined(__has_feature)
constexpr bool kSlow = __has_feature(thread_sanitizer);
#else
constexpr bool kSlow = false;
#endif
constexpr int kThreads = 4;
constexpr int kScale = kSlow ? 1 : 8;  // how much more there is to do where it is cheap

void on_threads(int count, auto&& body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&body, t] { body(t); });
  for (std::thread& t : threads) t.join();
}

bool is_one_of(Status s, std::initializer_list<Code> codes) {
  for (Code c : codes)
    if (s == c) return true;
  return false;
}

}  // namespace

TEST_CASE("the register checker accepts what is linearizable and finds what is not") {
  using E = std::vector<RegisterEvent>;
  REQUIRE(check_register(E{}).empty());
  REQUIRE(check_register(E{{1, 2, true, 1}, {3, 4, false, 1}}).empty());
  REQUIRE(check_register(E{{1, 4, true, 1}, {2, 3, false, 0}, {2, 6, false, 1}}).empty());
  REQUIRE(check_register(E{{1, 4, true, 1}, {2, 5, true, 2}, {6, 7, false, 1}}).empty());
  REQUIRE_FALSE(check_register(E{{1, 2, true, 1}, {3, 4, false, 0}}).empty());                   // stale
  REQUIRE_FALSE(check_register(E{{1, 2, true, 1}, {3, 4, true, 2}, {5, 6, false, 1}}).empty());  // stale
  REQUIRE_FALSE(check_register(E{{1, 2, false, 1}, {3, 4, true, 1}}).empty());  // from the future
  REQUIRE_FALSE(check_register(E{{1, 2, false, 9}}).empty());                   // from nowhere
  REQUIRE_FALSE(check_register(
                    E{{1, 9, true, 1}, {1, 9, true, 2}, {2, 3, false, 1}, {4, 5, false, 2}, {6, 7, false, 1}})
                    .empty());  // back again
}

TEST_CASE(
    "each key is a linearizable register under puts, removes and gets of four threads, while segments "
    "split") {
  for (const bool one_fence : {false, true})
    for (const uint32_t tag_skip : {0u, 2u}) {
      const alloc::Geometry g = shrunk_geometry(tag_skip, 5);
      const auto db = make_db(make_image(2 << 20), {.one_fence = one_fence, .geometry = &g});
      const auto table = db->default_table();
      constexpr uint64_t kKeys = 12;
      constexpr int kOps = 1500 * kScale;
      std::atomic<uint64_t> clock{1}, next_value{1}, failed{0};
      std::vector<RegisterEvent> events[kThreads][kKeys];
      on_threads(kThreads, [&](int t) {
        Random random(static_cast<uint64_t>(t) + 100 * tag_skip);
        for (int i = 0; i < kOps; ++i) {
          const uint64_t key_no = random.below(kKeys);
          const std::string key = "register" + std::to_string(key_no);
          RegisterEvent e{};
          const uint64_t kind = random.below(8);
          if (kind < 3) {
            e.write = true;
            e.value = next_value.fetch_add(1);
            std::string text = std::to_string(e.value);
            text.resize(8 + random.below(100), ' ');
            e.begin = clock.fetch_add(1);
            failed += !table->put(key, text).ok();
          } else if (kind ==
                     3) {  // a remove that finds something writes "absent", which reads cannot tell apart:
            failed += !is_one_of(table->remove("filler" + std::to_string(random.below(500))),
                                 {Code::ok, Code::not_found});
            continue;  // so keys of their own are removed, around the registers
          } else if (kind == 4) {
            failed += !table->put("filler" + std::to_string(random.below(500)), "x").ok();
            continue;
          } else {
            e.begin = clock.fetch_add(1);
            std::string seen;
            const Status s = table->get(key, [&](std::string_view v) { seen = v; });
            failed += !is_one_of(s, {Code::ok, Code::not_found});
            e.value = s.ok() ? std::stoull(seen) : 0;
          }
          e.end = clock.fetch_add(1);
          events[t][key_no].push_back(e);
        }
      });
      REQUIRE(failed == 0);
      for (uint64_t k = 0; k < kKeys; ++k) {
        std::vector<RegisterEvent> all;
        for (const auto& thread_events : events)
          all.insert(all.end(), thread_events[k].begin(), thread_events[k].end());
        REQUIRE(check_register(all) == "");
      }
      REQUIRE(unsound(*db).empty());
    }
}

TEST_CASE("put and remove answer as if one after the other: what was removed was put, once") {
  const alloc::Geometry g = shrunk_geometry(1, 5);
  const auto db = make_db(make_image(8 << 20), {.one_fence = true, .geometry = &g});
  const auto table = db->default_table();
  constexpr int kOps = 2000 * kScale;
  std::atomic<int64_t> removed{0}, failed{0};
  std::atomic<int64_t> put{0};
  on_threads(kThreads, [&](int t) {
    Random random(static_cast<uint64_t>(t));
    for (int i = 0; i < kOps; ++i) {
      // Each thread puts only its own keys, so each put of an absent key is known to be one; anybody removes.
      if (random.one_in(2)) {
        const std::string key = std::to_string(t) + "." + std::to_string(i);
        failed += !table->put(key, key).ok();
        ++put;
      } else {
        const std::string key = std::to_string(random.below(kThreads)) + "." +
                                std::to_string(random.below(static_cast<uint64_t>(i) + 1));
        const Status s = table->remove(key);
        removed += s.ok();
        failed += !is_one_of(s, {Code::ok, Code::not_found});
      }
    }
  });
  REQUIRE(failed == 0);
  REQUIRE(count_of(*table) == static_cast<uint64_t>(put - removed));
  REQUIRE(unsound(*db, put - removed).empty());
}

TEST_CASE("readers, writers, scanners, counters and table makers at once leave a sound pool") {
  for (const bool one_fence : {false, true}) {
    const alloc::Geometry g = shrunk_geometry();
    ImagePtr image = make_image(2 << 20);
    auto db = make_db(image, {.one_fence = one_fence, .geometry = &g});
    std::atomic<uint64_t> failed{0}, wrong{0};
    const auto worker = [&](int t) {
      Random random(static_cast<uint64_t>(t) + 7);
      const auto table = db->default_table();
      for (int i = 0; i < 1500 * kScale; ++i) {
        const std::string key = std::to_string(random.below(400));
        switch (random.below(12)) {
          case 0:
          case 1:
          case 2:
          case 3:
            failed += !table->put(key, key + ":" + std::string(random.below(150), 'v')).ok();
            break;
          case 4:
          case 5:
            failed += !is_one_of(table->remove(key), {Code::ok, Code::not_found});
            break;
          case 6: {
            if (i % 5 != 0) break;
            std::set<std::string> seen;
            failed += !table
                           ->scan([&](std::string_view k, std::string_view v) {
                             wrong += !v.starts_with(std::string(k) + ":");
                             return true;
                           })
                           .ok();
            break;
          }
          case 7: {
            if (i % 10 != 0) break;
            const std::string name = "t" + std::to_string(random.below(3));
            const auto other = db->table(name, EngineKind::hash);
            failed += !other.has_value();
            if (!other) break;
            failed += !is_one_of((*other)->put(key, key), {Code::ok, Code::bad_handle});
            if (random.one_in(3)) failed += !is_one_of(db->drop_table(name), {Code::ok, Code::not_found});
            break;
          }
          case 8:
            if (i % 20 == 0) failed += !table->count().has_value();
            break;
          case 9:
            if (i % 20 == 0) (void)db->pool().advance(random.one_in(2));
            break;
          default: {
            const Status s = table->get(key, [&](std::string_view v) { wrong += !v.starts_with(key + ":"); });
            failed += !is_one_of(s, {Code::ok, Code::not_found});
          }
        }
      }
    };
    on_threads(kThreads, worker);
    REQUIRE(failed == 0);
    REQUIRE(wrong == 0);
    const auto stats = db->stats();
    REQUIRE(figure(stats, "lane_wraps") > 2);
    REQUIRE(figure(stats, "epoch_advances") > 2);
    REQUIRE(figure(stats, "retire_advances") > 0);
    REQUIRE(unsound(*db).empty());
    const uint64_t count = count_of(*db->default_table());
    image = image->clone();
    db.reset();
    db = open_db(image, {.one_fence = one_fence});
    REQUIRE(count_of(*db->default_table()) == count);
    REQUIRE(unsound(*db).empty());
  }
}

TEST_CASE("puts that race with clear: what is put after the last clear is there, nothing leaks") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(1 << 20), {.geometry = &g});
  const auto table = db->default_table();
  std::atomic<uint64_t> failed{0};
  on_threads(3, [&](int t) {
    for (int i = 0; i < 500 * kScale; ++i) {
      if (t == 0 && i % 50 == 0) failed += !table->clear().ok();
      failed += !table->put(std::to_string(t) + "." + std::to_string(i % 200), "v").ok();
    }
  });
  REQUIRE(failed == 0);
  REQUIRE(count_of(*table) <= 600);
  REQUIRE(unsound(*db, static_cast<int64_t>(count_of(*table))).empty());
}

// The memory of the cleared tree is soon used again, as records of the same class as its segments.
TEST_CASE("reads and scans that race with clear never say corruption") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(8 << 20), {.geometry = &g});
  const auto table = db->default_table();
  std::atomic<uint64_t> failed_writes{0}, failed_reads{0};
  std::atomic<bool> done{false};
  std::string messages[2];
  const auto note = [&](int t, Status s, std::atomic<uint64_t>& failed) {
    if (is_one_of(s, {Code::ok, Code::not_found})) return;
    if (failed.fetch_add(1) == 0) messages[t] = std::string(s.name()) + ": " + s.message();
  };
  on_threads(2, [&](int t) {
    if (t == 0) {
      for (int round = 0; round < 15 * kScale; ++round) {
        for (int i = 0; i < 200; ++i) note(t, table->put(std::to_string(i), "v"), failed_writes);
        note(t, table->clear(), failed_writes);
        for (int i = 0; i < 300; ++i)
          note(t, table->put(std::to_string(i % 100), std::string(490, 'w')), failed_writes);
        note(t, table->clear(), failed_writes);
      }
      done = true;
      return;
    }
    while (!done) {
      note(t, table->scan([&](std::string_view, std::string_view) { return true; }), failed_reads);
      for (int i = 0; i < 200; ++i) note(t, table->exists(std::to_string(i)), failed_reads);
    }
  });
  INFO(messages[0] << "\n" << messages[1]);
  CHECK(failed_writes == 0);
  CHECK(failed_reads == 0);
  REQUIRE(unsound(*db) == "");
}

TEST_CASE("more threads than lanes put into a pool that fills up: each put is there or said out_of_space") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(256 * 1024), {.geometry = &g});
  const auto table = db->default_table();
  std::atomic<uint64_t> failed{0}, put{0}, full{0};
  on_threads(kThreads, [&](int t) {
    for (int i = 0; i < 600; ++i) {
      const Status s = table->put(std::to_string(t) + "." + std::to_string(i), std::string(100, 'v'));
      put += s.ok();
      full += s == Code::out_of_space;
      failed += !is_one_of(s, {Code::ok, Code::out_of_space});
    }
  });
  REQUIRE(failed == 0);
  REQUIRE(full > 0);
  REQUIRE(count_of(*table) == put);
  REQUIRE(unsound(*db, static_cast<int64_t>(put.load())).empty());
  on_threads(kThreads, [&](int t) {
    for (int i = 0; i < 600; ++i) {
      const Status s = table->remove(std::to_string(t) + "." + std::to_string(i));
      failed += !is_one_of(s, {Code::ok, Code::not_found});
      if (i % 3 == 0)
        failed += !is_one_of(table->put(std::to_string(t) + "." + std::to_string(i), "w"),
                             {Code::ok, Code::out_of_space});
    }
  });
  REQUIRE(failed == 0);
  REQUIRE(unsound(*db).empty());
}

TEST_CASE("the first count after a crash is exact though threads write meanwhile") {
  const alloc::Geometry g = shrunk_geometry();
  const ImagePtr image = make_image(1 << 20);
  const auto first = make_db(image, {.geometry = &g});
  for (int i = 0; i < 300; ++i) REQUIRE(first->default_table()->put(std::to_string(i), "v").ok());
  for (int round = 0; round < 15 * kScale; ++round) {
    const auto db = open_db(image->clone());
    const auto table = db->default_table();
    std::atomic<uint64_t> failed{0};
    on_threads(kThreads, [&](int t) {
      for (int i = 0; i < 60; ++i) {
        if (t == 0 && i == 20) failed += !table->count().has_value();
        failed += !table->put("n" + std::to_string(t) + "." + std::to_string(i), "v").ok();
      }
    });
    REQUIRE(failed == 0);
    REQUIRE(count_of(*table) == 300 + kThreads * 60);
  }
}

TEST_CASE(
    "values of all sizes by four threads: slabs, slabs of several chunks and extents change hands, and none is "
    "shared") {
  for (const bool one_fence : {false, true}) {
    const auto db = make_db(make_image(48 << 20), {.one_fence = one_fence});
    const auto table = db->default_table();
    std::atomic<uint64_t> bad{0}, put{0}, full{0};
    const auto work = [&](uint64_t number) {
      Random random(number);
      for (int i = 0; i < 150; ++i) {
        const std::string key = "key" + std::to_string(random.below(24));
        const auto letter = static_cast<char>('a' + random.below(26));
        const uint64_t bytes = 1 + random.below(uint64_t{1} << (4 + random.below(18)));
        switch (random.below(4)) {
          case 0:
            if (const Status s = table->remove(key); !s.ok() && s != Code::not_found) ++bad;
            break;
          case 1:
            if (const Status s =
                    table->get(key, [&](std::string_view v) { bad += v.find_first_not_of(v[0]) != v.npos; });
                !s.ok() && s != Code::not_found)
              ++bad;
            break;
          default: {
            const Status s = table->put(key, std::string(bytes, letter));
            ++(s.ok() ? put : s == Code::out_of_space ? full : bad);
          }
        }
      }
    };
    std::vector<std::thread> threads;
    for (uint64_t t = 1; t <= 4; ++t) threads.emplace_back(work, t);
    for (std::thread& t : threads) t.join();
    REQUIRE(bad == 0);
    REQUIRE(put > 100);
    REQUIRE(unsound(*db).empty());
  }
}

TEST_CASE(
    "classes come and go under puts, removes and splits of four threads: no pair is lost, and what is retired "
    "takes nothing more") {
  for (const bool one_fence : {false, true}) {
    const alloc::Geometry g = shrunk_geometry(2, 5);
    const auto db = make_db(make_image(8 << 20), {.one_fence = one_fence, .geometry = &g});
    const auto table = db->default_table();
    constexpr int kKeys = 200, kRounds = 12;
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> failed{0}, done{0};
    std::vector<std::thread> writers;
    for (int t = 0; t < kThreads; ++t)
      writers.emplace_back([&, t] {
        Random random(static_cast<uint64_t>(t));
        while (!stop) {
          const std::string key = std::to_string(t) + "-" + std::to_string(random.below(kKeys));
          const Status s =
              random.below(4) == 0 ? table->remove(key) : table->put(key, key + std::string(random.below(400), 'v'));
          // A thread that loses its processor while pinned keeps what the others free: the pool may fill up.
          failed += !is_one_of(s, {Code::ok, Code::not_found, Code::out_of_space});
          ++done;
        }
      });
    const auto await_work = [&] {
      const uint64_t enough = done + 50 * kScale;
      while (done < enough) std::this_thread::yield();
    };
    uint64_t later = 0;
    for (int round = 0; round < kRounds; ++round) {
      const uint32_t unit = round % 3 == 0 ? 304 : round % 3 == 1 ? 128 : 32;  // an extra one, and two defaults
      if (round % 3 == 0) REQUIRE(db->add_class({unit}).ok());
      await_work();
      REQUIRE(db->retire_class(unit).ok());
      const auto live_units = [&] {
        const auto classes = db->classes();
        for (const ClassInfo& c : *classes)
          if (c.unit_bytes == unit) return c.live_units;
        return uint64_t{0};
      };
      const uint64_t before = live_units();
      await_work();
      later += live_units() > before;
      if (round % 3 != 0) REQUIRE(db->add_class({unit}).ok());
    }
    stop = true;
    for (std::thread& t : writers) t.join();
    REQUIRE(failed == 0);
    REQUIRE(later == 0);
    uint64_t wrong = 0;
    REQUIRE(table->scan([&](std::string_view key, std::string_view value) {
      wrong += value.substr(0, key.size()) != key;
      return true;
    }).ok());
    REQUIRE(wrong == 0);
    REQUIRE(unsound(*db) == "");
  }
}
