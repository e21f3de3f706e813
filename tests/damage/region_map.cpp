#include "tests/damage/region_map.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "alloc/heap_layout.h"
#include "alloc/pool.h"
#include "engine/catalogue_layout.h"
#include "engine/hash/segment_layout.h"
#include "engine/record.h"
#include "engine/shape.h"
#include "tests/damage/victim.h"

namespace nacre::damage {
namespace {

using alloc::GuardedLine;
using engine::hash::EntryKind;

}  // namespace

const char* region_name(Region region) noexcept {
  static constexpr std::array<const char*, kRegionCount> kNames{
      "superblock", "roots",    "class table", "zone table", "lanes",   "chunk table", "bitmaps",
      "directory",  "segments", "catalogue",   "records",    "extents", "free space"};
  return kNames[static_cast<size_t>(region)];
}

void RegionMap::paint(uint64_t off, uint64_t bytes, Region region) {
  std::fill_n(regions_.begin() + static_cast<std::ptrdiff_t>(off), bytes, static_cast<uint8_t>(region));
}

Region RegionMap::of(uint64_t off, uint64_t bytes) const noexcept {
  const auto begin = regions_.begin() + static_cast<std::ptrdiff_t>(off);
  return static_cast<Region>(*std::min_element(begin, begin + static_cast<std::ptrdiff_t>(bytes)));
}

struct RegionMap::Walk {
  RegionMap& map;
  alloc::Pool& pool;
  engine::Shape shape;
  std::set<uint64_t> seen = {};  // neighbouring entries lead to the same segment

  void superblock() {
    for (const uint64_t copy : {alloc::kSuperblockAOff, alloc::kSuperblockBOff}) {
      map.paint(copy, alloc::kSuperblockBytes, Region::superblock);
      map.paint(copy + alloc::kRootsLineOff, kLineBytes, Region::roots);
    }
    map.paint(alloc::kClassTableOff, alloc::kClassTableBytes, Region::class_table);
    map.paint(alloc::kZoneTableOff, alloc::kZoneTableBytes, Region::zone_table);
    const alloc::Layout& layout = pool.layout();
    map.paint(alloc::kLaneAreaOff, layout.geometry.lane_count * layout.lane_bytes, Region::lanes);
  }

  void zone(uint64_t index) {
    const alloc::Layout& layout = pool.layout();
    const alloc::Zone zone = layout.zone(index);
    for (uint64_t i = 0; i < layout.chunks_in(index); ++i) {
      const alloc::ChunkPlace place = layout.place_in(zone, i);
      map.paint(place.line_off, kLineBytes, Region::chunk_table);
      const uint64_t word = pool.line(place.line_off)->words[place.word];
      if (alloc::chunk_word_bitmap(word))
        map.paint(place.bitmap_off, layout.bitmap_lines * kLineBytes, Region::bitmaps);
      if (alloc::chunk_word_is_extent(word)) ++map.population_.extents;
    }
  }

  void record(uint64_t off) {
    engine::RecordView view;
    if (!view_record(pool, off, view)) std::abort();
    const uint64_t chunk = pool.layout().chunk_of(off);
    const alloc::ChunkPlace place = pool.layout().place_of(chunk);
    const uint64_t word = pool.line(place.line_off)->words[place.word];
    map.paint(off, view.bytes, alloc::chunk_word_is_slab(word) ? Region::records : Region::extents);
  }

  void segment(uint64_t off) {
    if (!seen.insert(off).second) return;
    ++map.population_.segments;
    map.paint(off, shape.segment_bytes(), Region::segments);
    for (uint32_t l = 1; l < shape.segment_lines; ++l)
      for (const uint64_t slot : pool.line(off + l * kLineBytes)->words) {
        if (slot == engine::hash::kTombstone) ++map.population_.tombstones;
        if (!engine::hash::slot_live(slot)) continue;
        ++map.population_.live_slots;
        if ((slot & engine::hash::kDisplaced) != 0) ++map.population_.displaced;
        if (l > shape.home_lines()) ++map.population_.stash;
        record(engine::hash::slot_off(slot));
      }
  }

  void entry(uint64_t entry) {
    const uint64_t off = engine::hash::entry_off(entry);
    if (engine::hash::entry_kind(entry) == EntryKind::segment) return segment(off);
    if (engine::hash::entry_kind(entry) != EntryKind::node || !seen.insert(off).second) return;
    ++map.population_.directory_nodes;
    map.paint(off, shape.dir_node_bytes(), Region::directory);
    for (uint32_t l = 0; l < shape.dir_lines(); ++l)
      for (const uint64_t below : pool.line(off + l * kLineBytes)->words) this->entry(below);
  }

  void catalogue() {
    uint64_t next = 0;
    for (uint64_t node = pool.line(pool.roots_off())->words[alloc::kCatalogueWord]; node != 0; node = next) {
      ++map.population_.catalogue_nodes;
      map.paint(node, shape.catalogue_bytes(), Region::catalogue);
      next = pool.line(node)->words[engine::kCatNext];
      for (uint32_t l = 1; l < shape.catalogue_lines(); ++l) {
        const GuardedLine* line = pool.line(node + l * kLineBytes);
        if (line->words[engine::kTableHead] == 0) continue;
        ++map.population_.tables;
        record(line->words[engine::kTableName]);
        entry(line->words[engine::kTableRoot]);
      }
    }
  }
};

RegionMap::RegionMap(const PoolShape& shape) : regions_(shape.base.size(), static_cast<uint8_t>(Region::free_space)) {
  Victim victim(shape.capacity_bytes);
  victim.load(shape.base);
  auto db = engine::Db::open_domain(std::make_unique<VictimDomain>(victim), shape.options(true), false);
  if (!db) {
    std::fprintf(stderr, "the pool '%s' does not open: %s\n", shape.name.c_str(), last_message());
    std::abort();
  }
  alloc::Pool& pool = (*db)->pool();
  population_.logged = static_cast<uint32_t>(pool.recovery().counted_records);
  population_.tail_bytes = shape.base.size() - align_up(pool.layout().pool_bytes(), kPageBytes);
  population_.zones = static_cast<uint32_t>(pool.layout().zone_count());
  Walk walk{*this, pool, engine::Shape::decode(shape.geometry.client)};
  walk.superblock();
  for (uint64_t zone = 0; zone < pool.layout().zone_count(); ++zone) walk.zone(zone);
  walk.catalogue();
}

}  // namespace nacre::damage
