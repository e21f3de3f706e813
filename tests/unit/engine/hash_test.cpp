// The hash engine at its structural edges: both ways to split, rebuilds, deep directories, chosen collisions.
#include <catch2/catch.hpp>
#include <map>

#include "tests/support/db_fixture.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

// Units in use of the class that segments are made of.
uint64_t segments(Db& db) {
  const auto info = db.info();
  return figure(info, "class." + std::to_string(figure(info, "segment_bytes")) + ".live_units", 0);
}

}  // namespace

TEST_CASE("segments split rightly while the tag does not tell the split bit, while it does, and after") {
  for (uint32_t tag_skip : {0u, 1u, 2u, 3u, 8u, 16u})
    for (uint32_t dir_bits : {1u, 2u, 3u}) {
      const alloc::Geometry g = shrunk_geometry(tag_skip, 8, dir_bits);
      INFO("tag_skip " << tag_skip << ", dir_bits " << dir_bits);
      const ImagePtr image = make_image(2 << 20);
      auto db = make_db(image, {.geometry = &g});
      constexpr int kKeys = 3000;  // about 128 segments: seven levels of depth
      for (int i = 0; i < kKeys; ++i)
        REQUIRE(db->default_table()->put(std::to_string(i), std::to_string(i * 3)).ok());
      const auto wrong = [&] {
        int n = 0;
        for (int i = 0; i < kKeys; ++i)
          n += value_of(*db->default_table(), std::to_string(i)) != std::to_string(i * 3);
        for (int i = kKeys; i < kKeys + 300; ++i)
          n += value_of(*db->default_table(), std::to_string(i)) != "<not_found>";
        return n;
      };
      REQUIRE(wrong() == 0);
      REQUIRE(unsound(*db, kKeys).empty());
      const ImagePtr crashed = image->clone();
      REQUIRE(db->close().ok());
      for (const ImagePtr& next : {image, crashed}) {
        db = open_db(next);
        REQUIRE(wrong() == 0);
        REQUIRE(count_of(*db->default_table()) == kKeys);
        REQUIRE(unsound(*db, kKeys).empty());
      }
    }
}

TEST_CASE(
    "100 rounds of insert and delete at constant size do not grow the table: tombstones are rebuilt away") {
  for (uint32_t tag_skip : {0u, 2u}) {
    const alloc::Geometry g = shrunk_geometry(tag_skip);
    const ImagePtr image = make_image(4 << 20);
    const auto db = make_db(image, {.geometry = &g});
    const auto table = db->default_table();
    constexpr int kKeys = 1000;
    for (int i = 0; i < kKeys; ++i) REQUIRE(table->put("0." + std::to_string(i), "v").ok());
    const uint64_t at_first = segments(*db);
    uint64_t most = 0;
    for (int round = 1; round <= 100; ++round) {
      for (int i = 0; i < kKeys; ++i) {
        REQUIRE(table->put(std::to_string(round) + "." + std::to_string(i), "v").ok());
        REQUIRE(table->remove(std::to_string(round - 1) + "." + std::to_string(i)).ok());
      }
      if (round % 10 == 0) most = std::max(most, segments(*db));
    }
    INFO("segments: " << at_first << " at first, " << most << " at most");
    REQUIRE(most <= at_first * 2 + 4);
    REQUIRE(count_of(*table) == kKeys);
    REQUIRE(unsound(*db, kKeys).empty());
  }
}

TEST_CASE("a table emptied key by key and filled again is as right as a new one") {
  const alloc::Geometry g = shrunk_geometry(1);
  const auto db = make_db(make_image(2 << 20), {.one_fence = true, .geometry = &g});
  const auto table = db->default_table();
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 1500; ++i) REQUIRE(table->put(std::to_string(i), std::to_string(round)).ok());
    for (int i = 0; i < 1500; ++i) REQUIRE(value_of(*table, std::to_string(i)) == std::to_string(round));
    for (int i = 0; i < 1500; ++i) REQUIRE(table->remove(std::to_string(i)).ok());
    REQUIRE(count_of(*table) == 0);
    REQUIRE(unsound(*db, 0).empty());
  }
}

TEST_CASE("20,000 random operations agree with a map, in every shape, before and after crashes") {
  struct Form {
    uint32_t tag_skip, lines, dir_bits;
    bool one_fence;
  };
  for (const Form& f :
       {Form{0, 4, 1, false}, Form{3, 4, 3, true}, Form{2, 5, 2, true}, Form{1, 16, 2, false}}) {
    const alloc::Geometry g = shrunk_geometry(f.tag_skip, f.lines, f.dir_bits);
    INFO("tag_skip " << f.tag_skip << ", lines " << f.lines << ", dir_bits " << f.dir_bits);
    ImagePtr image = make_image(4 << 20);
    auto db = make_db(image, {.one_fence = f.one_fence, .geometry = &g});
    std::map<std::string, std::string> model;
    Random random(f.lines);
    for (int i = 0; i < 20'000; ++i) {
      const std::string key = std::to_string(random.below(i < 10'000 ? 3000 : 300));
      if (random.one_in(3)) {
        REQUIRE(db->default_table()->remove(key) == (model.erase(key) ? Code::ok : Code::not_found));
      } else {
        const std::string value = random.bytes(random.below(60));
        REQUIRE(db->default_table()->put(key, value).ok());
        model[key] = value;
      }
      if (i % 2500 != 2499) continue;
      REQUIRE(unsound(*db, static_cast<int64_t>(model.size())).empty());
      image = image->clone();  // the process is killed
      db.reset();
      db = open_db(image, {.one_fence = f.one_fence});
      REQUIRE(count_of(*db->default_table()) == model.size());
      uint64_t wrong = 0, seen = 0;
      for (const auto& [k, v] : model) wrong += value_of(*db->default_table(), k) != v;
      REQUIRE(db->default_table()
                  ->scan([&](std::string_view k, std::string_view v) {
                    const auto it = model.find(std::string(k));
                    wrong += it == model.end() || it->second != v;
                    ++seen;
                    return true;
                  })
                  .ok());
      REQUIRE(wrong == 0);
      REQUIRE(seen == model.size());
    }
  }
}

TEST_CASE("two million keys: put, get, reopen, count, check", "[large]") {
  const ImagePtr image = make_image(uint64_t{384} << 20);
  auto db = make_db(image, {.one_fence = true});
  constexpr uint64_t kKeys = 2'000'000;
  uint64_t failed = 0;
  {
    const auto table = db->default_table();
    for (uint64_t i = 0; i < kKeys; ++i) {
      const std::string_view key(reinterpret_cast<const char*>(&i), 8);
      failed += !table->put(key, key).ok();
    }
  }
  REQUIRE(failed == 0);
  REQUIRE(db->close().ok());
  db = open_db(image);
  const auto table = db->default_table();
  REQUIRE(count_of(*table) == kKeys);
  for (uint64_t i = 0; i < kKeys + 1000; ++i) {
    const std::string_view key(reinterpret_cast<const char*>(&i), 8);
    bool right = i >= kKeys;
    const Status s = table->get(key, [&](std::string_view v) { right = v == key; });
    failed += !right || s.ok() != (i < kKeys);
  }
  REQUIRE(failed == 0);
  REQUIRE(unsound(*db, kKeys).empty());
}
