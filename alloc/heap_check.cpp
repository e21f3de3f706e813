#include "alloc/heap_check.h"

#include <bit>
#include <cstdarg>
#include <cstdio>

#include "alloc/heap_layout.h"
#include "alloc/lane_layout.h"

namespace nacre::alloc {
namespace {

unsigned long long ull(uint64_t v) noexcept { return v; }

}  // namespace

HeapCheck::HeapCheck(Pool& pool) : pool_(pool) {
  const Layout& layout = pool.layout();
  zones_.resize(layout.zone_count());
  for (uint64_t zone = 0; zone < zones_.size(); ++zone) {
    zones_[zone].first = layout.zone(zone).chunk_frame;
    zones_[zone].chunks.resize(layout.chunks_in(zone));
    for (uint64_t i = 0; i < zones_[zone].chunks.size(); ++i) load_chunk(zones_[zone].first + i, zones_[zone].chunks[i]);
  }
}

HeapCheck::Chunk* HeapCheck::chunk_at(uint64_t off) {
  const uint32_t chunk = pool_.layout().chunk_of(off);
  const uint64_t zone = chunk == kNoChunk ? zones_.size() : pool_.layout().zone_of(chunk);
  return zone < zones_.size() ? &zones_[zone].chunks[chunk - zones_[zone].first] : nullptr;
}

void HeapCheck::problem(const char* format, ...) {
  ++problem_count_;
  if (problems_.size() >= kMaxProblems) return;
  char text[256];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  problems_.emplace_back(text);
}

void HeapCheck::check_line(uint64_t off, Salt salt, const char* what) {
  if (!line_intact(salt, off, *pool_.line(off))) problem("%s line at offset %llu fails its check", what, ull(off));
}

void HeapCheck::check_metadata() {
  const Layout& layout = pool_.layout();
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
    check_line(copy, 0, "superblock identity");
    check_line(copy + kGeometryLineOff, 0, "superblock geometry");
    check_line(copy + kRootsLineOff, pool_.salt(), "superblock roots");
    for (uint64_t off = copy + sizeof(SuperblockLayout); off < copy + kSuperblockBytes; off += kWordBytes)
      if (*pool_.at<uint64_t>(off) != 0) problem("superblock padding at offset %llu is not zero", ull(off));
  }
  for (uint64_t off = kClassTableOff; off < kClassTableOff + kClassTableBytes; off += kLineBytes)
    check_line(off, pool_.salt(), "class table");
  check_lanes();
  for (uint64_t off = kZoneTableOff; off < kZoneTableOff + kZoneTableBytes; off += kLineBytes)
    check_line(off, pool_.salt(), "zone table");
  for (uint64_t zone = 0; zone < layout.zone_count(); ++zone) check_zone(zone);
}

// Lines of chunks that are not there, and of bitmaps that were never written, hold anything.
void HeapCheck::check_zone(uint64_t index) {
  const Layout& layout = pool_.layout();
  const Zone zone = layout.zone(index);
  const uint64_t count = layout.chunks_in(index);
  for (uint64_t i = 0; i < count; ++i) {
    const ChunkPlace place = layout.place_in(zone, i);
    if (place.word == 0) check_line(place.line_off, pool_.salt(), "chunk table");
    if (!chunk_word_bitmap(pool_.line(place.line_off)->words[place.word])) continue;
    for (uint64_t l = 0; l < layout.bitmap_lines; ++l)
      check_line(place.bitmap_off + l * kLineBytes, pool_.salt(), "bitmap");
  }
  for (uint64_t i = count; i < zone.capacity && i % kLineWords != 0; ++i)
    if (const ChunkPlace place = layout.place_in(zone, i); pool_.line(place.line_off)->words[place.word] != 0)
      problem("chunk table: the word of chunk %llu, which is behind the pool's end, is not zero",
              ull(zone.chunk_frame + i));
}

void HeapCheck::check_lanes() {
  const Layout& layout = pool_.layout();
  for (uint32_t lane = 0; lane < layout.geometry.lane_count; ++lane) {
    const uint64_t off = layout.lane_header_off(lane);
    const auto* header = pool_.at<LaneHeader>(off);
    if (!lane_word_intact(pool_.salt(), off + offsetof(LaneHeader, seal), header->seal) ||
        !lane_word_intact(pool_.salt(), off + offsetof(LaneHeader, retired), header->retired))
      problem("header of lane %u fails its check", lane);
    for (uint64_t word : header->reserved)
      if (word != 0) problem("reserved bytes in the header of lane %u are not zero", lane);
  }
}

void HeapCheck::load_chunk(uint64_t chunk, Chunk& c) {
  const Layout& layout = pool_.layout();
  const ChunkPlace place = layout.place_of(chunk);
  const uint64_t word = pool_.line(place.line_off)->words[place.word];
  const uint16_t class_id = chunk_word_class(word);
  if (!chunk_word_free(word)) {
    if (!chunk_word_clean(word) || chunk_word_state(word) != static_cast<uint8_t>(ChunkState::slab) ||
        !chunk_word_bitmap(word) || class_id >= pool_.heap().classes().count() ||
        pool_.heap().classes()[class_id].state == ClassState::absent) {
      problem("chunk %llu: its table word %016llx names no known state or class", ull(chunk), ull(word));
      return;
    }
    c.slab = true;
    c.class_id = class_id;
  }
  if (chunk_word_bitmap(word)) load_bitmap(chunk, place.bitmap_off, c);
}

void HeapCheck::load_bitmap(uint64_t chunk, uint64_t bitmap_off, Chunk& c) {
  const uint64_t units = c.slab ? pool_.heap().classes()[c.class_id].units_per_slab : 0;
  c.allocated.resize(ceil_div(units, 64));
  c.marked.resize(c.allocated.size());
  for (uint64_t w = 0; w < pool_.layout().bitmap_lines * kLineWords; ++w) {
    const uint64_t bits = pool_.line(bitmap_off + w / kLineWords * kLineBytes)->words[w % kLineWords];
    const uint64_t valid = w * 64 >= units ? 0 : units - w * 64 >= 64 ? ~uint64_t{0} : (uint64_t{1} << units % 64) - 1;
    if ((bits & ~valid) != 0) {
      if (c.slab)
        problem("chunk %llu: bits of units that do not exist are set", ull(chunk));
      else
        problem("chunk %llu is free but its bitmap is not empty", ull(chunk));
    }
    if (w < c.allocated.size()) c.allocated[w] = bits & valid;
  }
}

bool HeapCheck::mark(uint64_t off, uint64_t bytes, const char* what) {
  const Layout& layout = pool_.layout();
  Chunk* const found = chunk_at(off);
  if (found == nullptr || !found->slab) {
    problem("%s at offset %llu lies in no slab", what, ull(off));
    return false;
  }
  Chunk& c = *found;
  const SizeClass& size_class = pool_.heap().classes()[c.class_id];
  const uint64_t in_chunk = off - layout.chunk_off(off >> layout.chunk_shift);
  const uint64_t unit = in_chunk / size_class.unit_bytes;
  if (in_chunk % size_class.unit_bytes != 0 || unit >= size_class.units_per_slab) {
    problem("%s at offset %llu starts inside a unit", what, ull(off));
    return false;
  }
  if (bytes > size_class.unit_bytes) {
    problem("%s at offset %llu has %llu bytes in a unit of %u", what, ull(off), ull(bytes), size_class.unit_bytes);
    return false;
  }
  const uint64_t mask = uint64_t{1} << unit % 64;
  if ((c.allocated[unit / 64] & mask) == 0) {
    problem("%s at offset %llu is reachable but its unit is free", what, ull(off));
    return false;
  }
  if ((c.marked[unit / 64] & mask) != 0) {
    problem("%s at offset %llu is reachable from two places", what, ull(off));
    return false;
  }
  c.marked[unit / 64] |= mask;
  return true;
}

void HeapCheck::finish() {
  const Layout& layout = pool_.layout();
  HeapAccount& a = account_;
  a.pool_bytes = layout.pool_bytes();
  a.superblock_bytes = kLaneAreaOff;
  a.lane_bytes = layout.zones_off - kLaneAreaOff;
  a.zone_meta_bytes = layout.zone_meta_bytes();
  a.slack_bytes = layout.slack_bytes();
  for (const ZoneChunks& zone : zones_)
    for (uint64_t i = 0; i < zone.chunks.size(); ++i) sum_up(zone.first + i, zone.chunks[i]);
  if (a.sum() != a.pool_bytes)
    problem("the uses add up to %llu bytes, the pool has %llu", ull(a.sum()), ull(a.pool_bytes));
}

void HeapCheck::sum_up(uint64_t chunk, const Chunk& c) {
  const Layout& layout = pool_.layout();
  HeapAccount& a = account_;
  if (!c.slab) {
    a.free_chunk_bytes += layout.geometry.chunk_bytes;
    return;
  }
  const SizeClass& size_class = pool_.heap().classes()[c.class_id];
  uint64_t live = 0;
  for (size_t w = 0; w < c.allocated.size(); ++w) {
    live += static_cast<uint64_t>(std::popcount(c.allocated[w]));
    for (uint64_t lost = c.allocated[w] & ~c.marked[w]; lost != 0; lost &= lost - 1) {
      const uint64_t unit = w * 64 + static_cast<uint64_t>(std::countr_zero(lost));
      ++a.leaked_units;
      a.leaked_bytes += size_class.unit_bytes;
      problem("unit at offset %llu (%u bytes) is allocated but reached from nowhere",
              ull(layout.chunk_off(chunk) + unit * size_class.unit_bytes), size_class.unit_bytes);
    }
  }
  a.live_units += live;
  a.live_bytes += live * size_class.unit_bytes;
  a.free_unit_bytes += (size_class.units_per_slab - live) * size_class.unit_bytes;
  a.slab_tail_bytes += layout.geometry.chunk_bytes - uint64_t{size_class.units_per_slab} * size_class.unit_bytes;
}

}  // namespace nacre::alloc
