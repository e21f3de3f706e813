// What the pool's bytes are used for, counted on the medium.
#include <bit>

#include "alloc/heap.h"

namespace nacre::alloc {

Result<std::bitset<kMaxClasses>> Heap::used_classes() {
  NACRE_TRY(free_chunks().status());  // the cursor is at the end now
  sync::Guard guard(mutex_);
  std::bitset<kMaxClasses> used;
  for (uint32_t id = 0; id < kMaxClasses; ++id)
    used[id] = !class_slabs_[id].all.empty() || class_slabs_[id].has_unloaded() || emptied_of_class_[id] != 0;
  return used;
}

Result<HeapUsage> Heap::usage() {
  HeapUsage usage;
  usage.chunks = layout_.chunk_count();
  usage.classes.resize(classes_.count());
  for (uint32_t id = 0; id < classes_.count(); ++id) usage.classes[id].unit_bytes = classes_.unit_bytes(id);
  for (uint64_t zone = 0; zone < layout_.zone_count(); ++zone)
    for (uint64_t i = 0; i < layout_.chunks_in(zone);) {
      const auto chunk = static_cast<uint32_t>(layout_.zone(zone).chunk_frame + i);
      ChunkUse use;
      NACRE_TRY(read_chunk_in(zone, chunk, use));
      NACRE_TRY(add_usage(chunk, use, usage));
      i += use.chunks;
    }
  return usage;
}

Status Heap::add_usage(uint32_t chunk, const ChunkUse& use, HeapUsage& usage) const {
  if (use.state == ChunkState::free) {
    ++usage.free_chunks;
    return Code::ok;
  }
  if (use.state == ChunkState::extent) {
    ++usage.extents;
    usage.extent_chunks += use.chunks;
    return Code::ok;
  }
  HeapUsage::Class& c = usage.classes[use.class_id];
  ++c.slabs;
  c.units += classes_[use.class_id].units_per_slab;
  for (uint64_t l = 0; l < layout_.bitmap_lines; ++l) {
    const uint64_t line_off = layout_.bitmap_line_off(chunk, l);
    const auto* line = domain_.at<GuardedLine>(line_off);
    if (!line_intact(salt_, line_off, *line)) return damaged_line("bitmap", line_off);
    for (uint64_t w : line->words) c.allocated += static_cast<uint64_t>(std::popcount(w));
  }
  return Code::ok;
}

}  // namespace nacre::alloc
