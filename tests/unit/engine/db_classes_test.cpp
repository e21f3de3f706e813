// Allocation classes of a database: at creation, later, after reopenings; and what an exact one saves.
#include <catch2/catch.hpp>

#include "tests/support/db_fixture.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

constexpr uint64_t kRecordHeader = 12;  // the short one

ClassInfo info_of(Db& db, uint32_t unit_bytes) {
  const auto classes = db.classes();
  REQUIRE(classes.has_value());
  for (const ClassInfo& c : *classes)
    if (c.unit_bytes == unit_bytes) return c;
  return {};
}

std::string key_of(uint64_t i) {  // 8 bytes
  std::string key = std::to_string(i);
  key.insert(0, 8 - key.size(), '0');
  return key;
}

/// Puts `records` records of `record_bytes` bytes with keys of 8; returns how many failed.
uint64_t fill(Table& table, uint64_t records, uint64_t record_bytes) {
  const std::string value(record_bytes - kRecordHeader - 8, 'v');
  uint64_t failed = 0;
  for (uint64_t i = 0; i < records; ++i) failed += !table.put(key_of(i), value).ok();
  return failed;
}

Options memory_options(uint64_t size_bytes) {
  Options o;
  o.create_if_missing = true;
  o.medium = MediumChoice::memory;
  o.size_bytes = size_bytes;
  return o;
}

std::unique_ptr<Db> open_memory(const Options& o) {
  auto db = Db::open("", o);
  INFO(last_message());
  REQUIRE(db.has_value());
  return std::move(*db);
}

}  // namespace

TEST_CASE("an exact class holds a million records of 144 bytes in at most 1.02 x 144 MB of units") {
  constexpr uint64_t kRecords = 1'000'000, kRecordBytes = 144;
  Options o = memory_options(uint64_t{220} << 20);
  REQUIRE(record_unit_bytes(8, kRecordBytes - kRecordHeader - 8) == kRecordBytes);
  o.classes = {{kRecordBytes}};
  const auto db = open_memory(o);
  REQUIRE(fill(*db->default_table(), kRecords, kRecordBytes) == 0);
  const ClassInfo c = info_of(*db, kRecordBytes);
  REQUIRE(c.live_units == kRecords);
  REQUIRE(c.slab_bytes * 100 <=
          kRecords * kRecordBytes * 102);  // all memory of the class: free units and tails too
  REQUIRE(c.live_bytes + c.free_bytes + c.tail_bytes == c.slab_bytes);
}

TEST_CASE("an exact class saves what the default class of 304-byte records wastes") {
  constexpr uint64_t kRecords = 100'000, kRecordBytes = 304;
  const auto plain = open_memory(memory_options(uint64_t{64} << 20));
  Options o = memory_options(uint64_t{64} << 20);
  o.classes = {{kRecordBytes}};
  const auto exact = open_memory(o);
  REQUIRE(fill(*plain->default_table(), kRecords, kRecordBytes) == 0);
  REQUIRE(fill(*exact->default_table(), kRecords, kRecordBytes) == 0);
  REQUIRE(info_of(*plain, 336).live_units == kRecords);
  REQUIRE(info_of(*exact, 336).slabs == 0);
  REQUIRE(info_of(*exact, 304).live_units == kRecords);
  REQUIRE(info_of(*plain, 336).slab_bytes * 100 >= kRecords * kRecordBytes * 110);
  REQUIRE(info_of(*exact, 304).slab_bytes * 100 <= kRecords * kRecordBytes * 102);
  REQUIRE(unsound(*exact, kRecords).empty());
}

TEST_CASE("classes given at creation, added and retired are there after a close and after a kill") {
  const alloc::Geometry g = shrunk_geometry();
  for (const bool one_fence : {false, true}) {
    const DbSpec spec{.one_fence = one_fence, .geometry = &g};
    ImagePtr image = make_image(1 << 20);
    Options o = options_of(spec);
    o.classes = {{304}, {1088, 64}, {48}};  // 48 is there by default
    auto db = expect_db(Db::open_domain(std::make_unique<ImageDomain>(image), o, true));
    REQUIRE(db->add_class({400}).ok());
    REQUIRE(db->retire_class(304).ok());
    const auto same = [](Db& d) {
      return info_of(d, 1088).align == 64 && !info_of(d, 400).retired && info_of(d, 400).align == 16 &&
             info_of(d, 304).retired && info_of(d, 304).unit_bytes == 304 && unsound(d).empty();
    };
    REQUIRE(same(*db));
    const ImagePtr killed = image->clone();
    REQUIRE(db->close().ok());
    db = open_db(image, spec);
    REQUIRE(same(*db));
    REQUIRE(same(*open_db(killed, spec)));
  }
}

TEST_CASE("wrong classes at creation are refused with their numbers, and leave no pool") {
  Options o = memory_options(1 << 20);
  o.classes = {{33 * 65'536}};  // more than 32 chunks of a pool of 1 MiB
  REQUIRE(Db::open("", o).status() == Code::invalid_argument);
  REQUIRE(std::string(last_message()).find("2097152") != std::string::npos);
  o.classes = {{72}};
  REQUIRE(Db::open("", o).status() == Code::invalid_argument);
}

TEST_CASE("a record of a retired class is read, overwritten and removed; the class takes no new one") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(1 << 20), {.geometry = &g});
  const auto table = db->default_table();
  REQUIRE(db->add_class({304}).ok());
  REQUIRE(fill(*table, 20, 304) == 0);
  REQUIRE(info_of(*db, 304).live_units == 20);
  REQUIRE(db->retire_class(304).ok());
  REQUIRE(value_of(*table, key_of(7)).size() == 304 - kRecordHeader - 8);
  REQUIRE(table->put(key_of(7), std::string(280, 'w')).ok());
  REQUIRE(value_of(*table, key_of(7)) == std::string(280, 'w'));
  REQUIRE(table->remove(key_of(8)).ok());
  REQUIRE(info_of(*db, 304).live_units == 18);
  REQUIRE(info_of(*db, 336).live_units == 1);
  REQUIRE(unsound(*db, 19).empty());
}

TEST_CASE("the engine keeps a class for each thing that it allocates itself") {
  const alloc::Geometry g = shrunk_geometry();
  const auto db = make_db(make_image(1 << 20), {.geometry = &g});
  const auto table = db->default_table();
  uint64_t retired = 0, refused = 0;
  const auto classes = db->classes();
  for (const ClassInfo& c : *classes) {
    const Status s = db->retire_class(c.unit_bytes);
    retired += s.ok();
    refused += s == Code::invalid_argument;
  }
  REQUIRE(refused == 1);  // the largest: it holds segments, nodes and names alike
  REQUIRE(retired + refused == classes->size());
  REQUIRE(db->table("other", EngineKind::hash).has_value());
  REQUIRE(fill(*table, 60, 40) == 0);  // splits
  REQUIRE(unsound(*db, 60).empty());
}

TEST_CASE("info names state, units, free bytes, tails and fragmentation of each class that has slabs") {
  const auto db = open_memory(memory_options(16 << 20));
  REQUIRE(db->add_class({304}).ok());
  REQUIRE(fill(*db->default_table(), 431, 304) == 0);
  const auto info = db->info();
  REQUIRE(figure(info, "class.304.units") == 262144 / 304);
  REQUIRE(figure(info, "class.304.live_units") == 431);
  REQUIRE(figure(info, "class.304.free_bytes") == 431 * 304);
  REQUIRE(figure(info, "class.304.tail_bytes") == 262144 - 862 * 304);
  REQUIRE(figure(info, "class.304.fragmentation_permille") == 431 * 304 * 1000 / 262144);
  REQUIRE(figure(info, "class.48.units", 0) == 0);
  REQUIRE(figure(info, "used_bytes") + figure(info, "free_chunks") * 262144 ==
          figure(info, "chunks") * 262144);
}

TEST_CASE("a suggestion for the records of a database is what saves them their waste") {
  const auto db = open_memory(memory_options(16 << 20));
  const std::vector<alloc::SizeCount> histogram{{304, 10'000}};
  const auto advice = db->suggest_classes(histogram, 4);
  REQUIRE(advice.has_value());
  REQUIRE(advice->classes.size() == 1);
  REQUIRE(advice->classes[0].unit_bytes == 304);
  REQUIRE(db->add_class({304}).ok());
  REQUIRE(db->suggest_classes(histogram, 4)->classes.empty());
}

TEST_CASE("the unit of a record is its header, key and value in steps of 16, and never overflows") {
  REQUIRE(record_unit_bytes(0, 0) == 32);
  REQUIRE(record_unit_bytes(8, 8) == 32);
  REQUIRE(record_unit_bytes(8, 12) == 32);
  REQUIRE(record_unit_bytes(8, 13) == 48);
  REQUIRE(record_unit_bytes(16, 116) == 144);
  REQUIRE(record_unit_bytes(255, 21) == 288);
  REQUIRE(record_unit_bytes(256, 20) == 304);  // a long key has a long header
  REQUIRE(stored_bytes(16, 100) == 128);
  REQUIRE(stored_bytes(256, 100) == 372);
  for (uint64_t key : {uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0}})
    for (uint64_t value : {uint64_t{1} << 63, ~uint64_t{0} - 16, ~uint64_t{0}}) {
      const uint64_t unit = record_unit_bytes(key, value);
      REQUIRE(unit % 16 == 0);
      REQUIRE(unit >= (uint64_t{1} << 63));
    }
}
