// What a Db holds. Internal to engine/db*.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alloc/pool.h"
#include "engine/catalogue.h"
#include "engine/db.h"
#include "engine/hash/hash_engine.h"
#include "engine/shape.h"

namespace nacre::engine {

struct Db::Impl {
  Impl(std::unique_ptr<alloc::Pool> p, const Shape& s, const Options& o);

  Status start();
  Status stop();
  Status resume_drops();
  Status open_default_table();
  /// The mutex is held.
  Result<std::shared_ptr<Table>> open_table(std::string_view name, std::optional<EngineKind> create);
  static Result<std::shared_ptr<Table>> check_engine(std::shared_ptr<Table> table, std::string_view name,
                                                     std::optional<EngineKind> create);
  uint64_t state_word() const noexcept;
  Status set_state(uint64_t word);

  std::unique_ptr<alloc::Pool> pool;
  Shape shape;
  Catalogue catalogue;
  Options options;
  bool was_clean = true;
  sync::Mutex mutex;  // the catalogue and the maps below; before every lock of the pool
  std::map<std::string, std::shared_ptr<Table>, std::less<>> open_tables;
  std::shared_ptr<Table> default_table;
};

}  // namespace nacre::engine
