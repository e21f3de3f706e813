// One test for each defect that a fuzz target found, named by what it did. The inputs that found them are in
// tests/fuzz/corpus, under names that begin with "regress".
#include <catch2/catch.hpp>

#include "alloc/format.h"
#include "alloc/lane_layout.h"
#include "alloc/pool.h"
#include "tests/support/db_fixture.h"

using namespace nacre;
using namespace nacre::test;

namespace {

/// The engine's pool, closed, as an image; with its salt.
struct ClosedPool {
  ClosedPool() : geometry(shrunk_geometry()), image(make_image(384 * 1024)) {
    const auto db = make_db(image, {.geometry = &geometry});
    for (int i = 0; i < 20; ++i) REQUIRE(db->default_table()->put("k" + std::to_string(i), "v").ok());
    salt = db->pool().salt();
    REQUIRE(db->close().ok());
  }
  const alloc::Geometry geometry;
  const ImagePtr image;
  alloc::Salt salt = 0;
};

}  // namespace

// Target lanes. Recovery retires every lane to one above the highest seq it finds. With the highest seq there is, that
// was 2^48, stored as 0: every old record counted again at the next open.
TEST_CASE("a lane whose seq is the highest possible made old log records count again") {
  const ClosedPool pool;
  const uint64_t at = alloc::kLaneAreaOff + offsetof(alloc::LaneHeader, retired);
  *pool.image->at<uint64_t>(at) = alloc::make_lane_word(pool.salt, at, alloc::kSeqMask);
  const ImagePtr before = pool.image->clone();
  REQUIRE(try_open(pool.image).status() == Code::corruption);
  REQUIRE(pool.image->same_as(*before));
}
