#include "alloc/geometry.h"

#include <algorithm>
#include <bit>

namespace nacre::alloc {
namespace {

constexpr uint64_t kMiB = 1u << 20;

uint64_t zones_off_of(const Geometry& g, uint64_t lane_bytes) noexcept {
  return align_up(kLaneAreaOff + g.lane_count * lane_bytes, std::max<uint64_t>(kPageBytes, g.chunk_bytes));
}

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
  return g;
}

bool Geometry::valid() const noexcept {
  return is_power_of_two(chunk_bytes) && chunk_bytes >= 1024 && chunk_bytes <= (1u << 30) && lane_count >= 1 &&
         lane_count <= 1024 && lane_cells >= 4 && lane_cells <= kMaxLaneCells && lane_cells % 2 == 0;
}

Layout::Layout(const Geometry& g, uint64_t bytes) noexcept
    : geometry(g),
      chunk_shift(static_cast<uint32_t>(std::countr_zero(g.chunk_bytes))),
      lane_bytes((1 + uint64_t{g.lane_cells}) * kLineBytes),
      zones_off(zones_off_of(g, lane_bytes)),
      bitmap_lines(ceil_div(g.chunk_bytes / kMinUnitBytes, kUnitsPerBitmapLine)),
      max_frames(std::min<uint64_t>(kMaxPoolBytes >> chunk_shift, kNoChunk)),
      pool_bytes_(bytes) {
  meta_frame_[0].store(zones_off >> chunk_shift, std::memory_order_relaxed);
}

uint64_t Layout::meta_frames(uint64_t capacity) const noexcept {
  return ceil_div((chunk_table_lines(capacity) + capacity * bitmap_lines) * kLineBytes, geometry.chunk_bytes);
}

uint64_t Layout::end_frame() const noexcept { return meta_frame_[zone_count()].load(std::memory_order_relaxed); }

Zone Layout::zone(uint64_t index) const noexcept {
  const uint64_t first = chunk_frame_[index].load(std::memory_order_relaxed);
  return {meta_frame_[index].load(std::memory_order_relaxed), first,
          meta_frame_[index + 1].load(std::memory_order_relaxed) - first};
}

Zone Layout::next_zone(uint64_t capacity) const noexcept {
  const uint64_t at = end_frame();
  return {at, at + meta_frames(capacity), capacity};
}

uint64_t Layout::largest_capacity(uint64_t bytes) const noexcept {
  const uint64_t frames = std::min(bytes >> chunk_shift, max_frames), at = end_frame();
  if (frames <= at) return 0;
  uint64_t fits = 0, too_many = frames - at + 1;
  while (too_many - fits > 1) {
    const uint64_t middle = fits + (too_many - fits) / 2;
    (meta_frames(middle) + middle <= frames - at ? fits : too_many) = middle;
  }
  return fits;
}

uint64_t Layout::chunks_in(uint64_t zone_index) const noexcept {
  const Zone z = zone(zone_index);
  const uint64_t frames = pool_bytes() >> chunk_shift;
  return frames <= z.chunk_frame ? 0 : std::min(z.capacity, frames - z.chunk_frame);
}

uint64_t Layout::chunk_count() const noexcept {
  uint64_t count = 0;
  for (uint64_t i = 0, n = zone_count(); i < n; ++i) count += chunks_in(i);
  return count;
}

uint64_t Layout::zone_meta_bytes() const noexcept {
  uint64_t frames = 0;
  for (uint64_t i = 0, n = zone_count(); i < n; ++i) frames += zone(i).chunk_frame - zone(i).meta_frame;
  return frames << chunk_shift;
}

uint64_t Layout::slack_bytes() const noexcept {
  const uint64_t n = zone_count();
  const uint64_t end = n == 0 ? zones_off : chunk_off(zone(n - 1).chunk_frame + chunks_in(n - 1));
  return pool_bytes() - end;
}

bool Layout::append_zone(uint64_t capacity) noexcept {
  const uint64_t n = zone_count();
  if (n == kMaxZones || capacity == 0 || capacity > max_frames) return false;
  const Zone z = next_zone(capacity);
  if (z.end_frame() > max_frames) return false;
  chunk_frame_[n].store(z.chunk_frame, std::memory_order_relaxed);
  meta_frame_[n + 1].store(z.end_frame(), std::memory_order_relaxed);
  sync::point(sync::Event::store, &zone_count_);
  zone_count_.store(n + 1, std::memory_order_release);
  return true;
}

uint64_t Layout::zone_of(uint64_t frame) const noexcept {
  const uint64_t n = zone_count();
  uint64_t low = 0, high = n;  // the first zone that ends behind the frame
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (meta_frame_[middle + 1].load(std::memory_order_relaxed) <= frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low < n && frame >= chunk_frame_[low].load(std::memory_order_relaxed) ? low : n;
}

uint32_t Layout::chunk_of(uint64_t off) const noexcept {
  const uint64_t frame = off >> chunk_shift;
  if (frame >= pool_bytes() >> chunk_shift || zone_of(frame) == zone_count()) return kNoChunk;
  return static_cast<uint32_t>(frame);
}

ChunkPlace Layout::place_in(const Zone& z, uint64_t index) const noexcept {
  const uint64_t meta_off = z.meta_frame << chunk_shift;
  return {meta_off + index / kLineWords * kLineBytes, static_cast<uint32_t>(index % kLineWords),
          meta_off + (chunk_table_lines(z.capacity) + index * bitmap_lines) * kLineBytes};
}

ChunkPlace Layout::place_of(uint64_t chunk) const noexcept {
  const Zone z = zone(zone_of(chunk));
  return place_in(z, chunk - z.chunk_frame);
}

bool Layout::is_line(uint64_t off) const noexcept {
  const uint64_t bytes = pool_bytes();
  if (off % kLineBytes != 0 || off >= bytes || bytes - off < kLineBytes) return false;
  return off < kLaneAreaOff || off >= zones_off;
}

}  // namespace nacre::alloc
