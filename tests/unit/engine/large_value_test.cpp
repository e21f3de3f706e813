// Values from one byte to a gibibyte, through the engine.
#include <sys/statvfs.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "tests/support/db_fixture.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::test;

namespace {

constexpr uint64_t kMiB = 1 << 20;

// Different in every word, cheap to make.
std::string value_of_seed(uint64_t bytes, uint64_t seed) {
  std::string text(bytes, '\0');
  uint64_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    const uint64_t word = (seed * 0x9e3779b97f4a7c15u + i) * 0xbf58476d1ce4e5b9u;
    std::memcpy(text.data() + i, &word, 8);
  }
  for (; i < bytes; ++i) text[i] = static_cast<char>(seed + i);
  return text;
}

bool holds(engine::Table& table, std::string_view key, uint64_t bytes, uint64_t seed) {
  bool same = false;
  const Status s = table.get(key, [&](std::string_view v) { same = v == value_of_seed(bytes, seed); });
  return s.ok() && same;
}

/// A folder of its own on a file system in memory, gone with the test.
class MemoryFolder {
 public:
  MemoryFolder() {
    std::string name = "/dev/shm/nacre-large-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~MemoryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string pool() const { return path_ + "/pool"; }
  static uint64_t free_bytes() {
    struct statvfs s;
    return ::statvfs("/dev/shm", &s) == 0 ? uint64_t{s.f_bavail} * s.f_frsize : 0;
  }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE(
    "values of 1 byte to 8 MiB agree with a model through overwrites in all directions, removes, kills and "
    "reopens") {
  for (const bool one_fence : {false, true}) {
    const DbSpec spec{.one_fence = one_fence};
    ImagePtr image = make_image(64 * kMiB);
    auto db = make_db(image, spec);
    std::map<std::string, std::pair<uint64_t, uint64_t>> model;
    Random random(one_fence ? 7 : 8);
    uint64_t full = 0, large = 0;
    for (uint64_t round = 1; round <= 400; ++round) {
      const std::string key = "key" + std::to_string(random.below(24));
      const auto table = db->default_table();
      if (random.below(5) == 0) {
        REQUIRE(table->remove(key).ok() == (model.erase(key) == 1));
      } else {
        const uint64_t bytes = 1 + random.below(uint64_t{1} << random.below(24));
        const Status s = table->put(key, value_of_seed(bytes, round));
        REQUIRE((s.ok() || s == Code::out_of_space));
        if (s.ok()) model[key] = {bytes, round};
        full += !s.ok();
        large += s.ok() && bytes > kMiB;
      }
      if (round % 40 != 0) continue;
      if (round % 80 == 0) {  // a kill
        image = image->clone();
        db->abandon();
      } else {
        REQUIRE(db->close().ok());
      }
      db = open_db(image, spec);
      for (const auto& [k, v] : model) REQUIRE(holds(*db->default_table(), k, v.first, v.second));
      REQUIRE(unsound(*db, static_cast<int64_t>(model.size())).empty());
    }
    REQUIRE(large > 20);
    INFO("full " << full);
    for (const auto& [k, v] : model) REQUIRE(db->default_table()->remove(k).ok());
    REQUIRE(db->default_table()->put("all", value_of_seed(40 * kMiB, 1)).ok());
    REQUIRE(holds(*db->default_table(), "all", 40 * kMiB, 1));
  }
}

TEST_CASE("a put of 4 MiB costs two fences in either form, and flushes each of its lines once") {
  for (const bool one_fence : {false, true}) {
    auto db = make_db(make_image(64 * kMiB), {.one_fence = one_fence});
    const auto table = db->default_table();
    const std::string value = value_of_seed(4 * kMiB, 3);
    REQUIRE(table->put("a", value).ok());
    const pmem::Counters before = db->domain().total_counters();
    REQUIRE(table->put("b", value).ok());
    const pmem::Counters after = db->domain().total_counters();
    REQUIRE(after.fences - before.fences == 2);
    REQUIRE(after.lines - before.lines <= value.size() / kLineBytes + 8);
  }
}

TEST_CASE("values around every edge: chunk, 64 KiB, largest class, with keys of all sizes") {
  auto db = make_db(make_image(96 * kMiB), {.one_fence = true});
  const auto table = db->default_table();
  for (const uint64_t edge : {64 * 1024ul, 256 * 1024ul, 288 * 1024ul, 1024 * 1024ul, 1280 * 1024ul})
    for (const uint64_t key_bytes : {0, 1, 47, 48, 49, 5000})
      for (const int64_t delta : {-17, -16, -1, 0, 1}) {
        const std::string key(key_bytes, 'k');
        const uint64_t bytes = edge - key_bytes + static_cast<uint64_t>(delta);
        REQUIRE(table->put(key, value_of_seed(bytes, edge)).ok());
        REQUIRE(holds(*table, key, bytes, edge));
      }
  REQUIRE(unsound(*db, 6).empty());
}

TEST_CASE("a value of 1 GiB comes back byte for byte, is replaced by a small one, and its room is used again") {
  const uint64_t bytes = MemoryFolder::free_bytes() > 4096 * kMiB ? 1024 * kMiB : 256 * kMiB;
  const MemoryFolder folder;
  engine::Options options;
  options.create_if_missing = true;
  options.size_bytes = bytes + bytes / 16;
  options.grow = false;
  options.one_fence = true;
  options.medium = engine::MediumChoice::dax;
  std::string value = value_of_seed(bytes, 1);
  const auto same = [&](engine::Db& db) {
    bool equal = false;
    REQUIRE(db.default_table()->get("huge", [&](std::string_view v) { equal = v == value; }).ok());
    return equal;
  };
  {
    auto db = expect_db(engine::Db::open(folder.pool().c_str(), options));
    REQUIRE(db->default_table()->put("small", "1").ok());
    REQUIRE(db->default_table()->put("huge", value).ok());
    REQUIRE(same(*db));
    REQUIRE(db->default_table()->put("huge", value) == Code::out_of_space);
    REQUIRE(db->close().ok());
  }
  auto db = expect_db(engine::Db::open(folder.pool().c_str(), options));
  REQUIRE(same(*db));
  REQUIRE(db->default_table()->put("huge", "2").ok());
  REQUIRE(value_of(*db->default_table(), "huge") == "2");
  value[bytes / 2] ^= 1;
  REQUIRE(db->default_table()->put("huge", value).ok());
  REQUIRE(same(*db));
  REQUIRE(db->default_table()->remove("huge").ok());
  REQUIRE(value_of(*db->default_table(), "small") == "1");
  REQUIRE(unsound(*db, 1).empty());
}
