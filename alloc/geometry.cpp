#include "alloc/geometry.h"

#include <algorithm>

namespace nacre::alloc {
namespace {

constexpr uint64_t kMiB = 1u << 20;

}  // namespace

Geometry Geometry::for_pool(uint64_t pool_bytes) noexcept {
  Geometry g;
  if (pool_bytes < 16 * kMiB) {
    g.chunk_bytes = 64 * 1024;
    g.lane_count = 4;
    g.lane_cells = 128;
  } else if (pool_bytes < 256 * kMiB) {
    g.lane_count = 16;
    g.lane_cells = 256;
  }
  // A pool smaller than one zone gets one zone of just its chunks, so that metadata is in proportion.
  const uint64_t chunks = pool_bytes / g.chunk_bytes;
  g.zone_chunks = static_cast<uint32_t>(std::clamp<uint64_t>(chunks, 1, 1024));
  return g;
}

bool Geometry::valid() const noexcept {
  return is_power_of_two(chunk_bytes) && chunk_bytes >= 1024 && chunk_bytes <= (1u << 30) && zone_chunks >= 1 &&
         zone_chunks <= (1u << 22) && lane_count >= 1 && lane_count <= 1024 && lane_cells >= 4 &&
         lane_cells <= kMaxLaneCells && lane_cells % 2 == 0;
}

Layout::Layout(const Geometry& g, uint64_t bytes) noexcept : geometry(g), pool_bytes(bytes) {
  lane_bytes = (1 + uint64_t{g.lane_cells}) * kLineBytes;
  zones_off = align_up(kLaneAreaOff + g.lane_count * lane_bytes, kPageBytes);
  bitmap_lines = ceil_div(g.chunk_bytes / kMinUnitBytes, kUnitsPerBitmapLine);
  chunk_table_lines = ceil_div(g.zone_chunks, kLineWords);
  zone_meta_bytes = align_up((chunk_table_lines + g.zone_chunks * bitmap_lines) * kLineBytes, kPageBytes);
  zone_bytes = zone_meta_bytes + uint64_t{g.zone_chunks} * g.chunk_bytes;
  if (bytes <= zones_off) return;
  const uint64_t full = (bytes - zones_off) / zone_bytes;
  const uint64_t rest = (bytes - zones_off) % zone_bytes;
  const uint64_t rest_chunks = rest > zone_meta_bytes ? (rest - zone_meta_bytes) / g.chunk_bytes : 0;
  chunk_count = full * g.zone_chunks + rest_chunks;
  zone_count = full + (rest_chunks != 0 ? 1 : 0);
}

uint64_t Layout::chunk_of(uint64_t off) const noexcept {
  if (off < zones_off) return chunk_count;
  const uint64_t zone = (off - zones_off) / zone_bytes;
  const uint64_t in_zone = (off - zones_off) % zone_bytes;
  if (in_zone < zone_meta_bytes) return chunk_count;
  const uint64_t chunk = zone * geometry.zone_chunks + (in_zone - zone_meta_bytes) / geometry.chunk_bytes;
  return std::min(chunk, chunk_count);
}

uint64_t Layout::slack_bytes() const noexcept {
  return pool_bytes - zones_off - zone_count * zone_meta_bytes - chunk_count * geometry.chunk_bytes;
}

bool Layout::is_line(uint64_t off) const noexcept {
  if (off % kLineBytes != 0 || off >= pool_bytes || off + kLineBytes > pool_bytes) return false;
  if (off < kLaneAreaOff) return true;
  if (off < zones_off) return false;
  const uint64_t zone = (off - zones_off) / zone_bytes;
  const uint64_t in_zone = (off - zones_off) % zone_bytes;
  if (zone < zone_count && in_zone < zone_meta_bytes) return true;
  return chunk_of(off) < chunk_count;
}

}  // namespace nacre::alloc
