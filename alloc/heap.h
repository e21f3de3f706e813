// The heap: chunks, slabs and the volatile state that says which unit may be handed out next. It never changes the
// medium: a unit's bit is published by the commit that publishes the pointer to it (alloc/commit.h), and cleared by
// the commit that drops the pointer. So allocation costs no fence of its own and cannot leak.
//
// Nothing is read at open. The chunk table is read at the first use, a slab's bitmap when the slab is first needed.
//
// Lock order: Heap::mutex_ is a leaf; it is never held across a commit or a wait.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <memory>
#include <vector>

#include "alloc/guarded_line.h"
#include "alloc/size_class.h"
#include "alloc/slab.h"
#include "pmem/base/result.h"
#include "pmem/base/sync.h"
#include "pmem/domain.h"

namespace nacre::alloc {

/// The slabs a lane allocates from.
struct Arena {
  std::array<Slab*, kMaxClasses> active{};
};

/// Where a unit's bit is on the medium.
struct BitRef {
  uint64_t line_off;
  uint8_t word;
  uint64_t mask;
};

/// What the pool's bytes are used for, from the medium.
struct HeapUsage {
  struct Class {
    uint32_t unit_bytes = 0;
    uint64_t slabs = 0;
    uint64_t units = 0;
    uint64_t allocated = 0;
  };
  std::vector<Class> classes;
  uint64_t chunks = 0;
  uint64_t free_chunks = 0;
};

class Heap {
 public:
  Heap(pmem::Domain& domain, const Layout& layout, Salt salt);

  /// Before the first use: the pool is smaller than its mapping.
  void set_layout(const Layout& layout) noexcept { layout_ = layout; }

  /// Reads the class table. corruption.
  Status load_classes();
  const SizeClasses& classes() const noexcept { return classes_; }
  /// After the commit that stored `word` as class `class_id` (alloc/class_table.h).
  void store_class(uint32_t class_id, uint64_t word) noexcept { classes_.store(class_id, word); }
  /// The classes that a chunk names, or may name at the end of a claim that runs. corruption.
  Result<std::bitset<kMaxClasses>> used_classes();
  const Layout& layout() const noexcept { return layout_; }

  /// Reserves a unit of the class in DRAM. not_found if no slab of the class has room: the caller then makes one.
  /// corruption if a bitmap on the way is damaged.
  Status reserve(Arena& arena, uint32_t class_id, UnitRef& out);
  /// Reserves from any slab of the class, the active ones of other arenas included. As reserve.
  Status reserve_anywhere(uint32_t class_id, UnitRef& out);
  /// Gives a unit back: never published, or through limbo. Never fails, never allocates.
  void release(const UnitRef& unit) noexcept;

  /// The slab and unit that start exactly at `off`; corruption if there is none. (That its bit is set
  /// is checked by the commit that clears it.)
  Status locate(uint64_t off, UnitRef& out);
  BitRef bit_of(const UnitRef& unit) const noexcept;

  /// A chunk whose table word is about to become a slab: a free one, else an empty slab of another class. It is given
  /// back unless install() or forget() was called.
  class Claim {
   public:
    explicit Claim(Heap& heap) noexcept : heap_(heap) {}
    ~Claim() {
      if (held_) heap_.unclaim(*this);
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    /// out_of_space if there is none; corruption.
    Status take() { return heap_.claim_chunk(*this); }
    /// After the commit that made the chunk a slab.
    void install(std::unique_ptr<Slab> slab) noexcept {
      heap_.install(chunk_, std::move(slab));
      held_ = false;
    }
    void forget() noexcept { held_ = false; }
    uint32_t chunk() const noexcept { return chunk_; }

   private:
    friend class Heap;
    Heap& heap_;
    bool held_ = false;
    uint32_t chunk_ = 0;
    Slab* emptied_ = nullptr;
  };
  /// The mirror of the slab that `chunk` is to be; reserves what install() needs.
  std::unique_ptr<Slab> prepare_install(uint32_t chunk, uint32_t class_id);

  /// Reads the medium; quiescent callers only (info, check). corruption names the line.
  Result<HeapUsage> usage();

 private:
  struct ClassSlabs {
    std::vector<Slab*> all;
    std::vector<Slab*> with_room;    // not active anywhere and not known to be full
    std::vector<uint32_t> unloaded;  // chunks whose bitmap was not read yet
  };

  Status claim_chunk(Claim& out);
  void unclaim(const Claim& claim) noexcept;
  void install(uint32_t chunk, std::unique_ptr<Slab> slab) noexcept;
  Status ensure_table() {
    if (table_loaded_.load(std::memory_order_acquire)) [[likely]]
      return Code::ok;
    return load_table();
  }
  Status load_table();
  Status read_chunk_word(uint32_t chunk, uint64_t& word) const;
  Result<Slab*> load_slab(uint32_t chunk);  // mutex_ held; lists the slab if it has room
  void make_room(ClassSlabs& list);         // mutex_ held; so that what is noexcept never allocates
  Status refill(Arena& arena, uint32_t class_id, UnitRef& out);
  void list_room(Slab* slab) noexcept;

  pmem::Domain& domain_;
  Layout layout_;
  Salt salt_;
  SizeClasses classes_;

  std::atomic<bool> table_loaded_{false};
  sync::Mutex mutex_;
  // guarded by mutex_, except slab_of_chunk_ which is read without
  std::vector<uint8_t> chunk_state_;  // ChunkState, or kClaimed
  std::vector<uint16_t> chunk_class_;
  std::unique_ptr<std::atomic<Slab*>[]> slab_of_chunk_;
  std::vector<ClassSlabs> class_slabs_;
  std::vector<std::unique_ptr<Slab>> slabs_;  // all ever made; freed with the heap
  uint32_t free_hint_ = 0;
};

}  // namespace nacre::alloc
