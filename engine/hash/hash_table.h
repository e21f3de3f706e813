// The hash engine: extendible hashing over segments of guarded lines, eight bytes a key.
//
// (1) A key lives in its home line, else displaced in the next line, else in the stash. It never moves within a
//     segment: a split or a rebuild makes new segments and frees the old one.
// (2) A line that holds a zero word has never been full, so nothing was displaced from it: a look-up stops there.
//     Removing from a line without a zero word writes a tombstone.
// (3) A put or remove holds the key's home line, so two of them never race on one key; it changes one slot word.
// (4) Readers take no lock. A line in which something is found, or not found, was read as of one instant and its check
//     was good; the record that a slot leads to is immutable as long as the epoch is held.
// (5) What was planned before the lock is validated after it: the segment still owns the hash, and every line that
//     was looked at has the same guard.
// Crash: put is all or nothing whatever subset of words persisted (tests/crash).
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string_view>

#include "alloc/commit.h"
#include "alloc/heap_check.h"
#include "engine/hash/directory.h"
#include "engine/line_reader.h"
#include "engine/record.h"
#include "engine/shape.h"
#include "engine/table.h"

namespace nacre::engine::hash {

/// The bits of one key's hash: directory from the top, then tag (from tag_skip), home line from the low half.
struct KeyHash {
  uint64_t bits;
  uint64_t tag;   // in place, displaced clear
  uint32_t home;  // 0 .. home_lines - 1
};

struct SplitScratch;

class HashTree {
 public:
  /// A table whose root entry is word `root_word` of the catalogue line at `root_line_off`.
  HashTree(alloc::Pool& pool, const Shape& shape, uint16_t table_id, uint64_t root_line_off, uint32_t root_word);
  ~HashTree();
  HashTree(const HashTree&) = delete;
  HashTree& operator=(const HashTree&) = delete;

  Status put(std::string_view key, std::string_view value);
  Status remove(std::string_view key);
  /// The caller of get and scan_segment pins the epoch before it takes hold of the tree: what a clear frees is reused
  /// only when nobody can be in the old tree.
  Status get(std::string_view key, ValueFn fn);
  /// Calls fn for each pair of the segment that owns `position`, and moves `position` behind it (0: the end).
  Status scan_segment(uint64_t& position, PairFn fn);

  Result<uint64_t> count();
  /// The count as known without reading anything; false if it is not known.
  bool known_count(uint64_t& count) const noexcept;
  void set_base_count(uint64_t base) noexcept;

  /// Frees everything below the root in many small commits, until the root word is empty. Resumable at any point. No
  /// writer may be in the table.
  Status drop_all();

  /// Reports every unit and finding of this table; returns the number of live keys. Quiescent callers only.
  uint64_t check(alloc::HeapCheck& check);

  /// Writes the first, empty segment of a new table at `off`, a unit of shape.segment_bytes() that `commit` allocated.
  static void write_empty_segment(alloc::Commit& commit, alloc::Pool& pool, const Shape& shape, uint16_t table_id,
                                  uint64_t off);

  /// While closed, put and remove answer Code::stopped: the table is being cleared or dropped. A writer that began
  /// before is waited for with alloc::WriterStop.
  void set_closed(bool closed) noexcept { closed_.store(closed, std::memory_order_seq_cst); }
  bool closed() const noexcept { return closed_.load(std::memory_order_seq_cst); }

  uint64_t splits() const noexcept { return splits_.load(std::memory_order_relaxed); }
  uint64_t rebuilds() const noexcept { return rebuilds_.load(std::memory_order_relaxed); }

 private:
  friend class SegmentSplit;
  static constexpr uint32_t kMaxLooked = 2 + 255;

  /// What a look-up saw: where the key is, or where it could go.
  struct Plan {
    uint64_t segment_off = 0;
    uint64_t home_off = 0;
    bool found = false;
    uint64_t slot_line_off = 0;  // of the key, or of the first free slot (0: the segment is full)
    uint32_t slot_word = 0;
    uint64_t slot = 0;           // the key's
    bool line_has_zero = false;  // another word of the key's line than its own is zero
    bool slot_displaced = false;
    uint32_t looked_count = 0;   // lines it relied on
    std::array<uint64_t, kMaxLooked> looked_off;
    std::array<uint64_t, kMaxLooked> looked_guard;
  };

  KeyHash hash_key(std::string_view key) const noexcept;
  uint64_t home_line_off(uint64_t segment_off, uint32_t home) const noexcept {
    return segment_off + (1 + home) * kLineBytes;
  }
  /// The n-th line to look at for this home: itself, the next, then the stash.
  uint64_t probe_line_off(uint64_t segment_off, uint32_t home, uint32_t n) const noexcept;
  uint32_t probe_count() const noexcept { return 2 + shape_.stash_lines; }

  /// Whether the record is that of `key`; corruption if another key stands there and the record is damaged.
  Status match_record(uint64_t slot, std::string_view key, bool& matches, RecordView& view) const noexcept;
  Status is_record_of(uint64_t slot, std::string_view key, bool& matches) const noexcept;
  /// How sure a plan is that a slot is the key's: by_tag is wrong once in 2^20 look-ups, and reads no record.
  enum class Match : uint8_t { by_tag, by_key };
  Status plan(std::string_view key, const KeyHash& hash, Match match, Plan& out);
  Status lock_plan(alloc::Commit& commit, std::string_view key, const KeyHash& hash, Match& match, const Plan& p,
                   bool& held);
  bool still_valid(const KeyHash& hash, const Plan& plan) noexcept;
  void overwrite_in_place(const Plan& plan, uint64_t slot) noexcept;
  Status publish_then_store(alloc::Commit& commit, uint64_t off, uint64_t bytes);
  Status make_room(const KeyHash& hash, uint64_t segment_off);
  void add_count(const alloc::Lane& lane, int64_t n) noexcept;
  void prefetch_match(const KeyHash& hash) const noexcept;
  void prefetch_home(const KeyHash& hash) const noexcept;
  void prefetch_record(uint64_t slot) const noexcept;
  void prefetch_to_replace(uint64_t slot) const noexcept;
  uint64_t delta_count() const noexcept;
  Status recount();

  struct DropSpot;
  Status drop_step(bool& done);
  Status drop_records(uint64_t segment_off);
  Status drop_node(const DropSpot& spot, uint64_t off, uint64_t bytes);
  struct CheckSpot;
  void check_entry(alloc::HeapCheck& check, const CheckSpot& spot, uint64_t entry, uint64_t& live);
  void check_node(alloc::HeapCheck& check, const CheckSpot& spot, uint64_t node_off, uint64_t& live);
  void check_segment(alloc::HeapCheck& check, uint64_t segment_off, uint64_t prefix, uint32_t depth, uint64_t& live);
  void check_slot(alloc::HeapCheck& check, uint64_t segment_off, uint64_t prefix, uint32_t depth, uint32_t line,
                  uint64_t slot);

  alloc::Pool& pool_;
  Shape shape_;
  uint16_t table_id_;
  uint64_t seed_;
  Directory directory_;

  struct alignas(64) Counter {
    std::atomic<int64_t> value{0};
  };
  uint32_t counter_count_;
  std::unique_ptr<Counter[]> counters_;  // one a lane, changed by its holder only
  std::atomic<uint64_t> base_count_{0};
  std::atomic<bool> base_known_{false};
  sync::Mutex recount_mutex_;
  std::atomic<bool> closed_{false};
  std::atomic<SplitScratch*> spare_scratch_{nullptr};  // of the last split; whoever splits takes it
  std::atomic<uint64_t> splits_{0}, rebuilds_{0};
};

}  // namespace nacre::engine::hash
