// One table: what its operations cost and what they answer at their limits.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/support/db_fixture.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

std::string key_of(uint64_t n, size_t bytes = 16) {
  std::string key = std::to_string(n);
  key.insert(0, bytes > key.size() ? bytes - key.size() : 0, '0');
  return key;
}

// The record (engine/record.h), pinned byte for byte: a change here is a new format version.
constexpr uint64_t kGoldenHeaderBytes = 16;

}  // namespace

TEST_CASE(
    "put of 16 + 100 bytes costs two fences strict, one with one fence, and at most seven lines on average") {
  for (const bool one_fence : {false, true}) {
    const auto db = make_db(make_image(32 << 20), {.one_fence = one_fence});
    const auto table = db->default_table();
    const std::string value(100, 'v');
    uint64_t fences = 0, lines = 0, plain = 0;
    for (uint64_t i = 0; i < 1000; ++i) {
      const auto stats = db->stats();
      const pmem::Counters before = db->domain().thread_counters();
      REQUIRE(table->put(key_of(i), value).ok());
      const pmem::Counters after = db->domain().thread_counters();
      lines += after.lines - before.lines;
      const bool one_commit =
          figure(db->stats(), "commits") == figure(stats, "commits") + 1;  // else a slab, a split
      if (!one_commit) continue;
      ++plain;
      fences += after.fences - before.fences;
    }
    REQUIRE(plain > 900);
    REQUIRE(fences == plain * (one_fence ? 1 : 2));
    INFO("lines for 1,000 puts: " << lines);
    CHECK(lines <= 7 * 1000);
  }
}

TEST_CASE(
    "get, exists, count and scan cost no fence and no line; remove costs one fence; overwrite as much as "
    "put") {
  const auto db = make_db(make_image(8 << 20));
  const auto table = db->default_table();
  for (uint64_t i = 0; i < 100; ++i) REQUIRE(table->put(key_of(i), "value").ok());
  const auto cost = [&](auto&& f) {
    const pmem::Counters before = db->domain().thread_counters();
    f();
    const pmem::Counters after = db->domain().thread_counters();
    return std::pair(after.fences - before.fences, after.lines - before.lines);
  };
  const auto reads = cost([&] {
    for (uint64_t i = 0; i < 200; ++i) {
      REQUIRE(value_of(*table, key_of(i)) == (i < 100 ? "value" : "<not_found>"));
      REQUIRE(table->exists(key_of(i)) == (i < 100 ? Code::ok : Code::not_found));
    }
    REQUIRE(count_of(*table) == 100);
    REQUIRE(table->scan([](std::string_view, std::string_view) { return true; }).ok());
    REQUIRE(table->remove("absent") == Code::not_found);
  });
  REQUIRE(reads == std::pair<uint64_t, uint64_t>(0, 0));
  REQUIRE(cost([&] { REQUIRE(table->put(key_of(3), "other").ok()); }).first == 2);
  REQUIRE(cost([&] { REQUIRE(table->remove(key_of(3)).ok()); }).first == 1);
}

TEST_CASE("keys and values of 0, 1, 100, and 100 KiB, each with each, overwritten, reopened and removed") {
  const ImagePtr image = make_image(64 << 20);
  auto db = make_db(image);
  Random random(1);
  const size_t sizes[] = {0, 1, 100, 1000, 100 * 1024};
  std::map<std::string, std::string> model;
  for (int round = 0; round < 3; ++round) {
    const auto table = db->default_table();
    for (const size_t key_bytes : sizes)
      for (const size_t value_bytes : sizes) {
        const std::string key = key_bytes < 100 ? std::string(key_bytes, 'k')
                                                : std::string(key_bytes - 8, 'k') + key_of(value_bytes, 8);
        const std::string value = random.bytes(value_bytes);
        REQUIRE(table->put(key, value).ok());
        model[key] = value;
        REQUIRE(value_of(*table, key) == value);
      }
    REQUIRE(count_of(*table) == model.size());
    for (const auto& [key, value] : model) REQUIRE(value_of(*table, key) == value);
    REQUIRE(unsound(*db, static_cast<int64_t>(model.size())).empty());
    REQUIRE(db->close().ok());
    db = open_db(image);
  }
  const auto table = db->default_table();
  for (const auto& [key, value] : model) REQUIRE(value_of(*table, key) == value);
  for (const auto& [key, value] : model) REQUIRE(table->remove(key).ok());
  REQUIRE(count_of(*table) == 0);
  REQUIRE(unsound(*db, 0).empty());
}

TEST_CASE("a pair beyond the largest zone, or a key beyond 16 MiB, is too_large and the pool is unchanged") {
  const ImagePtr image = make_image(4 << 20);
  const auto db = make_db(image);
  const auto table = db->default_table();
  REQUIRE(table->put("a", "1").ok());
  const uint64_t largest = figure(db->info(), "largest_record_bytes");
  const ImagePtr before = image->clone();
  REQUIRE(table->put("a", std::string(largest, 'x')) == Code::too_large);
  REQUIRE(table->put("b", std::string(largest - 12, 'x')) == Code::too_large);
  REQUIRE(table->put(std::string((1 << 24) - 1, 'k'), "") == Code::too_large);
  REQUIRE(table->put(std::string(1 << 24, 'k'), "") == Code::too_large);
  REQUIRE(image->same_as(*before));
  REQUIRE(value_of(*table, "a") == "1");
  REQUIRE(table->put("b", std::string(largest - 13, 'x')) == Code::out_of_space);  // not all of the zone is free
  REQUIRE(table->put("b", std::string(largest / 2, 'x')).ok());
  REQUIRE(table->get(std::string(1 << 24, 'k'), [](std::string_view) {}) == Code::not_found);
  REQUIRE(table->remove(std::string(1 << 24, 'k')) == Code::not_found);
  REQUIRE(unsound(*db, 2).empty());
}

TEST_CASE("100,000 keys that share a prefix of 64 bytes, right before and after reopening") {
  const ImagePtr image = make_image(64 << 20);
  auto db = make_db(image, {.one_fence = true});
  const std::string prefix(64, 'p');
  constexpr uint64_t kKeys = 100'000;
  {
    const auto table = db->default_table();
    for (uint64_t i = 0; i < kKeys; ++i)
      REQUIRE(table->put(prefix + std::to_string(i), std::to_string(i * 7)).ok());
  }
  for (int round = 0; round < 2; ++round) {
    const auto table = db->default_table();
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < kKeys; ++i)
      wrong += value_of(*table, prefix + std::to_string(i)) != std::to_string(i * 7);
    for (uint64_t i = kKeys; i < kKeys + 1000; ++i)
      wrong += !(table->exists(prefix + std::to_string(i)) == Code::not_found);
    REQUIRE(wrong == 0);
    REQUIRE(count_of(*table) == kKeys);
    REQUIRE(unsound(*db, kKeys).empty());
    REQUIRE(db->close().ok());
    db = open_db(image, {.one_fence = true});
  }
}

TEST_CASE("values that grow and shrink with each overwrite keep their last content, and nothing leaks") {
  const alloc::Geometry g = shrunk_geometry();
  for (const bool one_fence : {false, true}) {
    const ImagePtr image = make_image(1 << 20);
    auto db = make_db(image, {.one_fence = one_fence, .geometry = &g});
    Random random(2);
    std::map<std::string, std::string> model;
    for (int i = 0; i < 5000; ++i) {
      const std::string key = std::to_string(random.below(40));
      const std::string value = random.bytes(random.one_in(10) ? random.below(4000) : random.below(120));
      REQUIRE(db->default_table()->put(key, value).ok());
      model[key] = value;
      if (i % 1000 == 999) {
        REQUIRE(db->close().ok());
        db = open_db(image, {.one_fence = one_fence});
      }
    }
    for (const auto& [key, value] : model) REQUIRE(value_of(*db->default_table(), key) == value);
    REQUIRE(unsound(*db, static_cast<int64_t>(model.size())).empty());
  }
}

TEST_CASE("a callback of get may put, remove and read its own key, or clear the table; its view stays good") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(2 << 20), {.geometry = &g});
  const auto table = db->default_table();
  const std::string old(50, 'o');
  REQUIRE(table->put("k", old).ok());
  REQUIRE(table
              ->get("k",
                    [&](std::string_view v) {
                      for (int i = 0; i < 500; ++i) REQUIRE(table->put("k", std::to_string(i)).ok());
                      REQUIRE(value_of(*table, "k") == "499");
                      REQUIRE(v == old);
                      REQUIRE(table->remove("k").ok());
                      REQUIRE(table->exists("k") == Code::not_found);
                      REQUIRE(v == old);
                    })
              .ok());
  REQUIRE(table->put("k", old).ok());
  for (int i = 0; i < 300; ++i) REQUIRE(table->put("x" + std::to_string(i), old).ok());
  REQUIRE(table
              ->get("k",
                    [&](std::string_view v) {
                      REQUIRE(table->clear().ok());
                      REQUIRE(count_of(*table) == 0);
                      for (int i = 0; i < 300; ++i) REQUIRE(table->put("y" + std::to_string(i), "new").ok());
                      REQUIRE(v == old);
                    })
              .ok());
  REQUIRE(count_of(*table) == 300);
  REQUIRE(unsound(*db, 300).empty());
}

TEST_CASE(
    "scan and cursor see each key exactly once, also while the callback puts, removes and splits segments") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(4 << 20), {.geometry = &g});
  const auto table = db->default_table();
  for (int i = 0; i < 400; ++i) REQUIRE(table->put("stay" + std::to_string(i), std::to_string(i)).ok());
  for (int i = 0; i < 200; ++i) REQUIRE(table->put("go" + std::to_string(i), "").ok());
  std::multiset<std::string> seen;
  int n = 0;
  REQUIRE(table
              ->scan([&](std::string_view key, std::string_view) {
                if (key.starts_with("stay")) seen.emplace(key);
                if (n < 200) REQUIRE(table->remove("go" + std::to_string(n)).ok());
                for (int k = 0; k < 3 && n < 500; ++k)
                  REQUIRE(table->put("new" + std::to_string(n * 3 + k), "x").ok());
                REQUIRE(table->put("stay" + std::to_string(n % 400), "again").ok());
                ++n;
                return true;
              })
              .ok());
  REQUIRE(seen.size() == 400);
  REQUIRE(std::set(seen.begin(), seen.end()).size() == 400);

  seen.clear();
  auto cursor = table->cursor();
  REQUIRE(cursor.has_value());
  Status s;
  n = 0;
  while ((s = (*cursor)->next()).ok()) {
    const std::string key((*cursor)->key());
    if (key.starts_with("stay")) seen.insert(key);
    for (int k = 0; k < 3 && n < 500; ++k) REQUIRE(table->put("more" + std::to_string(n * 3 + k), "x").ok());
    ++n;
  }
  REQUIRE(s == Code::not_found);
  REQUIRE((*cursor)->next() == Code::not_found);
  REQUIRE(seen.size() == 400);
  REQUIRE(std::set(seen.begin(), seen.end()).size() == 400);
  REQUIRE(unsound(*db).empty());
}

TEST_CASE("scan stops when told to; a cursor outlives the removal of all it would have shown") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(2 << 20), {.geometry = &g});
  const auto table = db->default_table();
  for (int i = 0; i < 200; ++i) REQUIRE(table->put(std::to_string(i), "v").ok());
  int n = 0;
  REQUIRE(table->scan([&](std::string_view, std::string_view) { return ++n < 5; }) == Code::stopped);
  REQUIRE(n == 5);
  auto cursor = table->cursor();
  REQUIRE((*cursor)->next().ok());
  for (int i = 0; i < 200; ++i) REQUIRE(table->remove(std::to_string(i)).ok());
  Status s;
  while ((s = (*cursor)->next()).ok()) {
  }
  REQUIRE(s == Code::not_found);
  cursor = table->cursor();
  REQUIRE((*cursor)->next() == Code::not_found);
}

TEST_CASE("values beyond what a cursor copies are fetched in their turn, and skipped if removed by then") {
  const auto db = make_db(make_image(64 << 20));
  const auto table = db->default_table();
  for (int i = 0; i < 30; ++i)
    REQUIRE(table->put(std::to_string(i), std::string(100 * 1024, static_cast<char>('a' + i))).ok());
  auto cursor = table->cursor();
  std::set<std::string> seen;
  while ((*cursor)->next().ok()) {
    const std::string key((*cursor)->key());
    REQUIRE((*cursor)->value() == std::string(100 * 1024, static_cast<char>('a' + std::stoi(key))));
    seen.insert(key);
  }
  REQUIRE(seen.size() == 30);
  cursor = table->cursor();
  REQUIRE((*cursor)->next().ok());
  REQUIRE(table->clear().ok());
  while ((*cursor)->next().ok()) REQUIRE((*cursor)->value().size() == 100 * 1024);
}

TEST_CASE("golden: the record of one pair, byte for byte") {
  const ImagePtr image = make_image(1 << 20);
  const auto db = make_db(image);
  REQUIRE(db->default_table()->put("the key", "and its value").ok());
  const std::string want = "the keyand its value";
  const std::string_view all(reinterpret_cast<const char*>(image->data()), image->size_bytes());
  const size_t at = all.find(want);
  REQUIRE(at != std::string_view::npos);
  REQUIRE(all.find(want, at + 1) == std::string_view::npos);
  const uint64_t off = at - kGoldenHeaderBytes;
  REQUIRE(off % 16 == 0);
  REQUIRE(*image->at<uint64_t>(off) >> 32 == 7);                       // key length; kind 0; no flags
  REQUIRE(*image->at<uint64_t>(off + 8) == (13 | uint64_t{1} << 48));  // value length; table 1
}
