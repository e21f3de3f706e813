// The engine's share of the pool's geometry: how large segments, directory nodes and catalogue nodes are. Stored in
// the superblock's client word, fixed at creation; tests shrink it.
#pragma once

#include <cstdint>

#include "alloc/geometry.h"
#include "alloc/size_class.h"

namespace nacre::engine {

//   63      40 39        32 31   24 23      16 15           0        (client word)
//   | zero    | stash lines| tag skip| dir bits | segment lines |     catalogue nodes have as many lines as a
//                                                                     directory node, at least 4
struct Shape {
  uint32_t segment_lines = 256;  ///< header + home + stash
  // Measured by simulation for 256 lines: with 15 stash lines a segment splits at 87 % fill and an insert looks at 2.3
  // lines on its way there, with 6 at 78 % and 1.4 lines, with 3 at 72 % and 1.2.
  uint32_t stash_lines = 6;
  uint32_t dir_bits = 6;         ///< a directory node has 2^dir_bits entries
  uint32_t tag_skip = 5;         ///< hash bits above the slot's tag: a split of a shallower segment reads every key

  static Shape for_geometry(const alloc::Geometry& g) noexcept {
    Shape s;
    if (g.chunk_bytes < 256 * 1024) s = {64, 3, 5, 4};
    return s;
  }
  static Shape decode(uint64_t word) noexcept {
    return {static_cast<uint32_t>(word & 0xffff), static_cast<uint32_t>(word >> 32 & 0xff),
            static_cast<uint32_t>(word >> 16 & 0xff), static_cast<uint32_t>(word >> 24 & 0xff)};
  }
  uint64_t encode() const noexcept {
    return segment_lines | uint64_t{dir_bits} << 16 | uint64_t{tag_skip} << 24 | uint64_t{stash_lines} << 32;
  }
  bool valid(const alloc::Geometry& g) const noexcept {
    return segment_lines >= 4 && segment_lines <= 1024 && stash_lines >= 1 && stash_lines + 3 <= segment_lines &&
           dir_bits >= 1 && dir_bits <= 10 && tag_skip <= 16 && segment_bytes() <= g.chunk_bytes &&
           dir_node_bytes() <= g.chunk_bytes && catalogue_bytes() <= g.chunk_bytes;
  }

  uint64_t segment_bytes() const noexcept { return segment_lines * kLineBytes; }
  uint32_t home_lines() const noexcept { return segment_lines - 1 - stash_lines; }
  uint32_t slot_capacity() const noexcept { return (segment_lines - 1) * static_cast<uint32_t>(alloc::kLineWords); }
  uint32_t dir_entries() const noexcept { return 1u << dir_bits; }
  uint32_t dir_lines() const noexcept { return static_cast<uint32_t>(ceil_div(dir_entries(), alloc::kLineWords)); }
  uint64_t dir_node_bytes() const noexcept { return dir_lines() * kLineBytes; }
  uint32_t catalogue_lines() const noexcept { return dir_lines() < 4 ? 4 : dir_lines(); }
  uint64_t catalogue_bytes() const noexcept { return catalogue_lines() * kLineBytes; }
};

}  // namespace nacre::engine
