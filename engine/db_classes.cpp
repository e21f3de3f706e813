// The allocation classes of a Db: list, add, retire, suggest.
#include <algorithm>
#include <limits>

#include "alloc/class_table.h"
#include "engine/db_impl.h"
#include "engine/record.h"

namespace nacre::engine {

uint64_t stored_bytes(uint64_t key_bytes, uint64_t value_bytes) noexcept {
  constexpr uint64_t kLargest = align_down(std::numeric_limits<uint64_t>::max(), alloc::kUnitAlign);
  if (key_bytes > kLargest - kLongHeaderBytes || value_bytes > kLargest - kLongHeaderBytes - key_bytes)
    return kLargest;
  return record_bytes(key_bytes, value_bytes);
}

uint64_t record_unit_bytes(uint64_t key_bytes, uint64_t value_bytes) noexcept {
  return std::max(alloc::kMinUnitBytes, align_up(stored_bytes(key_bytes, value_bytes), alloc::kUnitAlign));
}

Result<std::vector<ClassInfo>> Db::classes() {
  NACRE_ASSIGN(const auto usage, alloc::class_usage(*impl_->pool));
  std::vector<ClassInfo> infos;
  for (const alloc::ClassUsage& u : usage.classes)
    infos.push_back({.id = u.id,
                     .unit_bytes = u.size_class.unit_bytes,
                     .align = u.size_class.align,
                     .retired = u.size_class.state == alloc::ClassState::retired,
                     .slabs = u.slabs,
                     .slab_bytes = u.slab_bytes(),
                     .units = u.units,
                     .live_units = u.live_units,
                     .live_bytes = u.live_bytes(),
                     .free_bytes = u.free_bytes(),
                     .tail_bytes = u.tail_bytes(),
                     .fragmentation_permille = u.fragmentation_permille()});
  return infos;
}

Status Db::add_class(const alloc::ClassSpec& spec) { return alloc::add_class(*impl_->pool, spec).status(); }

Status Db::retire_class(uint32_t unit_bytes) {
  const Shape& shape = impl_->shape;
  const alloc::ClassNeed needs[] = {
      {shape.segment_bytes(), kLineBytes, "a segment"},
      {shape.dir_node_bytes(), kLineBytes, "a directory node"},
      {shape.catalogue_bytes(), kLineBytes, "a catalogue node"},
      {record_bytes(kMaxTableNameBytes, 0), alloc::kUnitAlign, "the name of a table"}};
  return alloc::retire_class(*impl_->pool, unit_bytes, needs);
}

Result<alloc::ClassAdvice> Db::suggest_classes(std::span<const alloc::SizeCount> histogram,
                                               uint32_t max_classes) {
  alloc::Pool& pool = *impl_->pool;
  return alloc::suggest_classes(pool.heap().classes(), pool.layout().geometry, histogram, max_classes);
}

}  // namespace nacre::engine
