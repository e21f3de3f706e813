// Databases over images, with shrunk shapes, and the one question every test ends with: is the pool sound?
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "engine/db.h"
#include "tests/support/image.h"
#include "tests/support/soundness.h"

namespace nacre::test {

struct DbSpec {
  bool one_fence = false;
  bool read_only = false;
  const alloc::Geometry* geometry = nullptr;
};

inline engine::Options options_of(const DbSpec& spec) {
  engine::Options o;
  o.one_fence = spec.one_fence;
  o.read_only = spec.read_only;
  o.geometry = spec.geometry;
  o.identity_seed = 42;
  o.grow_helper = false;  // runs are to be the same each time
  return o;
}

inline Result<std::unique_ptr<engine::Db>> try_open(const ImagePtr& image, const DbSpec& spec = {}) {
  return engine::Db::open_domain(std::make_unique<ImageDomain>(image), options_of(spec), false);
}

inline std::unique_ptr<engine::Db> expect_db(Result<std::unique_ptr<engine::Db>> db) {
  INFO(last_message());
  REQUIRE(db.has_value());
  return std::move(*db);
}

inline std::unique_ptr<engine::Db> make_db(const ImagePtr& image, const DbSpec& spec = {}) {
  return expect_db(engine::Db::open_domain(std::make_unique<ImageDomain>(image), options_of(spec), true));
}

inline std::unique_ptr<engine::Db> open_db(const ImagePtr& image, const DbSpec& spec = {}) {
  return expect_db(try_open(image, spec));
}

}  // namespace nacre::test
