// Making room in a full segment: one commit that puts two new segments (a split), or one without its tombstones (a
// rebuild), in its place.
//
// Both halves are written anew rather than moving half of the slots out of the old one. That costs one more segment
// of line flushes per split (0.4 lines a put), and buys: lines without stale slots, so an absent get still reads one
// line after a split; no rule for stale slots anywhere; and one code path for every depth.
#pragma once

#include <array>
#include <vector>

#include "engine/hash/hash_table.h"

namespace nacre::engine::hash {

/// A slot, and the home line of its key.
struct PlacedSlot {
  uint64_t slot;
  uint32_t home;
};
struct ImageLine {
  uint32_t count = 0;
  std::array<PlacedSlot, alloc::kLineWords> slots;
};

/// What a split works in, kept by the tree from one to the next: 80 KiB are a lot to ask of an allocator that is also
/// the application's.
struct SplitScratch {
  std::vector<LineView> lines;
  std::vector<uint64_t> locked_lines, entry_lines;
  std::array<std::vector<ImageLine>, 2> images;
};

/// A segment being made: slots are placed in DRAM, settled, and written to fresh memory that nobody can reach yet.
class SegmentImage {
 public:
  /// `lines` is scratch, of any content.
  SegmentImage(alloc::Pool& pool, const Shape& shape, uint16_t table_id, uint64_t off, uint64_t prefix, uint32_t depth,
               std::vector<ImageLine>& lines);

  /// Places a slot of this home in `line`, where it stood in a segment that this one replaces: there is room.
  void keep(uint32_t line, uint32_t home, uint64_t slot) noexcept;
  /// Moves each displaced slot to its home line, or from the stash to the next line, while there is room: afterwards
  /// a slot is displaced only from lines without a zero word, which is what look-ups rely on. Ends, for each move
  /// brings a slot closer to its home.
  void settle() noexcept;
  /// Writes the lines and flushes the whole segment.
  void write(alloc::Commit& commit) const;
  uint64_t off() const noexcept { return off_; }

 private:
  uint32_t next_line(uint32_t home) const noexcept { return home + 1 == shape_.home_lines() ? 1 : home + 2; }
  bool move(ImageLine& from, uint32_t at, uint32_t to) noexcept;
  bool settle_line(uint32_t line) noexcept;
  void pack_stash() noexcept;

  alloc::Pool& pool_;
  const Shape& shape_;
  uint16_t table_id_;
  uint64_t off_, prefix_;
  uint32_t depth_;
  std::vector<ImageLine>& lines_;
};

class SegmentSplit {
 public:
  SegmentSplit(HashTree& tree, SplitScratch& scratch, uint64_t hash, uint64_t segment_off)
      : tree_(tree),
        pool_(tree.pool_),
        shape_(tree.shape_),
        hash_(hash),
        segment_off_(segment_off),
        lines_(scratch.lines),
        locked_lines_(scratch.locked_lines),
        entry_lines_(scratch.entry_lines),
        image_lines_(scratch.images) {}

  /// Ok also when somebody else made the room meanwhile. out_of_space, limit, corruption, io_error.
  Status run();

 private:
  struct Slot {
    uint32_t line;
    uint64_t slot;
  };
  Status look();
  Status fill_images(std::array<SegmentImage, 2>& images) const;
  Status side_and_home(const Slot& slot, uint32_t& side, uint32_t& home) const;
  void write_child_node(alloc::Commit& commit, uint64_t node_off, uint64_t left, uint64_t right);
  void change_entries(alloc::Commit& commit, uint64_t left, uint64_t right, uint64_t node_off);
  bool still_valid() const;
  uint32_t split_bit() const noexcept;
  Status publish_halves(alloc::Commit& commit, uint64_t prefix, uint64_t left, uint64_t right_prefix, uint64_t right);

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
  std::vector<LineView>& lines_;
  std::vector<uint64_t>& locked_lines_;
  std::vector<uint64_t>& entry_lines_;
  std::array<std::vector<ImageLine>, 2>& image_lines_;
};

}  // namespace nacre::engine::hash
