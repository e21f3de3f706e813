// The volatile engine: a TBB concurrent hash map. It is two things besides an engine of its own:
//
// The template of a new engine: implement engine::Table, add one row to the table of engines, and the
// scenarios run against it by themselves. Every promise of engine/table.h is kept here in the simplest way
// that keeps it.
//
// The oracle of tests: what another engine answers is compared with what this one answers to the same calls.
//
// (1) A value is immutable and shared: a reader holds it, not a lock on its key, while the callback runs. So
//     a callback may put, remove or scan anything, its own key included.
// (2) TBB's map must not change while it is walked: point operations share `walk_`, the walks (the list of
//     keys of a scan, clear) have it alone. Nobody calls back or waits for anything else while holding it.
// (3) A scan lists the keys first and looks each up when its turn comes: a key that is there throughout is
//     seen exactly once, with a value it had during the scan; one that is gone by then is not seen.
#pragma once

#include <tbb/concurrent_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/table.h"

namespace nacre::engine::dram {

/// Volatile table: durable never, thread-safe throughout. Never answers too_large, out_of_space, read_only,
/// corruption, io_error; memory that cannot be had unwinds as std::bad_alloc and changes nothing.
class DramTable final : public Table {
 public:
  Status put(std::string_view key, std::string_view value) override;
  Status get(std::string_view key, ValueFn fn) override;
  Status remove(std::string_view key) override;
  Status exists(std::string_view key) override;
  Result<uint64_t> count() override;
  /// In no particular order. Costs a copy of all keys.
  Status scan(PairFn fn) override;
  /// As scan. Must not outlive the table.
  Result<std::unique_ptr<Cursor>> cursor() override;
  Status clear() override;
  EngineKind kind() const noexcept override { return EngineKind::dram; }

 private:
  class KeyListCursor;
  using Value = std::shared_ptr<const std::string>;
  struct HashCompare {
    using is_transparent = void;  // lookups by view make no string
    size_t hash(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
    bool equal(std::string_view a, std::string_view b) const noexcept { return a == b; }
  };
  using Map = tbb::concurrent_hash_map<std::string, Value, HashCompare>;

  Value find(std::string_view key);
  std::vector<std::string> list_keys() const;

  Map map_;
  mutable std::shared_mutex walk_;
};

}  // namespace nacre::engine::dram
