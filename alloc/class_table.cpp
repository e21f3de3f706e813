#include "alloc/class_table.h"

#include <algorithm>

#include "alloc/commit.h"
#include "alloc/heap_layout.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t class_line_off(uint32_t id) noexcept {
  return kClassTableOff + id / kLineWords * kLineBytes;
}
constexpr uint32_t class_word_idx(uint32_t id) noexcept { return id % static_cast<uint32_t>(kLineWords); }

/// The class of this unit, live or retired; kMaxClasses if there is none.
uint32_t find_unit(const SizeClasses& classes, uint32_t unit_bytes) noexcept {
  for (uint32_t id = 0; id < classes.count(); ++id)
    if (classes.unit_bytes(id) == unit_bytes) return id;
  return kMaxClasses;
}

/// Where a class of a new size goes: a word that is absent, else that of a retired class which no chunk
/// names.
Result<uint32_t> find_place(Pool& pool) {
  const SizeClasses& classes = pool.heap().classes();
  for (uint32_t id = 0; id < kMaxClasses; ++id)
    if (classes.word(id) == 0) return id;
  NACRE_ASSIGN(const auto used, pool.heap().used_classes());
  for (uint32_t id = 0; id < kMaxClasses; ++id)
    if (!classes.is_live(id) && !used.test(id)) return id;
  return Status::error(Code::limit,
                       "the table of allocation classes is full: it has room for %u, and chunks name "
                       "every retired one; retire a class and delete what is in its units",
                       kMaxClasses);
}

/// The class mutex is held, so the word is nobody else's.
Status publish_class(Pool& pool, uint32_t id, uint64_t word) {
  const uint64_t line_off = class_line_off(id);
  Commit commit(pool);
  NACRE_TRY(commit.begin());
  NACRE_TRY(commit.lock(std::span(&line_off, 1), 1, 1));
  if (!broken(site::kClassHeapFirst)) commit.set_word(line_off, class_word_idx(id), word);
  return commit.publish([&] { pool.heap().store_class(id, word); });
}

/// The word that revives class `id`. Chunks may name it, and then the length of its slabs is not to be changed.
Result<uint64_t> revived_word(Pool& pool, uint32_t id, const ClassSpec& spec) {
  const Geometry& g = pool.layout().geometry;
  const uint64_t old_slab_bytes = pool.heap().classes()[id].slab_bytes;
  if (spec.slab_bytes == 0) return live_class_word({spec.unit_bytes, spec.align, old_slab_bytes}, g);
  if (spec.slab_bytes == old_slab_bytes) return live_class_word(spec, g);
  NACRE_ASSIGN(const auto used, pool.heap().used_classes());
  if (!used.test(id)) return live_class_word(spec, g);
  return Status::error(
      Code::invalid_argument,
      "allocation class of %u bytes: it has slabs of %llu bytes already, so none of %llu can be added; leave "
      " out the length, or delete what is in its units",
      spec.unit_bytes, static_cast<unsigned long long>(old_slab_bytes),
      static_cast<unsigned long long>(spec.slab_bytes));
}

Status refuse_if_needed(const SizeClasses& classes, uint32_t id, std::span<const ClassNeed> needs) {
  for (const ClassNeed& need : needs) {
    if (classes.class_for_without(need.bytes, need.align, id) != kMaxClasses) continue;
    return Status::error(Code::invalid_argument,
                         "allocation class of %u bytes: it is the last that can hold %s (%llu "
                         "bytes in multiples of %llu); add another class for that first",
                         classes.unit_bytes(id), need.what, static_cast<unsigned long long>(need.bytes),
                         static_cast<unsigned long long>(need.align));
  }
  return Code::ok;
}

}  // namespace

Result<uint32_t> add_class(Pool& pool, const ClassSpec& spec) {
  NACRE_TRY(check_class_spec(spec, pool.layout().geometry));
  sync::Guard guard(pool.class_mutex());
  NACRE_TRY(pool.writable());
  const SizeClasses& classes = pool.heap().classes();
  uint32_t id = find_unit(classes, spec.unit_bytes);
  if (id != kMaxClasses && classes.is_live(id))
    return Status::error(Code::exists, "allocation class of %u bytes: the pool has it already (class %u)",
                         spec.unit_bytes, id);
  uint64_t word;
  if (id != kMaxClasses) {
    NACRE_ASSIGN(word, revived_word(pool, id, spec));
  } else {
    NACRE_ASSIGN(id, find_place(pool));
    word = live_class_word(spec, pool.layout().geometry);
  }
  NACRE_TRY(publish_class(pool, id, word));
  return id;
}

Status retire_class(Pool& pool, uint32_t unit_bytes, std::span<const ClassNeed> needs) {
  sync::Guard guard(pool.class_mutex());
  NACRE_TRY(pool.writable());
  const SizeClasses& classes = pool.heap().classes();
  const uint32_t id = find_unit(classes, unit_bytes);
  if (id == kMaxClasses)
    return Status::error(Code::not_found, "the pool has no allocation class of %u bytes", unit_bytes);
  if (!classes.is_live(id))
    return Status::error(Code::not_found, "allocation class of %u bytes: it is retired already", unit_bytes);
  NACRE_TRY(refuse_if_needed(classes, id, needs));
  const uint64_t line_off = class_line_off(id);
  const uint64_t word = pool.line(line_off)->words[class_word_idx(id)];
  NACRE_TRY(publish_class(pool, id, broken(site::kClassRetiredGone) ? 0 : with_class_state(word, ClassState::retired)));
  // Commits that run may have chosen the class before. Each holds a lane, or looks again when it takes one.
  const WriterStop wait_for_commits(pool);
  return Code::ok;
}

Result<PoolUsage> class_usage(Pool& pool) {
  sync::Guard guard(pool.class_mutex());
  const WriterStop stop(pool);
  NACRE_ASSIGN(const HeapUsage usage, pool.heap().usage());
  const SizeClasses& classes = pool.heap().classes();
  PoolUsage out{{}, usage.chunks, usage.free_chunks, usage.extents, usage.extent_chunks};
  std::vector<ClassUsage>& rows = out.classes;
  for (uint32_t id = 0; id < usage.classes.size(); ++id) {
    const HeapUsage::Class& c = usage.classes[id];
    if (classes.word(id) != 0) rows.push_back({id, classes[id], c.slabs, c.units, c.allocated});
  }
  std::sort(rows.begin(), rows.end(), [](const ClassUsage& a, const ClassUsage& b) {
    return a.size_class.unit_bytes < b.size_class.unit_bytes;
  });
  return out;
}

}  // namespace nacre::alloc
