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
  zones_.resize(pool.layout().zone_count());
  for (uint64_t zone = 0; zone < zones_.size(); ++zone) load_zone(zone);
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
    if (const ChunkPlace place = layout.place_in(zone, i);
        !chunk_word_free(pool_.line(place.line_off)->words[place.word]))
      problem("chunk table: the word of chunk %llu, which is behind the pool's end, does not say free",
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

void HeapCheck::load_zone(uint64_t index) {
  ZoneChunks& zone = zones_[index];
  zone.first = pool_.layout().zone(index).chunk_frame;
  zone.chunks.resize(pool_.layout().chunks_in(index));
  for (uint64_t i = 0, head = 0, end = 0; i < zone.chunks.size(); ++i) {
    Chunk& c = zone.chunks[i];
    load_chunk(zone.first + i, zone.chunks.size() - i, c);
    if (i < end) {
      if (c.use.state != ChunkState::free)
        problem("chunk %llu belongs to the %llu chunks from %llu on, and its own table word says otherwise",
                ull(zone.first + i), ull(end - head), ull(zone.first + head));
      c.use.state = ChunkState::free;
      c.back = static_cast<uint32_t>(i - head);
    } else {
      head = i;
      end = i + c.use.chunks;
    }
  }
}

void HeapCheck::load_chunk(uint64_t chunk, uint64_t room, Chunk& c) {
  const ChunkPlace place = pool_.layout().place_of(chunk);
  const uint64_t word = pool_.line(place.line_off)->words[place.word];
  if (!decode_chunk_word(word, pool_.heap().classes(), room, c.use)) {
    problem("chunk %llu: its table word %016llx names no known state or class, or leads out of its zone", ull(chunk),
            ull(word));
    c = {};
    c.damaged = true;
    return;
  }
  c.allocated.resize(c.use.state == ChunkState::free ? 0 : ceil_div(unit_count(c.use), 64));
  c.marked.resize(c.allocated.size());
  if (c.use.bitmap_written) load_bitmap(chunk, place.bitmap_off, c);
  if (c.use.state == ChunkState::extent) c.allocated[0] = 1;
}

uint64_t HeapCheck::unit_bytes(const ChunkUse& use) const noexcept {
  return use.state == ChunkState::slab ? pool_.heap().classes().unit_bytes(use.class_id)
                                       : use.chunks * uint64_t{pool_.layout().geometry.chunk_bytes};
}

uint64_t HeapCheck::unit_count(const ChunkUse& use) const noexcept {
  return use.state == ChunkState::slab ? pool_.heap().classes()[use.class_id].units_per_slab : 1;
}

void HeapCheck::load_bitmap(uint64_t chunk, uint64_t bitmap_off, Chunk& c) {
  const bool slab = c.use.state == ChunkState::slab;
  const uint64_t units = slab ? unit_count(c.use) : 0;
  for (uint64_t w = 0; w < pool_.layout().bitmap_lines * kLineWords; ++w) {
    const uint64_t bits = pool_.line(bitmap_off + w / kLineWords * kLineBytes)->words[w % kLineWords];
    const uint64_t valid = w * 64 >= units ? 0 : units - w * 64 >= 64 ? ~uint64_t{0} : (uint64_t{1} << units % 64) - 1;
    if ((bits & ~valid) != 0)
      problem(slab ? "chunk %llu: bits of units that do not exist are set"
                   : "chunk %llu is no slab but its bitmap is not empty", ull(chunk));
    if (slab && w < c.allocated.size()) c.allocated[w] = bits & valid;
  }
}

/// The chunk whose word speaks for `off`, or null.
HeapCheck::Chunk* HeapCheck::head_at(uint64_t off, uint64_t& head_off) {
  const Layout& layout = pool_.layout();
  const uint32_t chunk = layout.chunk_of(off);
  const uint64_t zone = chunk == kNoChunk ? zones_.size() : layout.zone_of(chunk);
  if (zone >= zones_.size()) return nullptr;
  Chunk* c = &zones_[zone].chunks[chunk - zones_[zone].first];
  head_off = layout.chunk_off(chunk - c->back);
  return c - c->back;
}

bool HeapCheck::mark(uint64_t off, uint64_t bytes, const char* what) {
  uint64_t head_off = 0;
  Chunk* const c = head_at(off, head_off);
  if (c == nullptr || c->use.state == ChunkState::free) {
    problem("%s at offset %llu lies in no slab and no extent", what, ull(off));
    return false;
  }
  const uint64_t size = unit_bytes(c->use), unit = (off - head_off) / size;
  if ((off - head_off) % size != 0 || unit >= unit_count(c->use)) {
    problem("%s at offset %llu starts inside a unit", what, ull(off));
    return false;
  }
  if (bytes > size) {
    problem("%s at offset %llu has %llu bytes in a unit of %llu", what, ull(off), ull(bytes), ull(size));
    return false;
  }
  const uint64_t mask = uint64_t{1} << unit % 64;
  if ((c->allocated[unit / 64] & mask) == 0) {
    problem("%s at offset %llu is reachable but its unit is free", what, ull(off));
    return false;
  }
  if ((c->marked[unit / 64] & mask) != 0) {
    problem("%s at offset %llu is reachable from two places", what, ull(off));
    return false;
  }
  c->marked[unit / 64] |= mask;
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
  if (c.back != 0) return;  // summed up with its first chunk
  const uint64_t run_bytes = c.use.chunks * uint64_t{layout.geometry.chunk_bytes};
  if (c.use.state == ChunkState::free) {
    a.free_chunk_bytes += run_bytes;
    return;
  }
  const uint64_t size = unit_bytes(c.use), count = unit_count(c.use);
  uint64_t live = 0;
  for (size_t w = 0; w < c.allocated.size(); ++w) {
    live += static_cast<uint64_t>(std::popcount(c.allocated[w]));
    for (uint64_t lost = c.allocated[w] & ~c.marked[w]; lost != 0; lost &= lost - 1) {
      const uint64_t unit = w * 64 + static_cast<uint64_t>(std::countr_zero(lost));
      ++a.leaked_units;
      a.leaked_bytes += size;
      problem("unit at offset %llu (%llu bytes) is allocated but reached from nowhere",
              ull(layout.chunk_off(chunk) + unit * size), ull(size));
    }
  }
  a.live_units += live;
  a.live_bytes += live * size;
  a.free_unit_bytes += (count - live) * size;
  a.slab_tail_bytes += run_bytes - count * size;
}

}  // namespace nacre::alloc
