// What a database of two tables should hold, and the database itself with the pool it can be reopened from.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "tests/support/db_fixture.h"

namespace nacre::test {

struct DbModel {
  std::map<std::string, std::string> tables[2];  // the default table and "other"
  bool other_exists = false;
  std::map<uint32_t, bool> changed_classes;  // unit -> lives; all others are as they were made

  bool class_lives(uint32_t unit) const {
    const auto it = changed_classes.find(unit);
    return it != changed_classes.end() ? it->second : unit <= 256;  // up to there every step of 16 is a class
  }
};

class DbUnderTest {
 public:
  /// The pool can grow to `most_bytes`.
  DbUnderTest(const alloc::Geometry* geometry, uint64_t pool_bytes, uint64_t most_bytes, bool one_fence)
      : spec_{.one_fence = one_fence, .read_only = false, .geometry = geometry},
        image_(make_image(most_bytes, pool_bytes)),
        db_(make_db(image_, spec_)) {}

  engine::Db& db() { return *db_; }
  std::shared_ptr<engine::Table> table(int which) {
    if (which == 0) return db_->default_table();
    auto table = db_->table("other", engine::EngineKind::hash);
    return table.has_value() ? *table : nullptr;
  }
  void reopen() {
    REQUIRE(db_->close().ok());
    db_ = open_db(image_, spec_);
  }
  /// Goes on in what a kill would have left.
  void crash() {
    image_ = image_->clone();
    db_.reset();
    db_ = open_db(image_, spec_);
  }

 private:
  DbSpec spec_;
  ImagePtr image_;
  std::unique_ptr<engine::Db> db_;
};

}  // namespace nacre::test
