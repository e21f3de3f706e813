// Keys and values: the hot path. A call is a pin, the engine's own operation, and an unpin.
#include <cstring>
#include <string_view>

#include "bindings/c/entry.h"
#include "bindings/c/handles.h"
#include "bindings/include/nacre/nacre.h"

namespace nacre::bindings {
namespace {

// Calls `body(Table&)`, which returns a Status, with the table pinned.
template <class Body>
int with_table(const char* operation, nacre_table* table, Body&& body) noexcept {
  return entry(operation, [&] {
    Pin pin;
    if (!pin.enter(table, Kind::table)) [[unlikely]]
      return answer(operation, refuse(operation, table, Kind::table));
    return answer(operation, body(*pin.object<engine::Table>()));
  });
}

// As with_table, for operations on a key.
template <class Body>
int with_key(const char* operation, nacre_table* table, const char* key, size_t key_bytes,
             Body&& body) noexcept {
  return with_table(operation, table, [&](engine::Table& object) -> Status {
    if (!is_string(key, key_bytes)) [[unlikely]]
      return Status::error(Code::invalid_argument, "%s: key is null", operation);
    return body(object, std::string_view(key, key_bytes));
  });
}

}  // namespace
}  // namespace nacre::bindings

using namespace nacre::bindings;  // NOLINT: the ABI's functions live outside every namespace
namespace engine = nacre::engine;
using nacre::Code;
using nacre::Status;

int nacre_put(nacre_table* table, const char* key, size_t key_bytes, const char* value, size_t value_bytes) {
  constexpr const char* kOperation = "nacre_put";
  return with_key(kOperation, table, key, key_bytes,
                  [&](engine::Table& object, std::string_view k) -> Status {
                    if (!is_string(value, value_bytes)) [[unlikely]]
                      return Status::error(Code::invalid_argument, "%s: value is null", kOperation);
                    return object.put(k, std::string_view(value, value_bytes));
                  });
}

int nacre_get(nacre_table* table, const char* key, size_t key_bytes, nacre_value_fn* fn, void* arg) {
  constexpr const char* kOperation = "nacre_get";
  return with_key(
      kOperation, table, key, key_bytes, [&](engine::Table& object, std::string_view k) -> Status {
        if (fn == nullptr) [[unlikely]]
          return Status::error(Code::invalid_argument, "%s: fn is null", kOperation);
        return object.get(k, [&](std::string_view value) { fn(data_of(value), value.size(), arg); });
      });
}

int nacre_get_copy(nacre_table* table, const char* key, size_t key_bytes, char* buffer, size_t buffer_bytes,
                   size_t* value_bytes) {
  constexpr const char* kOperation = "nacre_get_copy";
  return with_key(kOperation, table, key, key_bytes,
                  [&](engine::Table& object, std::string_view k) -> Status {
                    if (!is_string(buffer, buffer_bytes)) [[unlikely]]
                      return Status::error(Code::invalid_argument, "%s: buffer is null", kOperation);
                    size_t full_bytes = 0;
                    NACRE_TRY(object.get(k, [&](std::string_view value) {
                      full_bytes = value.size();
                      if (full_bytes != 0 && full_bytes <= buffer_bytes)
                        std::memcpy(buffer, value.data(), full_bytes);
                    }));
                    if (value_bytes != nullptr) *value_bytes = full_bytes;
                    if (full_bytes <= buffer_bytes) return Code::ok;
                    return Status::error(Code::out_of_memory, "%s: the value has %zu bytes, the buffer %zu",
                                         kOperation, full_bytes, buffer_bytes);
                  });
}

int nacre_remove(nacre_table* table, const char* key, size_t key_bytes) {
  return with_key("nacre_remove", table, key, key_bytes,
                  [](engine::Table& object, std::string_view k) { return object.remove(k); });
}

int nacre_exists(nacre_table* table, const char* key, size_t key_bytes) {
  return with_key("nacre_exists", table, key, key_bytes,
                  [](engine::Table& object, std::string_view k) { return object.exists(k); });
}

int nacre_count(nacre_table* table, uint64_t* count) {
  constexpr const char* kOperation = "nacre_count";
  return with_table(kOperation, table, [&](engine::Table& object) -> Status {
    if (count == nullptr) return Status::error(Code::invalid_argument, "%s: count is null", kOperation);
    NACRE_ASSIGN(*count, object.count());
    return Code::ok;
  });
}

int nacre_scan(nacre_table* table, nacre_pair_fn* fn, void* arg) {
  constexpr const char* kOperation = "nacre_scan";
  return with_table(kOperation, table, [&](engine::Table& object) -> Status {
    if (fn == nullptr) return Status::error(Code::invalid_argument, "%s: fn is null", kOperation);
    return object.scan([&](std::string_view key, std::string_view value) {
      return fn(data_of(key), key.size(), data_of(value), value.size(), arg) == 0;
    });
  });
}

int nacre_clear(nacre_table* table) {
  return with_table("nacre_clear", table, [](engine::Table& object) { return object.clear(); });
}
