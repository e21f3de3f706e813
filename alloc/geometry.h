// Where everything lies in a pool. The numbers are chosen at creation, stored in the superblock, and never change
// afterwards; tests shrink them so that every structural edge is a few operations away.
//
//   0          superblock A   one page
//   4096       superblock B   one page
//   8192       class table    one page
//   12288      lane area      lane_count x (1 header line + lane_cells cells)
//   zones_off  zone 0: chunk table | bitmaps | chunks     zone 1: ...     (the last zone may hold fewer chunks)
#pragma once

#include <cstdint>

#include "pmem/base/result.h"
#include "pmem/base/units.h"

namespace nacre::alloc {

inline constexpr uint64_t kSuperblockBytes = kPageBytes;
inline constexpr uint64_t kSuperblockAOff = 0;
inline constexpr uint64_t kSuperblockBOff = kSuperblockBytes;
inline constexpr uint64_t kClassTableOff = 2 * kSuperblockBytes;
inline constexpr uint64_t kClassTableBytes = kPageBytes;
inline constexpr uint64_t kLaneAreaOff = kClassTableOff + kClassTableBytes;

inline constexpr uint64_t kLineWords = 7;                                   // payload words of a guarded line
inline constexpr uint64_t kUnitsPerBitmapLine = kLineWords * 64;            // 448
inline constexpr uint64_t kMinUnitBytes = 32;                               // the smallest unit of any class
// A record of half a lane then names fewer than 2^16 lines, each of which takes at least nine bytes.
inline constexpr uint64_t kMaxLaneCells = 16384;
inline constexpr uint64_t kUnitAlign = 16;                                  // slots hold offsets in 16-byte units
inline constexpr uint64_t kMaxPoolBytes = (uint64_t{1} << 40) * kUnitAlign; // 40-bit slot offsets: 16 TiB

/// The stored numbers. `client` belongs to the layer above, which alone knows what it means.
struct Geometry {
  uint32_t chunk_bytes = 256 * 1024;
  uint32_t zone_chunks = 1024;
  uint32_t lane_count = 32;
  uint32_t lane_cells = 512;
  uint64_t client = 0;

  /// The default for a pool of `pool_bytes`: small pools get fewer, smaller lanes and chunks.
  static Geometry for_pool(uint64_t pool_bytes) noexcept;
  /// invalid_argument-free check of stored or given numbers; `corruption` is for the caller to choose.
  bool valid() const noexcept;
};

/// Offsets and counts that follow from a Geometry and the pool's size.
struct Layout {
  Layout() = default;
  /// Requires geometry.valid().
  Layout(const Geometry& geometry, uint64_t pool_bytes) noexcept;

  Geometry geometry;
  uint64_t pool_bytes = 0;
  uint64_t lane_bytes = 0;         // of one lane, header included
  uint64_t zones_off = 0;
  uint64_t bitmap_lines = 0;       // per chunk
  uint64_t chunk_table_lines = 0;  // per zone
  uint64_t zone_meta_bytes = 0;
  uint64_t zone_bytes = 0;
  uint64_t chunk_count = 0;        // chunks that exist in the pool
  uint64_t zone_count = 0;

  uint64_t lane_header_off(uint64_t lane) const noexcept { return kLaneAreaOff + lane * lane_bytes; }
  uint64_t cell_off(uint64_t lane, uint64_t cell) const noexcept {
    return lane_header_off(lane) + kLineBytes * (1 + cell);
  }
  uint64_t zone_off(uint64_t zone) const noexcept { return zones_off + zone * zone_bytes; }
  uint64_t chunk_off(uint64_t chunk) const noexcept {
    return zone_off(chunk / geometry.zone_chunks) + zone_meta_bytes +
           (chunk % geometry.zone_chunks) * geometry.chunk_bytes;
  }
  uint64_t chunk_line_off(uint64_t chunk) const noexcept {
    return zone_off(chunk / geometry.zone_chunks) + (chunk % geometry.zone_chunks) / kLineWords * kLineBytes;
  }
  static uint64_t chunk_word(uint64_t chunk_in_zone) noexcept { return chunk_in_zone % kLineWords; }
  uint64_t chunk_word_idx(uint64_t chunk) const noexcept { return chunk_word(chunk % geometry.zone_chunks); }
  uint64_t bitmap_line_off(uint64_t chunk, uint64_t line) const noexcept {
    return zone_off(chunk / geometry.zone_chunks) +
           (chunk_table_lines + (chunk % geometry.zone_chunks) * bitmap_lines + line) * kLineBytes;
  }
  /// The chunk whose contents hold `off`, or chunk_count if none does.
  uint64_t chunk_of(uint64_t off) const noexcept;
  /// Bytes that are neither superblock, lanes, zone metadata nor chunk: the tail too short for a chunk.
  uint64_t slack_bytes() const noexcept;
  /// True if [off, off + 64) is a line that may be guarded: 64-aligned, inside the pool, outside the lane area.
  bool is_line(uint64_t off) const noexcept;
};

}  // namespace nacre::alloc
