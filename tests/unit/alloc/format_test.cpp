// The format, pinned: sizes, offsets, and every byte of a small pool. A change here is a new format version.
#include <catch2/catch.hpp>
#include <cstddef>
#include <map>

#include "alloc/heap_layout.h"
#include "alloc/lane_layout.h"
#include "alloc/superblock_layout.h"
#include "alloc/zone.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

// FNV-1a 64 (Fowler, Noll, Vo), so that the golden numbers depend on no code of the product.
uint64_t fnv(const std::byte* p, uint64_t bytes) {
  uint64_t h = 0xcbf29ce484222325u;
  for (uint64_t i = 0; i < bytes; ++i) h = (h ^ static_cast<uint64_t>(p[i])) * 0x100000001b3u;
  return h;
}

// 8 lines of 8 words would say no more than this: the words that are not zero.
std::map<uint64_t, uint64_t> words_of(const Image& image, uint64_t off, uint64_t bytes) {
  std::map<uint64_t, uint64_t> words;
  for (uint64_t at = off; at < off + bytes; at += 8)
    if (const uint64_t w = *image.at<uint64_t>(at); w != 0) words[at] = w;
  return words;
}

void reseal_identity(const ImagePtr& image, uint32_t word, uint64_t value) {
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
    auto* line = image->at<GuardedLine>(copy);
    line->words[word] = value;
    line->guard = make_guard(0, copy, line->words, guard_seq(line->guard));
  }
}

Code open_code(const ImagePtr& image, bool read_only = false) {
  return Pool::open(std::make_unique<ImageDomain>(image),
                    {.form = CommitForm::strict, .read_only = read_only})
      .status()
      .code();
}

}  // namespace

TEST_CASE("layout: sizes and offsets of everything on the medium") {
  REQUIRE(sizeof(GuardedLine) == 64);
  REQUIRE(offsetof(GuardedLine, guard) == 56);
  REQUIRE(sizeof(SuperblockLayout) == 192);
  REQUIRE(offsetof(SuperblockLayout, identity) == 0);
  REQUIRE(offsetof(SuperblockLayout, geometry) == 64);
  REQUIRE(offsetof(SuperblockLayout, roots) == 128);
  REQUIRE(kSuperblockAOff == 0);
  REQUIRE(kSuperblockBOff == 4096);
  REQUIRE(kClassTableOff == 8192);
  REQUIRE(kZoneTableOff == 12288);
  REQUIRE(kLaneAreaOff == 16384);
  REQUIRE(kMaxZones == 448);
  REQUIRE(sizeof(LaneHeader) == 64);
  REQUIRE(offsetof(LaneHeader, seal) == 0);
  REQUIRE(offsetof(LaneHeader, retired) == 8);
  REQUIRE(kRecordCellsAt == 4);
  REQUIRE(kRecordSeqAt == 6);
  REQUIRE(kRecordFlagsAt == 12);
  REQUIRE(kRecordBodyAt == 13);
  REQUIRE(kMaxClasses == 448);
  REQUIRE(kMagic == 0x31766572'63614e89);
  REQUIRE(make_slab_word(0x1234) == 0x0180'0000'0000'1234);
  REQUIRE(make_extent_word(0x12345) == 0x0200'0000'0001'2345);
  REQUIRE(kBitmapWritten == 0x0080'0000'0000'0000);
  REQUIRE(make_class_word(ClassState::live, 1, 6, 4096) == 0x0100'0106'0000'1000);
}

TEST_CASE("golden: the lines of a small pool of a fixed identity, word for word") {
  const ImagePtr image = formatted_image();
  REQUIRE(words_of(*image, 0, 4096) == std::map<uint64_t, uint64_t>{{0, 0x3176657263614e89},
                                                                    {8, 0x0000000000000001},
                                                                    {40, 0x0000000000000001},
                                                                    {48, 0x0000000000000002},
                                                                    {56, 0x0b98000000000001},
                                                                    {64, 0x0000000000001000},
                                                                    {72, 0x0000001000000002},
                                                                    {120, 0x0d91000000000001},
                                                                    {128, 0x0000000000020000},
                                                                    {184, 0x73b0000000000001}});
  REQUIRE(words_of(*image, 12288, 64) ==
          std::map<uint64_t, uint64_t>{{12288, 0x000000000000001a}, {12344, 0x4651000000000001}});
  REQUIRE(words_of(*image, 16384, 64) ==
          std::map<uint64_t, uint64_t>{{16384, 0xed51000000000000}, {16392, 0x4b93000000000000}});
  REQUIRE(words_of(*image, 8192, 64) == std::map<uint64_t, uint64_t>{{8192, 0x0100010400000020},
                                                                     {8200, 0x0100010400000030},
                                                                     {8208, 0x0100010600000040},
                                                                     {8216, 0x0100010400000050},
                                                                     {8224, 0x0100010400000060},
                                                                     {8232, 0x0100010400000070},
                                                                     {8240, 0x0100010600000080},
                                                                     {8248, 0x0e0e000000000001}});
}

TEST_CASE("golden: every byte of that pool") {
  const ImagePtr image = formatted_image();
  REQUIRE(image->size_bytes() == 131072);
  CHECK(fnv(image->data(), 4096) == 0xb06bf0955d96ff1b);
  CHECK(fnv(image->data() + 4096, 4096) == 0xbd4c63b269afca3c);
  CHECK(fnv(image->data() + 8192, 4096) == 0x987e2f82723a2c0d);
  CHECK(fnv(image->data(), image->size_bytes()) == 0x19b39453edf550e0);
}

TEST_CASE("golden: the log record of one put, byte for byte") {
  AnchoredPool p(CommitForm::one_fence);
  REQUIRE(p.put(0, 100, 1).ok());
  const Lane& lane = *p->lanes()[thread_index() % 2];
  const std::byte* cell = p.image()->data() + p->layout().cell_off(lane.number, lane.pos - 1);
  uint64_t words[8];
  std::memcpy(words, cell, 64);
  const uint64_t want[8] = {0x00060001e0233921, 0x0002010000000000, 0x60f6296400000007, 0x5b02000000018047,
                            0x0000000070000048, 0x0100000001450000, 0x00000000000809fd, 0x0000000000000000};
  for (int i = 0; i < 8; ++i) CHECK(words[i] == want[i]);
}

TEST_CASE("a pool whose making was cut short before its identity line is not a pool") {
  const ImagePtr image = formatted_image();
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) std::memset(image->data() + copy, 0, 64);
  REQUIRE(open_code(image) == Code::not_a_pool);
  REQUIRE(open_code(make_image(65536)) == Code::not_a_pool);
  REQUIRE(open_code(make_image(4096)) == Code::not_a_pool);
}

TEST_CASE("a damaged superblock line is served and healed by its other copy; both damaged is corruption") {
  const ImagePtr good = formatted_image();
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff})
    for (uint64_t line = 0; line < 3; ++line) {
      INFO("copy at " << copy << ", line " << line);
      const ImagePtr image = good->clone();
      const uint64_t at = line * 64 + 20;
      image->data()[copy + at] ^= std::byte{1};
      REQUIRE(open_code(image, true) == Code::ok);
      image->assign(*good);
      image->data()[copy + at] ^= std::byte{1};
      REQUIRE(open_code(image) == Code::ok);
      REQUIRE(std::memcmp(image->data(), good->data(), kLaneAreaOff) == 0);
      image->data()[copy + at] ^= std::byte{1};
      image->data()[(copy ^ 4096) + at] ^= std::byte{1};
      REQUIRE(open_code(image) == Code::corruption);
    }
}

TEST_CASE(
    "versions and feature bits: another version and an unknown incompat bit refuse, ro_compat allows "
    "reading") {
  ImagePtr image = formatted_image();
  reseal_identity(image, kVersionWord, 2);
  REQUIRE(open_code(image) == Code::incompatible);
  REQUIRE(open_code(image, true) == Code::incompatible);
  image = formatted_image();
  reseal_identity(image, kIncompatWord, uint64_t{1} << 63);
  REQUIRE(open_code(image) == Code::incompatible);
  REQUIRE(open_code(image, true) == Code::incompatible);
  image = formatted_image();
  reseal_identity(image, kRoCompatWord, 1);
  REQUIRE(open_code(image) == Code::incompatible);
  REQUIRE(open_code(image, true) == Code::ok);
  image = formatted_image();
  reseal_identity(image, kCompatWord, 1);
  REQUIRE(open_code(image) == Code::ok);
}

TEST_CASE("a later version is named even if its lines are checked otherwise") {
  const ImagePtr image = formatted_image();
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
    image->at<GuardedLine>(copy)->words[kVersionWord] = 7;
    image->at<GuardedLine>(copy)->guard ^= uint64_t{0x55} << 48;
  }
  REQUIRE(open_code(image) == Code::incompatible);
}

TEST_CASE("a file that lost its end is corruption") {
  const ImagePtr image = formatted_image();
  for (uint64_t bytes : {16384u, 20480u, 65536u, 126976u}) {
    const ImagePtr cut = make_image(bytes);
    std::memcpy(cut->data(), image->data(), bytes);
    INFO(bytes);
    REQUIRE(open_code(cut) == Code::corruption);
  }
  const ImagePtr longer = make_image(262144);
  std::memcpy(longer->data(), image->data(), 131072);
  REQUIRE(open_code(longer) == Code::ok);
}

TEST_CASE("roots and geometry of any content with a good check are survived") {
  for (uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{64}, uint64_t{12288}, uint64_t{20000}, uint64_t{25000},
                         uint64_t{131071}, uint64_t{131073}, ~uint64_t{0}}) {
    const ImagePtr image = formatted_image();
    for (uint64_t off : kRootsLines) {
      auto* line = image->at<GuardedLine>(off);
      line->words[kPoolBytesWord] = bytes;
      line->guard = make_guard(salt_of(1, 2), off, line->words, 1);
    }
    auto pool = Pool::open(std::make_unique<ImageDomain>(image), {});
    INFO(bytes);
    if (!pool.has_value()) {
      REQUIRE(pool.status() == Code::corruption);
      continue;
    }
    HeapCheck check(**pool);
    check.check_metadata();
    check.finish();
    Commit c(**pool);
    uint64_t off;
    if (c.begin().ok()) (void)c.allocate(100, UnitUse::record, off);
  }
  for (uint64_t word : {kChunkWord, kLaneWord})
    for (uint64_t value :
         {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 32 | 1024, uint64_t{1} << 54 | 1u << 30}) {
      const ImagePtr image = formatted_image();
      for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
        auto* line = image->at<GuardedLine>(copy + kGeometryLineOff);
        line->words[word] = value;
        line->guard = make_guard(0, copy + kGeometryLineOff, line->words, 1);
      }
      REQUIRE(open_code(image) == Code::corruption);
    }
}

TEST_CASE("zone words of any content with a good check are corruption or a pool, never more") {
  const auto open_with = [](std::map<uint64_t, uint64_t> zones) {
    const ImagePtr image = formatted_image();
    for (const auto& [zone, capacity] : zones) {
      const ZoneWordRef ref = zone_word_ref(zone);
      auto* line = image->at<GuardedLine>(ref.line_off);
      line->words[ref.word] = capacity;
      line->guard = make_guard(salt_of(1, 2), ref.line_off, line->words, 1);
    }
    return open_code(image);
  };
  REQUIRE(open_with({{0, 26}}) == Code::ok);
  REQUIRE(open_with({{0, 0}}) == Code::corruption);                  // no zone at all
  REQUIRE(open_with({{0, 0}, {1, 5}}) == Code::corruption);          // a gap
  REQUIRE(open_with({{2, 5}}) == Code::corruption);                  // a gap
  REQUIRE(open_with({{0, ~uint64_t{0}}}) == Code::corruption);
  REQUIRE(open_with({{0, uint64_t{1} << 32}}) == Code::corruption);
  REQUIRE(open_with({{0, uint64_t{1} << 31}}) == Code::corruption);  // its metadata ends behind the pool
  REQUIRE(open_with({{1, 1}}) == Code::corruption);                  // begins at the pool's end
  REQUIRE(open_with({{0, 1000}}) == Code::ok);                       // more room than chunks
  const ImagePtr damaged = formatted_image();
  damaged->data()[kZoneTableOff + 4000] ^= std::byte{4};
  REQUIRE(open_code(damaged) == Code::corruption);
}

TEST_CASE("format writes nine bytes a chunk: bitmaps are left as they are") {
  const ImagePtr image = make_image(1 << 20);
  std::memset(image->data(), 0x5a, 1 << 20);
  ImageDomain domain(image);
  REQUIRE(format_pool(domain, {.geometry = small_geometry(), .classes = {}, .identity_lo = 1, .identity_hi = 2}).ok());
  Layout l(small_geometry(), 1 << 20);
  REQUIRE(l.append_zone(l.largest_capacity(1 << 20)));
  const uint64_t table_lines = ceil_div(l.chunk_count(), 7);
  REQUIRE(domain.total_counters().lines <= l.zones_off / 64 + table_lines + 2);
  for (uint64_t off = l.chunk_off(l.zone(0).meta_frame) + table_lines * 64; off < 1 << 20; off += 8)
    if (*image->at<uint64_t>(off) != 0x5a5a5a5a5a5a5a5a) FAIL("offset " << off << " was written");
  AnchoredPool p(CommitForm::strict, image);
  for (uint32_t w = 0; w < 7; ++w) REQUIRE(p.put(w, 100 * (w + 1), 1).ok());
  REQUIRE(p.problems(100).empty());
}

TEST_CASE("format refuses what cannot be a pool, and leaves no identity behind") {
  const auto format = [](uint64_t bytes, Geometry g, std::span<const ClassSpec> classes = {}) {
    const ImagePtr image = make_image(bytes);
    ImageDomain domain(image);
    const Status s = format_pool(domain, {.geometry = g, .classes = classes});
    if (!s.ok()) REQUIRE(*image->at<uint64_t>(0) == 0);
    return s;
  };
  REQUIRE(format(65536, small_geometry()).ok());
  REQUIRE(format(24576, small_geometry()) == Code::invalid_argument);
  Geometry bad = small_geometry();
  bad.lane_cells = 7;
  REQUIRE(format(65536, bad) == Code::invalid_argument);
  const ClassSpec odd{50};
  REQUIRE(format(65536, small_geometry(), {&odd, 1}) == Code::invalid_argument);
}
