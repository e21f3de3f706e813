// Allocation classes.
#include "bindings/c/classes.h"

#include <cstdint>
#include <vector>

#include "bindings/c/entry.h"
#include "bindings/c/handles.h"
#include "bindings/include/nacre/nacre.h"

namespace nacre::bindings {
namespace {

nacre_class_info to_c(const engine::ClassInfo& c) noexcept {
  return {.id = c.id,
          .retired = c.retired ? uint64_t{1} : uint64_t{0},
          .unit_bytes = c.unit_bytes,
          .align = c.align,
          .slabs = c.slabs,
          .slab_bytes = c.slab_bytes,
          .units = c.units,
          .live_units = c.live_units,
          .live_bytes = c.live_bytes,
          .free_bytes = c.free_bytes,
          .tail_bytes = c.tail_bytes,
          .fragmentation_permille = c.fragmentation_permille};
}

nacre_suggestion_totals to_c(const alloc::ClassAdvice& a) noexcept {
  return {.records = a.records,
          .record_bytes = a.record_bytes,
          .too_large = a.too_large,
          .waste_before_bytes = a.waste_before,
          .waste_after_bytes = a.waste_after};
}

// Calls body(engine::Db&), which returns a C code, while the pool is pinned.
template <class Body>
int with_db(const char* operation, nacre_db* db, Body&& body) noexcept {
  return entry(operation, [&] {
    Pin pin;
    if (!pin.enter(db, Kind::db)) return answer(operation, refuse(operation, db, Kind::db));
    return body(*pin.object<DbHandle>()->db);
  });
}

int list_classes(const char* operation, engine::Db& db, nacre_class_fn* fn, void* arg) {
  const auto classes = db.classes();
  if (!classes.has_value()) return answer(operation, classes.status());
  for (const engine::ClassInfo& c : *classes) {
    const nacre_class_info info = to_c(c);
    if (fn(&info, sizeof info, arg) != 0) return NACRE_STOPPED;
  }
  return NACRE_OK;
}

int suggest(const char* operation, engine::Db& db, std::span<const nacre_size_count> rows,
            uint32_t max_classes, nacre_suggestion_fn* fn, void* arg, nacre_suggestion_totals* totals) {
  std::vector<alloc::SizeCount> histogram;
  histogram.reserve(rows.size());
  for (const nacre_size_count& row : rows) histogram.push_back({row.record_bytes, row.count});
  const auto advice = db.suggest_classes(histogram, max_classes);
  if (!advice.has_value()) return answer(operation, advice.status());
  if (totals != nullptr) *totals = to_c(*advice);
  for (const alloc::SuggestedClass& c : advice->classes) {
    const nacre_suggestion suggestion{.unit_bytes = c.unit_bytes,
                                      .records = c.records,
                                      .waste_before_bytes = c.waste_before,
                                      .waste_after_bytes = c.waste_after};
    if (fn(&suggestion, sizeof suggestion, arg) != 0) return NACRE_STOPPED;
  }
  return NACRE_OK;
}

}  // namespace
}  // namespace nacre::bindings

using namespace nacre::bindings;  // NOLINT: the ABI's functions live outside every namespace
namespace engine = nacre::engine;

uint64_t nacre_record_bytes(uint64_t key_bytes, uint64_t value_bytes) {
  return engine::stored_bytes(key_bytes, value_bytes);
}

uint64_t nacre_class_unit_of_record(uint64_t key_bytes, uint64_t value_bytes) {
  return engine::record_unit_bytes(key_bytes, value_bytes);
}

int nacre_class_list(nacre_db* db, nacre_class_fn* fn, void* arg) {
  constexpr const char* kOperation = "nacre_class_list";
  return with_db(kOperation, db, [&](engine::Db& pool) {
    return fn == nullptr ? invalid(kOperation, "fn is null") : list_classes(kOperation, pool, fn, arg);
  });
}

int nacre_class_add(nacre_db* db, uint64_t unit_bytes, uint64_t align) {
  constexpr const char* kOperation = "nacre_class_add";
  return with_db(kOperation, db, [&](engine::Db& pool) {
    const auto spec = class_spec(unit_bytes, align);
    return answer(kOperation, spec.has_value() ? pool.add_class(*spec) : spec.status());
  });
}

int nacre_class_retire(nacre_db* db, uint64_t unit_bytes) {
  constexpr const char* kOperation = "nacre_class_retire";
  return with_db(kOperation, db, [&](engine::Db& pool) {
    const auto spec = class_spec(unit_bytes, 0);
    return answer_with_text(kOperation,
                            spec.has_value() ? pool.retire_class(spec->unit_bytes) : spec.status());
  });
}

int nacre_class_suggest(nacre_db* db, const nacre_size_count* histogram, size_t rows, uint32_t max_classes,
                        nacre_suggestion_fn* fn, void* arg, nacre_suggestion_totals* totals) {
  constexpr const char* kOperation = "nacre_class_suggest";
  return with_db(kOperation, db, [&](engine::Db& pool) {
    if (fn == nullptr) return invalid(kOperation, "fn is null");
    if (histogram == nullptr && rows != 0) return invalid(kOperation, "histogram is null");
    if (rows > PTRDIFF_MAX / sizeof *histogram) return invalid(kOperation, "histogram has more rows than memory has");
    return suggest(kOperation, pool, {histogram, rows}, max_classes, fn, arg, totals);
  });
}
