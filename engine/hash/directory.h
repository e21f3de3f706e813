// The directory of one hash table: which segment owns a hash. On the medium a radix tree of small nodes, so nothing
// ever doubles; in DRAM a flat array of entries, filled as they are needed, so that open reads nothing.
//
//   root word (catalogue line) -> node (2^b entries, 7 to a guarded line) -> node -> segment
//
// A segment of depth d below a node of level L stands in 2^((L+1) b - d) neighbouring entries of it.
//
// An entry of the flat array is never stale for a writer that holds a line of its segment: a split stores the new
// entries before it unlocks the old lines. Growing the array and storing split results exclude each other
// (grow_mutex_), and a resolver loads the array before the medium and only fills entries that are still empty.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "alloc/pool.h"
#include "engine/hash/segment_layout.h"
#include "engine/shape.h"
#include "pmem/base/result.h"

namespace nacre::engine::hash {

/// Where the entries that lead to a segment stand on the medium.
struct EntryPath {
  uint64_t entry = 0;       // the entry word: a segment, with its depth
  uint32_t level = 0;       // of the node that holds it
  bool in_root = true;      // it is the root word itself
  uint64_t node_off = 0;    // else the node
  uint32_t first_idx = 0;   // first of its entries in the node
  uint32_t count = 1;
};

class Directory {
 public:
  Directory(alloc::Pool& pool, const Shape& shape, uint64_t root_line_off, uint32_t root_word);

  /// The entry (kind segment) that owns `hash`. corruption. The caller holds a pin.
  Status find(uint64_t hash, uint64_t& entry) {
    const Flat* flat = flat_.load(std::memory_order_acquire);
    entry = flat->slots[flat->index(hash)].load(std::memory_order_acquire);
    if (entry != 0) [[likely]]
      return Code::ok;
    return resolve(hash, entry);
  }
  /// What find would say without reading the medium: 0 if it would have to. A hint. To prefetch the segment it needs no
  /// pin; to look into it does, and the segment is whole (acquire).
  uint64_t peek(uint64_t hash) const noexcept {
    const Flat* flat = flat_.load(std::memory_order_acquire);
    return flat->slots[flat->index(hash)].load(std::memory_order_acquire);
  }
  /// As find, from the medium, with the place of the entries. not_found if the table is being dropped and the
  /// place is empty already.
  Status path(uint64_t hash, EntryPath& out) const;

  /// Makes sure that the flat array can tell `depth` bits apart. bad_alloc may unwind.
  void grow_to(uint32_t depth);
  /// Called after a split was applied and before its lines are unlocked: hashes whose top bits are `prefix` with
  /// `depth` bits now belong to `entry`. Never fails: grow_to came before.
  void store(uint64_t prefix, uint32_t depth, uint64_t entry) noexcept;

  uint64_t root_line_off() const noexcept { return root_line_off_; }
  uint32_t root_word() const noexcept { return root_word_; }
  uint64_t line_of(uint64_t node_off, uint32_t idx) const noexcept {
    return node_off + idx / alloc::kLineWords * kLineBytes;
  }
  static uint32_t word_of(uint32_t idx) noexcept { return idx % static_cast<uint32_t>(alloc::kLineWords); }

 private:
  struct Flat {
    explicit Flat(uint32_t d);
    uint64_t index(uint64_t hash) const noexcept { return (hash >> 1) >> (63 - depth); }
    uint32_t depth;
    struct Free {
      void operator()(void* p) const noexcept;
    };
    std::unique_ptr<std::atomic<uint64_t>[], Free> slots;
  };
  Status resolve(uint64_t hash, uint64_t& entry);

  alloc::Pool& pool_;
  Shape shape_;
  uint64_t root_line_off_;
  uint32_t root_word_;
  std::atomic<Flat*> flat_;
  sync::Mutex grow_mutex_;
  std::vector<std::unique_ptr<Flat>> all_;  // readers may still hold an old one; together they are smaller than two
};

}  // namespace nacre::engine::hash
