// A hash table of a pool as engine::Table: the tree, and its life (clear, drop).
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "engine/catalogue.h"
#include "engine/hash/hash_table.h"
#include "engine/table.h"

namespace nacre::engine::hash {

class HashTable final : public Table {
 public:
  /// `catalogue_mutex` is held by whoever changes the catalogue; it comes before every lock of the pool.
  HashTable(alloc::Pool& pool, Catalogue& catalogue, sync::Mutex& catalogue_mutex, const Shape& shape,
            const TableEntry& entry);

  Status put(std::string_view key, std::string_view value) override;
  Status get(std::string_view key, ValueFn fn) override;
  Status remove(std::string_view key) override;
  Status exists(std::string_view key) override;
  Result<uint64_t> count() override;
  Status scan(PairFn fn) override;
  Result<std::unique_ptr<Cursor>> cursor() override;
  Status clear() override;
  EngineKind kind() const noexcept override { return EngineKind::hash; }

  /// Drops the table; the caller holds the catalogue mutex and forgets the object.
  Status drop();
  const TableEntry& entry() const noexcept { return entry_; }
  HashTree& tree() noexcept {
    sync::point(sync::Event::load, &tree_);
    return *tree_.load(std::memory_order_acquire);
  }
  Status scan_segment(uint64_t& position, PairFn fn);

 private:
  Status gone() const;
  template <class Op>
  Status write(Op&& op);
  void install_tree(bool empty);
  void install(std::unique_ptr<HashTree> tree, bool empty);
  void free_rest(const TableEntry& entry) noexcept;

  alloc::Pool& pool_;
  Catalogue& catalogue_;
  sync::Mutex& catalogue_mutex_;
  Shape shape_;
  TableEntry entry_;
  std::atomic<bool> dropped_{false};
  std::atomic<HashTree*> tree_{nullptr};
  std::vector<std::unique_ptr<HashTree>> trees_;  // earlier ones stay: a reader may still be in one
};

/// Frees what a dropping catalogue line still holds, then the line. Resumable.
Status finish_drop(alloc::Pool& pool, Catalogue& catalogue, const Shape& shape, const TableEntry& entry);

}  // namespace nacre::engine::hash
