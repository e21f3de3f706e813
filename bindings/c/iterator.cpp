// Iterators: an engine's cursor behind a handle.
#include <memory>
#include <string_view>

#include "bindings/c/entry.h"
#include "bindings/c/handles.h"
#include "bindings/include/nacre/nacre.h"

namespace nacre::bindings {
namespace {

// The table may have been dropped, or the pool be closing, since the caller pinned it: then nobody would
// retire the new handle.
Result<uint64_t> adopt(DbHandle& db, std::unique_ptr<IteratorHandle>& iterator) {
  const sync::Guard lock(db.mutex);
  if (!is_open(db, iterator->table))
    return Status::error(Code::bad_handle,
                         "nacre_iterator_new: the table is being dropped or closed by another thread");
  Result<uint64_t> made = add_child(db, Kind::iterator, iterator.get());
  if (made.has_value()) static_cast<void>(iterator.release());  // the handle owns it now
  return made;
}

}  // namespace
}  // namespace nacre::bindings

using namespace nacre::bindings;  // NOLINT: the ABI's functions live outside every namespace
namespace engine = nacre::engine;
using nacre::Code;
using nacre::Status;

int nacre_iterator_new(nacre_table* table, nacre_iterator** out) {
  constexpr const char* kOperation = "nacre_iterator_new";
  if (out == nullptr) return invalid(kOperation, "out is null");
  *out = nullptr;
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(table, Kind::table)) return answer(kOperation, refuse(kOperation, table, Kind::table));
    auto iterator = std::make_unique<IteratorHandle>();
    iterator->table = pin.object<engine::Table>();
    auto cursor = iterator->table->cursor();
    if (!cursor.has_value()) return answer(kOperation, cursor.status());
    iterator->cursor = std::move(*cursor);
    const auto made = adopt(pool_of(pin), iterator);
    if (!made.has_value()) return answer(kOperation, made.status());
    *out = reinterpret_cast<nacre_iterator*>(static_cast<uintptr_t>(*made));
    return static_cast<int>(NACRE_OK);
  });
}

int nacre_iterator_next(nacre_iterator* iterator) {
  constexpr const char* kOperation = "nacre_iterator_next";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(iterator, Kind::iterator))
      return answer(kOperation, refuse(kOperation, iterator, Kind::iterator));
    auto& handle = *pin.object<IteratorHandle>();
    handle.on_pair = false;  // also when next() throws
    const Status moved = handle.cursor->next();
    handle.on_pair = moved.ok();
    return answer(kOperation, moved);
  });
}

int nacre_iterator_get(nacre_iterator* iterator, const char** key, size_t* key_bytes, const char** value,
                       size_t* value_bytes) {
  constexpr const char* kOperation = "nacre_iterator_get";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(iterator, Kind::iterator))
      return answer(kOperation, refuse(kOperation, iterator, Kind::iterator));
    const auto& handle = *pin.object<IteratorHandle>();
    if (!handle.on_pair) return invalid(kOperation, "the iterator stands on no pair");
    const std::string_view k = handle.cursor->key();
    const std::string_view v = handle.cursor->value();
    if (key != nullptr) *key = data_of(k);
    if (key_bytes != nullptr) *key_bytes = k.size();
    if (value != nullptr) *value = data_of(v);
    if (value_bytes != nullptr) *value_bytes = v.size();
    return static_cast<int>(NACRE_OK);
  });
}

int nacre_iterator_delete(nacre_iterator* iterator) {
  constexpr const char* kOperation = "nacre_iterator_delete";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(iterator, Kind::iterator))
      return answer(kOperation, refuse(kOperation, iterator, Kind::iterator));
    std::unique_ptr<IteratorHandle> owned;
    {
      DbHandle& db = pool_of(pin);
      const nacre::sync::Guard lock(db.mutex);
      if (!remove_child(db, handle_bits(iterator)))
        return answer(kOperation, refuse(kOperation, iterator, Kind::iterator));
      owned.reset(pin.object<IteratorHandle>());
    }
    return static_cast<int>(NACRE_OK);
  });
}
