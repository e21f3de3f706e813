// Where everything lies in a pool. The Geometry is chosen at creation, stored in the superblock, and never changes
// afterwards; tests shrink it so that every structural edge is a few operations away. The Layout adds what may change
// while the pool is open: its size and its zones.
//
//   0          superblock A   one page
//   4096       superblock B   one page
//   8192       class table    one page
//   12288      zone table     one page: the capacity of each zone, in chunks
//   16384      lane area      lane_count x (1 header line + lane_cells cells)
//   zones_off  zone 0, zone 1, ...                    a multiple of chunk_bytes
//
// From 0 on the pool is an array of frames of chunk_bytes, a power of two. A chunk is named by the number of its frame,
// so its number is its offset shifted. A zone takes whole frames:
//
//   | chunk table, bitmaps ...        | chunk | chunk | ...                 | next zone
//     metadata frames of the zone       `capacity` chunks; of the last zone the first ones that pool_bytes covers
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "pmem/base/result.h"
#include "pmem/base/sync.h"
#include "pmem/base/units.h"

namespace nacre::alloc {

inline constexpr uint64_t kSuperblockBytes = kPageBytes;
inline constexpr uint64_t kSuperblockAOff = 0;
inline constexpr uint64_t kSuperblockBOff = kSuperblockBytes;
inline constexpr uint64_t kClassTableOff = 2 * kSuperblockBytes;
inline constexpr uint64_t kClassTableBytes = kPageBytes;
inline constexpr uint64_t kZoneTableOff = kClassTableOff + kClassTableBytes;
inline constexpr uint64_t kZoneTableBytes = kPageBytes;
inline constexpr uint64_t kLaneAreaOff = kZoneTableOff + kZoneTableBytes;

inline constexpr uint64_t kLineWords = 7;                                   // payload words of a guarded line
inline constexpr uint64_t kUnitsPerBitmapLine = kLineWords * 64;            // 448
inline constexpr uint64_t kMinUnitBytes = 32;                               // the smallest unit of any class
// A record of half a lane then names fewer than 2^16 lines, each of which takes at least ten bytes.
inline constexpr uint64_t kMaxLaneCells = 16384;
inline constexpr uint64_t kUnitAlign = 16;                                  // slots hold offsets in 16-byte units
inline constexpr uint64_t kMaxPoolBytes = (uint64_t{1} << 40) * kUnitAlign; // 40-bit slot offsets: 16 TiB
inline constexpr uint64_t kMaxZones = kZoneTableBytes / kLineBytes * kLineWords;  // 448
inline constexpr uint32_t kNoChunk = ~uint32_t{0};

/// The stored numbers. `client` belongs to the layer above, which alone knows what it means.
struct Geometry {
  uint32_t chunk_bytes = 256 * 1024;
  uint32_t lane_count = 32;
  uint32_t lane_cells = 512;
  uint64_t client = 0;

  /// The default for a pool of `pool_bytes`: small pools get fewer, smaller lanes and chunks.
  static Geometry for_pool(uint64_t pool_bytes) noexcept;
  /// invalid_argument-free check of stored or given numbers; `corruption` is for the caller to choose.
  bool valid() const noexcept;
};

/// A zone's place, in frames.
struct Zone {
  uint64_t meta_frame = 0;   // where its metadata begins
  uint64_t chunk_frame = 0;  // its first chunk
  uint64_t capacity = 0;     // chunks it has room for
  uint64_t end_frame() const noexcept { return chunk_frame + capacity; }
};

/// What belongs to one chunk in its zone's metadata.
struct ChunkPlace {
  uint64_t line_off = 0;    // the line of the chunk table that holds its word
  uint32_t word = 0;        // which word of that line
  uint64_t bitmap_off = 0;  // the first of its bitmap_lines lines
};

/// Offsets and counts that follow from a Geometry, the zones and the pool's size.
///
/// The constants are plain. Size and zones are published: one thread at a time may append a zone or change the size
/// while any number of threads read; a reader sees a zone wholly or not at all. There is one Layout per open pool, and
/// nobody copies it.
///
/// Whoever grows a pool does, in this order (alloc/zone.h has the parts that touch the medium):
///   1 makes the file long enough
///   2 zone = next_zone(capacity), or the last zone if its capacity is not used up
///   3 write_chunk_table() for the new chunks, flushed
///   4 one strict commit: the zone's word (zone_word_ref) if it is new, pool_bytes in both copies of the roots line
///   5 before the commit's lines are unlocked: append_zone(capacity), set_pool_bytes(bytes), Heap::extend()
class Layout {
 public:
  /// A pool without zones so far. Requires geometry.valid().
  Layout(const Geometry& geometry, uint64_t pool_bytes) noexcept;
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;

  const Geometry geometry;
  const uint32_t chunk_shift;   // log2 of chunk_bytes
  const uint64_t lane_bytes;    // of one lane, header included
  const uint64_t zones_off;
  const uint64_t bitmap_lines;  // per chunk
  const uint64_t max_frames;    // of the largest pool with this geometry

  // ---- lanes ----
  uint64_t lane_header_off(uint64_t lane) const noexcept { return kLaneAreaOff + lane * lane_bytes; }
  uint64_t cell_off(uint64_t lane, uint64_t cell) const noexcept {
    return lane_header_off(lane) + kLineBytes * (1 + cell);
  }

  // ---- size and zones ----
  uint64_t pool_bytes() const noexcept { return pool_bytes_.load(std::memory_order_acquire); }
  uint64_t zone_count() const noexcept { return zone_count_.load(std::memory_order_acquire); }
  Zone zone(uint64_t index) const noexcept;
  /// Where a zone of that capacity would lie behind the last one.
  Zone next_zone(uint64_t capacity) const noexcept;
  /// The capacity of the largest zone that could be appended and ends within `bytes` from the pool's start; 0 if none.
  uint64_t largest_capacity(uint64_t bytes) const noexcept;
  /// Chunks of this zone that exist.
  uint64_t chunks_in(uint64_t zone_index) const noexcept;
  /// Chunks of all zones that exist.
  uint64_t chunk_count() const noexcept;
  /// Frames that hold chunk tables and bitmaps, in bytes.
  uint64_t zone_meta_bytes() const noexcept;
  /// Bytes behind the last chunk.
  uint64_t slack_bytes() const noexcept;

  /// Publishes a further zone. False if `capacity` is 0 or it would not fit a zone table or the largest pool.
  bool append_zone(uint64_t capacity) noexcept;
  /// Publishes the pool's size. Chunks appear at once; the heap uses them after Heap::extend().
  void set_pool_bytes(uint64_t bytes) noexcept {
    sync::point(sync::Event::store, &pool_bytes_);
    pool_bytes_.store(bytes, std::memory_order_release);
  }
  /// Takes the last zone back, after the commit that cleared its word: none of its chunks is in use or known to the
  /// heap.
  void drop_last_zone() noexcept { zone_count_.fetch_sub(1, std::memory_order_acq_rel); }

  // ---- chunks ----
  uint64_t chunk_off(uint64_t chunk) const noexcept { return chunk << chunk_shift; }
  /// The zone that has this frame among the chunks it has room for; zone_count() if none has.
  uint64_t zone_of(uint64_t frame) const noexcept;
  /// The chunk whose contents hold `off`, or kNoChunk if none does.
  uint32_t chunk_of(uint64_t off) const noexcept;
  /// Of a chunk that exists.
  ChunkPlace place_of(uint64_t chunk) const noexcept;
  /// Of the chunk `index` of a zone, which need not be published yet.
  ChunkPlace place_in(const Zone& zone, uint64_t index) const noexcept;
  uint64_t chunk_line_off(uint64_t chunk) const noexcept { return place_of(chunk).line_off; }
  uint32_t chunk_word_idx(uint64_t chunk) const noexcept { return place_of(chunk).word; }
  uint64_t bitmap_line_off(uint64_t chunk, uint64_t line) const noexcept {
    return place_of(chunk).bitmap_off + line * kLineBytes;
  }
  static uint64_t chunk_table_lines(uint64_t capacity) noexcept { return ceil_div(capacity, kLineWords); }

  /// True if [off, off + 64) may be a guarded line of a pool of this size: 64-aligned, inside, outside the lane area.
  bool is_line(uint64_t off) const noexcept;

 private:
  uint64_t meta_frames(uint64_t capacity) const noexcept;
  uint64_t end_frame() const noexcept;

  std::atomic<uint64_t> pool_bytes_;
  std::atomic<uint64_t> zone_count_{0};
  std::array<std::atomic<uint64_t>, kMaxZones> chunk_frame_{};    // of each zone
  std::array<std::atomic<uint64_t>, kMaxZones + 1> meta_frame_{};  // [i + 1] is the end of zone i
};

}  // namespace nacre::alloc
