// The heap: chunks, slabs, extents and the volatile state that says which unit may be handed out next. It never changes
// the medium: a unit's bit, or the word of an extent's first chunk, is published by the commit that publishes the
// pointer to it (alloc/commit.h), and cleared by the commit that drops the pointer. So allocation costs no fence of its
// own and cannot leak.
//
// Nothing is read at open but the class table. A cursor reads the chunk table in order, a bounded piece at a time, when
// something is wanted that is not known yet:
//
//   | read: free runs are in `runs_`, slabs in their class's lists | not read: nothing known, except what was located |
//                                                                  ^ cursor
//
// What was located ahead of the cursor (to be freed) has an entry of its own, in `slab_of_chunk_` or `held_`. The
// cursor goes by that and not by the word, which may say "free" while the memory still waits in limbo.
//
// Lock order: Heap::mutex_ is a leaf; it is never held across a commit or a wait. One hold of it reads at most
// kScanChunks words of the chunk table or one slab's bitmap.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <map>
#include <memory>
#include <vector>

#include "alloc/epoch.h"
#include "alloc/free_runs.h"
#include "alloc/growing_array.h"
#include "alloc/guarded_line.h"
#include "alloc/line_locks.h"
#include "alloc/size_class.h"
#include "alloc/slab.h"
#include "pmem/base/result.h"
#include "pmem/base/sync.h"
#include "pmem/domain.h"

namespace nacre::alloc {

/// The slabs a lane allocates from.
struct Arena {
  std::array<Slab*, kMaxClasses> active{};
  bool had_to_read = false;  // a reservation read the chunk table or a bitmap: reading ahead would help the next
};

/// Where a unit's bit is on the medium.
struct BitRef {
  uint64_t line_off;
  uint32_t index;  // among the bits of the line's words
  uint8_t word() const noexcept { return static_cast<uint8_t>(index / 64); }
  uint64_t mask() const noexcept { return uint64_t{1} << index % 64; }
};
inline constexpr uint32_t kBitsPerLine = kLineWords * 64;

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
  uint64_t extents = 0;
  uint64_t extent_chunks = 0;
};

/// What one chunk's word says, checked: a class that exists, and a run within the chunks of its zone.
struct ChunkUse {
  ChunkState state = ChunkState::free;
  bool bitmap_written = false;
  uint16_t class_id = 0;  // of a slab
  uint32_t chunks = 1;    // that it speaks for
};

/// Decodes and checks `word`; `room` is the number of chunks from this one to the end of those that its zone has. False
/// if no commit writes such a word.
bool decode_chunk_word(uint64_t word, const SizeClasses& classes, uint64_t room, ChunkUse& out) noexcept;

class Heap {
 public:
  /// `locks` are those under which lines of the chunk table change.
  Heap(pmem::Domain& domain, const Layout& layout, Salt salt, const LineLocks& locks, const Epochs& epochs);
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// Reads the class table. corruption.
  Status load_classes();
  const SizeClasses& classes() const noexcept { return classes_; }
  /// After the commit that stored `word` as class `class_id` (alloc/class_table.h).
  void store_class(uint32_t class_id, uint64_t word) noexcept { classes_.store(class_id, word); }
  /// The classes that a slab names, or may name at the end of a claim that runs. Right for retired ones: no commit
  /// makes a slab of them. Reads the chunk table to its end, in bounded steps. corruption.
  Result<std::bitset<kMaxClasses>> used_classes();
  const Layout& layout() const noexcept { return layout_; }

  // ---- units ----

  /// Reserves a unit of the class in DRAM. not_found if no slab of the class is known to have room and there are free
  /// chunks for a new one, or none has: the caller then makes one. corruption if what was read on the way is damaged.
  Status reserve(Arena& arena, uint32_t class_id, UnitRef& out) {
    if (Slab* slab = arena.active[class_id]) {
      out = {slab, slab->take(), 0, 0};
      if (out.unit != slab->unit_count()) [[likely]]
        return Code::ok;
    }
    return refill(arena, class_id, out);
  }
  /// Reserves from any slab of the class, the active ones of other arenas included. As reserve.
  Status reserve_anywhere(uint32_t class_id, UnitRef& out);
  /// Reserves that many chunks in a row, in DRAM: the shortest run that has them. not_found; corruption.
  Status reserve_extent(uint32_t chunks, UnitRef& out);
  /// Asks for what locate() of a unit at `off` will read. A hint; any offset.
  void prefetch_unit(uint64_t off) const noexcept {
    const uint64_t chunk = off >> layout_.chunk_shift;
    if (chunk < layout_.max_frames) __builtin_prefetch(slab_at(static_cast<uint32_t>(chunk)));
  }
  /// Gives a unit back: never published, or through limbo. Never fails, never allocates.
  void release(const UnitRef& unit) noexcept;

  /// The unit that starts exactly at `off`; corruption if there is none. (That its bit is set is checked by the commit
  /// that clears it.)
  Status locate(uint64_t off, UnitRef& out);
  /// As locate, for a caller who holds a pin. An extent that is free by now is no error: `out.chunks` is 0, and the
  /// commit that still means to free it fails.
  Status locate_to_free(uint64_t off, UnitRef& out);
  static BitRef bit_of(const UnitRef& unit) noexcept {
    const uint32_t line = unit.unit / kBitsPerLine;
    return {unit.slab->bitmap_off() + line * kLineBytes, unit.unit - line * kBitsPerLine};
  }
  /// Chunks of the largest extent that this pool could ever hold.
  uint64_t largest_extent_chunks() const noexcept;
  uint64_t free_chunks_known() noexcept;
  /// Free chunks, once the chunk table is read to its end. In bounded steps; for a background thread. corruption.
  Result<uint64_t> free_chunks();

  // ---- slabs ----

  /// Chunks whose use is about to change: free ones that become a slab, or a slab of which nothing is allocated. It is
  /// given back as it was unless one of install(), freed() or forget() was called.
  class Claim {
   public:
    explicit Claim(Heap& heap) noexcept : heap_(heap) {}
    ~Claim() {
      if (held_) heap_.unclaim(*this);
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    /// That many chunks in a row: the lowest free ones, else an empty slab of just so many. out_of_space, corruption.
    Status take(uint32_t chunks = 1) { return heap_.claim_chunks(*this, chunks); }
    /// An empty slab, of any class, that lies at chunk `lowest` or above. not_found, corruption.
    Status take_empty_slab(uint32_t lowest = 0) { return heap_.claim_empty(*this, 0, lowest); }
    /// After the commit that made the chunks a slab.
    void install(std::unique_ptr<Slab> slab) noexcept {
      heap_.install(*this, std::move(slab));
      held_ = false;
    }
    /// After the commit that made an emptied slab free chunks.
    void freed() noexcept {
      heap_.slab_freed(*this);
      held_ = false;
    }
    /// Whether its commit happened is known at the next open.
    void forget() noexcept {
      heap_.forget(*this);
      held_ = false;
    }
    uint32_t chunk() const noexcept { return run_.first; }
    uint32_t chunk_count() const noexcept { return run_.chunks; }
    /// Free chunks that were known after these were taken.
    uint64_t free_left() const noexcept { return free_left_; }
    /// True if the first chunk's bitmap lines are there; else the commit writes them.
    bool bitmap_written() const noexcept { return bitmap_written_; }
    /// What the first chunk's word says now, apart from "bitmap is written".
    uint64_t old_word() const noexcept {
      return emptied_ == nullptr ? 0 : make_slab_word(emptied_->class_id()) & ~kBitmapWritten;
    }

   private:
    friend class Heap;
    Heap& heap_;
    bool held_ = false;
    bool bitmap_written_ = false;
    uint64_t free_left_ = 0;
    FreeRun run_;
    Slab* emptied_ = nullptr;  // owned by the claim
  };
  /// The mirror of the slab that the claimed chunks are to be; reserves what install() needs.
  std::unique_ptr<Slab> prepare_install(const Claim& claim, uint32_t class_id);

  // ---- growing, shrinking, loading ahead ----

  /// Makes chunks available that the layout has had since its size or its zones were last published. Any thread.
  void extend() noexcept;
  /// How many chunks at the end of the last zone are free. Reads the chunk table to its end. corruption.
  Result<uint32_t> free_tail();
  /// Takes the last `chunks` chunks of the last zone out of the free ones; false if they are not all free. Then either
  /// the commit that makes the pool shorter, Layout::set_pool_bytes, Layout::drop_last_zone if nothing of the zone is
  /// left, and tail_cut(); or give_tail(), which puts them back.
  bool take_tail(uint32_t chunks) noexcept;
  void give_tail(uint32_t chunks) noexcept;
  void tail_cut() noexcept;
  /// One bounded step of what would be read later: a piece of the chunk table, or one slab's bitmap. True if more is
  /// left. For a background thread. corruption.
  Result<bool> load_some();

  /// Reads the medium; quiescent callers only (info, check). corruption names the line.
  Result<HeapUsage> usage();

  /// Words of the chunk table read under one hold of the mutex.
  static constexpr uint32_t kScanChunks = 4096;
  /// Bitmaps read by one reservation as long as a free chunk could become a slab instead.
  static constexpr uint32_t kLoadsWhileFree = 8;
  struct Work {
    uint64_t words_read = 0;    // of the chunk table, by the cursor
    uint64_t slabs_loaded = 0;  // bitmaps
    uint64_t slabs_retired = 0; // mirrors of slabs that are no more, kept for those who may still look at them
  };
  /// What was read so far; tests assert it.
  Work work() noexcept;

 private:
  struct ClassSlabs {
    std::vector<Slab*> all;          // owned
    std::vector<Slab*> with_room;    // not active anywhere and not known to be full
    std::vector<uint32_t> unloaded;  // first chunks of slabs whose bitmap was not read when the cursor came by
    size_t next_unloaded = 0;
    bool has_unloaded() const noexcept { return next_unloaded != unloaded.size(); }
  };

  // heap_chunks.cpp: the cursor, free runs, extents
  Status read_chunk(uint32_t chunk, ChunkUse& out) const;
  Status read_chunk_in(uint64_t zone, uint32_t chunk, ChunkUse& out) const;
  Status scan_step();  // mutex_ held
  Status scan_chunk(uint64_t zone, uint64_t count, FreeRun& pending);
  Status check_rest(uint64_t zone, uint32_t head, uint32_t chunks) const;
  uint32_t known_chunks(uint32_t chunk) const noexcept;
  bool scanned(uint32_t chunk) const noexcept;
  void give_run(FreeRun run) noexcept;  // mutex_ held
  void release_extent(const UnitRef& unit) noexcept;
  Status locate_chunk(uint32_t chunk, uint32_t& head, ChunkUse& use) const;
  Status locate_unloaded(uint64_t off, UnitRef& out, Slab*& slab);

  // heap.cpp: slabs
  Slab* slab_at(uint32_t chunk) const noexcept {
    const std::atomic<Slab*>* entry = slab_of_chunk_.find(chunk);
    return entry == nullptr ? nullptr : entry->load(std::memory_order_acquire);
  }
  void set_slab_at(const FreeRun& run, Slab* slab) noexcept;
  Status claim_chunks(Claim& out, uint32_t chunks);
  Status claim_empty(Claim& out, uint32_t chunks, uint32_t lowest);
  Status load_all();
  void unclaim(const Claim& claim) noexcept;
  void install(const Claim& claim, std::unique_ptr<Slab> slab) noexcept;
  void slab_freed(const Claim& claim) noexcept;
  void forget(const Claim& claim) noexcept;
  void emptied_is_gone(const Claim& claim) noexcept;  // mutex_ held
  void retire(Slab* slab) noexcept;  // mutex_ held
  void drop_retired() noexcept;      // mutex_ held
  Result<Slab*> load_slab(uint32_t head, const ChunkUse& use);  // mutex_ held; lists the slab if it has room
  Status load_next(ClassSlabs& list);                           // mutex_ held
  void make_room(ClassSlabs& list);  // mutex_ held; so that what is noexcept never allocates
  Status refill(Arena& arena, uint32_t class_id, UnitRef& out);
  bool take_listed(ClassSlabs& list, Arena& arena, uint32_t class_id, UnitRef& out);
  void prefetch_listed(const ClassSlabs& list) const noexcept;
  void list_room(Slab* slab) noexcept;
  Status add_usage(uint32_t chunk, const ChunkUse& use, HeapUsage& usage) const;

  pmem::Domain& domain_;
  const Layout& layout_;
  Salt salt_;
  const LineLocks& locks_;
  const Epochs& epochs_;
  SizeClasses classes_;

  std::atomic<bool> scanned_all_{false};  // no chunk is left to be read, as far as is known
  std::atomic<uint64_t> words_read_{0}, slabs_loaded_{0};
  sync::Mutex mutex_;
  // guarded by mutex_, except slab_of_chunk_ which is read without
  uint64_t next_zone_ = 0, next_index_ = 0;      // the cursor
  FreeRuns runs_;
  std::map<uint32_t, uint32_t> held_;            // extents located ahead of the cursor: first chunk, chunks
  GrowingArray<std::atomic<Slab*>> slab_of_chunk_;  // all chunks of a slab lead to it
  std::vector<ClassSlabs> class_slabs_{kMaxClasses};
  std::array<uint32_t, kMaxClasses> emptied_of_class_{};  // claims of its empty slabs that run
  struct Retired {
    std::unique_ptr<Slab> slab;
    uint64_t epoch;
  };
  std::vector<Retired> retired_;
};

Status damaged_line(const char* what, uint64_t line_off);

}  // namespace nacre::alloc
