#include "alloc/lane.h"

namespace nacre::alloc {

void Lane::make_ready() {
  for (HomeLines& lines : half_lines) lines.reserve_for_cells(half_cells);
  ready = true;
}

void Lane::grow_scratch(uint64_t lines, uint64_t ops) {
  const uint64_t want_lines = std::max(lines, room_lines) * 2, want_ops = std::max(ops, room_ops) * 2;
  index_stripes.reserve(want_lines);
  slab_stripes.reserve(want_lines);
  bits.reserve(want_ops);
  words.reserve(want_ops);
  record.updates.reserve(want_lines);
  record.ops.reserve(want_ops);
  room_lines = want_lines;
  room_ops = want_ops;
}

}  // namespace nacre::alloc
