// A segment: guarded lines in one unit.
//
//   line 0            header    | magic u32, depth u8 (bits 32..39) | prefix | table | 0 | 0 | 0 | 0 | guard
//   lines 1 .. H      home      seven slots each
//   lines H+1 .. end  stash     seven slots each
//
//   slot   63          62      40 39          0
//          | displaced | tag 23   | offset / 16 |         0: never used; offset 0 otherwise: tombstone
//
// The header never changes: a split replaces the segment. `prefix` holds the top `depth` bits of the hashes of its
// keys, left-aligned.
#pragma once

#include <cstdint>

#include "alloc/guarded_line.h"

namespace nacre::engine::hash {

enum SegmentWord : uint32_t { kSegmentMagicDepth, kSegmentPrefix, kSegmentTable };
inline constexpr uint64_t kSegmentMagic = 0x5347'4853;  // "SHGS"

inline constexpr uint32_t kTagBits = 23;
inline constexpr uint64_t kOffBits = 40;
inline constexpr uint64_t kOffMask = (uint64_t{1} << kOffBits) - 1;
inline constexpr uint64_t kDisplaced = uint64_t{1} << 63;
inline constexpr uint64_t kTombstone = kDisplaced;  // offset 0 is the superblock, never a record

constexpr bool slot_live(uint64_t slot) noexcept { return (slot & kOffMask) != 0; }
constexpr uint64_t slot_off(uint64_t slot) noexcept { return (slot & kOffMask) * alloc::kUnitAlign; }
/// displaced and tag, in place: what two slots of the same key in lines of the same role share.
constexpr uint64_t slot_head(uint64_t slot) noexcept { return slot & ~kOffMask; }

// A directory entry: the root word of a table, or a word of a directory node.
//
//   63  62 61     56 55   40 39          0
//   | kind | depth  | zero  | offset / 16 |      kind: 0 empty, 1 segment, 2 node
enum class EntryKind : uint8_t { empty = 0, segment = 1, node = 2 };

constexpr uint64_t make_entry(EntryKind kind, uint32_t depth, uint64_t off) noexcept {
  return static_cast<uint64_t>(kind) << 62 | uint64_t{depth} << 56 | off / alloc::kUnitAlign;
}
constexpr EntryKind entry_kind(uint64_t entry) noexcept { return static_cast<EntryKind>(entry >> 62); }
constexpr uint32_t entry_depth(uint64_t entry) noexcept { return static_cast<uint32_t>(entry >> 56 & 63); }
constexpr uint64_t entry_off(uint64_t entry) noexcept { return (entry & kOffMask) * alloc::kUnitAlign; }
constexpr bool entry_clean(uint64_t entry) noexcept { return (entry >> 40 & 0xffff) == 0 && entry >> 62 != 3; }

/// 2^28 segments: 10^11 keys. Only keys whose hashes collide by the hundred reach it with fewer.
inline constexpr uint32_t kMaxDepth = 28;

}  // namespace nacre::engine::hash
