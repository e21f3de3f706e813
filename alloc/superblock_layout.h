// The superblock: three guarded lines, in two copies (pages 0 and 1). Lines 0 and 1 are written once, at creation,
// the magic word last and alone; line 2 changes by commits that update both copies.
//
//   line 0 identity   0         8                  16      24         32        40            48            56
//                     | magic   | version u32 | 0  | compat| ro_compat| incompat| identity_lo | identity_hi | guard
//   line 1 geometry   | chunk_bytes u32, 0 | lane_count u32, lane_cells u32 | client | replica set | 0 | 0 | 0 | guard
//   line 2 roots      | pool_bytes | state | catalogue off | quarantine off | max_bytes | 0 | 0 | guard
//
// Lines 0 and 1 are checked with salt 0 (the salt comes from them), all others with the pool's.
#pragma once

#include <array>
#include <cstdint>

#include "alloc/guarded_line.h"

namespace nacre::alloc {

inline constexpr uint64_t kMagic = 0x31766572'63614e89;  // "\x89Nacrev1", little endian: not text, not another's
inline constexpr uint32_t kFormatVersion = 1;

// Feature bits. An unknown compat bit is ignored, ro_compat allows read-only opens, incompat refuses.
inline constexpr uint64_t kKnownCompat = 0;
inline constexpr uint64_t kKnownRoCompat = 0;
inline constexpr uint64_t kKnownIncompat = 0;

enum IdentityWord : uint32_t {
  kMagicWord,
  kVersionWord,
  kCompatWord,
  kRoCompatWord,
  kIncompatWord,
  kIdLoWord,
  kIdHiWord
};
enum GeometryWord : uint32_t { kChunkWord, kLaneWord, kClientWord, kReplicaWord };
enum RootsWord : uint32_t { kPoolBytesWord, kStateWord, kCatalogueWord, kQuarantineWord, kMaxBytesWord };

// The state word: bit 0 = open for writing (dirty), bits 63..32 = how often an open found it dirty.
inline constexpr uint64_t kStateDirty = 1;
inline constexpr uint64_t kDirtyCountShift = 32;

struct SuperblockLayout {
  GuardedLine identity;
  GuardedLine geometry;
  GuardedLine roots;
};
static_assert(sizeof(SuperblockLayout) == 192);

inline constexpr uint64_t kGeometryLineOff = kLineBytes;   // within a copy
inline constexpr uint64_t kRootsLineOff = 2 * kLineBytes;  // within a copy

/// The mutable line, in both copies: a commit that changes one changes the other.
inline constexpr std::array kRootsLines{kSuperblockAOff + kRootsLineOff, kSuperblockBOff + kRootsLineOff};

}  // namespace nacre::alloc
