// Making room in a full segment: one commit that puts two new segments (a split), or one without its tombstones (a
// rebuild), in its place.
//
// Both halves are written anew rather than moving half of the slots out of the old one. That costs one more segment
// of line flushes per split (0.4 lines a put), and buys: lines without stale slots, so an absent get still reads one
// line after a split; no rule for stale slots anywhere; and one code path for every depth.
#pragma once

#include <vector>

#include "engine/hash/hash_table.h"

namespace nacre::engine::hash {

/// A segment being written into fresh memory that nobody can reach yet.
class SegmentImage {
 public:
  SegmentImage(alloc::Commit& commit, alloc::Pool& pool, const Shape& shape, uint16_t table_id, uint64_t off,
               uint64_t prefix, uint32_t depth);

  /// Places a slot; the displaced bit is set as the place demands. False if there is no room.
  bool place_home(uint32_t home, uint64_t slot) noexcept;
  bool place(uint32_t home, uint64_t slot) noexcept;
  /// Writes the guards and flushes the whole segment.
  void finish();
  uint64_t off() const noexcept { return off_; }

 private:
  bool place_in(uint32_t line, uint64_t slot) noexcept;

  alloc::Commit& commit_;
  alloc::Pool& pool_;
  const Shape& shape_;
  uint64_t off_;
  std::vector<uint8_t> used_;  // words taken, per line
};

class SegmentSplit {
 public:
  SegmentSplit(HashTree& tree, uint64_t hash, uint64_t segment_off)
      : tree_(tree), pool_(tree.pool_), shape_(tree.shape_), hash_(hash), segment_off_(segment_off) {}

  /// Ok also when somebody else made the room meanwhile. out_of_space, limit, corruption, io_error.
  Status run();

 private:
  struct Slot {
    uint32_t line;
    uint64_t slot;
  };
  Status look();
  bool same_decision(const SegmentSplit& earlier) const noexcept;
  Status write_images(alloc::Commit& commit, std::vector<SegmentImage>& images);
  Status side_and_home(const Slot& slot, uint32_t& side, uint32_t& home) const;
  void write_child_node(alloc::Commit& commit, uint64_t node_off, uint64_t left, uint64_t right);
  void change_entries(alloc::Commit& commit, uint64_t left, uint64_t right, uint64_t node_off);
  bool still_valid() const;

  HashTree& tree_;
  alloc::Pool& pool_;
  const Shape& shape_;
  uint64_t hash_;
  uint64_t segment_off_;

  // what look() found
  bool gone_ = false;  // the segment no longer owns the hash
  EntryPath path_;
  uint32_t depth_ = 0;
  bool rebuild_ = false;
  bool child_node_ = false;
  std::vector<LineView> lines_;
  std::vector<uint64_t> locked_lines_;
  std::vector<uint64_t> entry_lines_;
};

}  // namespace nacre::engine::hash
