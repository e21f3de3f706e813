// Tables of a pool: open, close, drop, list.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "bindings/c/entry.h"
#include "bindings/c/handles.h"
#include "bindings/include/nacre/nacre.h"

namespace nacre::bindings {
namespace {

nacre_table* as_table(uint64_t bits) noexcept {
  return reinterpret_cast<nacre_table*>(static_cast<uintptr_t>(bits));
}

Status check_name(const char* operation, const char* name, size_t name_bytes) noexcept {
  if (!is_string(name, name_bytes))
    return Status::error(Code::invalid_argument, "%s: name is null", operation);
  if (name_bytes == 0 || name_bytes > engine::kMaxTableNameBytes)
    return Status::error(Code::invalid_argument, "%s: a table name has 1 to %llu bytes, not %zu", operation,
                         static_cast<unsigned long long>(engine::kMaxTableNameBytes), name_bytes);
  return Code::ok;
}

// Under db.mutex. The pool owns the table before there is a handle to it.
Result<uint64_t> hand_out(DbHandle& db, std::string_view name, std::shared_ptr<engine::Table> table) {
  engine::Table* object = table.get();
  if (!db.opened.contains(object))
    db.opened.emplace(object, DbHandle::Opened{std::move(table), std::string(name)});
  return add_child(db, Kind::table, object);
}

// Code::locked while another thread drops the table.
Result<uint64_t> open_table(DbHandle& db, std::string_view name, std::optional<engine::EngineKind> create) {
  const sync::Guard lock(db.mutex);
  if (db.is_dropping(name))
    return Status::error(Code::locked, "table \"%.*s\" is being dropped by another thread; try again later",
                         static_cast<int>(name.size()), name.data());
  NACRE_ASSIGN(auto table, db.db->table(name, create));
  return hand_out(db, name, std::move(table));
}

// Takes a name out of `dropping` whichever way the drop ends.
class DroppingMark {
 public:
  DroppingMark(DbHandle& db, std::string_view name) : db_(db), name_(name) { db.dropping.push_back(name); }
  ~DroppingMark() {
    const sync::Guard lock(db_.mutex);
    std::erase(db_.dropping, name_);
  }
  DroppingMark(const DroppingMark&) = delete;
  DroppingMark& operator=(const DroppingMark&) = delete;

 private:
  DbHandle& db_;
  std::string_view name_;
};

// 1. Nobody opens the name any more. 2. Its handles are dead. 3. Calls that were running have left. 4. The
// engine drops a table that nobody touches. Gives up the pin before it waits; the mark keeps the pool open.
Status drop_table(Pin& pin, std::string_view name) {
  auto& db = *pin.object<DbHandle>();
  std::optional<DroppingMark> mark;
  IteratorHandle* iterators = nullptr;
  {
    const sync::Guard lock(db.mutex);
    if (name == engine::kDefaultTable)
      return Status::error(Code::invalid_argument, "nacre_table_drop: the default table cannot be dropped");
    if (db.db->read_only()) return Status::error(Code::read_only, "nacre_table_drop: the pool is read-only");
    if (db.closing)
      return Status::error(Code::bad_handle, "nacre_table_drop: the pool is being closed by another thread");
    if (db.is_dropping(name)) return Code::not_found;  // somebody else's drop came first
    NACRE_TRY(db.db->table(name, std::nullopt).status());
    mark.emplace(db, name);
    iterators = retire_children(db, &name);
  }
  pin.leave();
  wait_for_calls(*db.pins);
  release_retired(db, &name, iterators);
  return db.db->drop_table(name);
}

}  // namespace
}  // namespace nacre::bindings

using namespace nacre::bindings;  // NOLINT: the ABI's functions live outside every namespace
namespace engine = nacre::engine;
using nacre::Code;
using nacre::Status;

int nacre_table_open(nacre_db* db, const char* name, size_t name_bytes, const char* engine_text,
                     nacre_table** out) {
  constexpr const char* kOperation = "nacre_table_open";
  if (out == nullptr) return invalid(kOperation, "out is null");
  *out = nullptr;
  return entry(kOperation, [&] {
    for (;;) {
      Pin pin;
      if (!pin.enter(db, Kind::db)) return answer(kOperation, refuse(kOperation, db, Kind::db));
      if (const Status named = check_name(kOperation, name, name_bytes); !named.ok())
        return answer(kOperation, named);
      std::optional<engine::EngineKind> create;
      if (engine_text != nullptr) {
        create = engine::engine_from_name(engine_text);
        if (!create.has_value() || *create == engine::EngineKind::none)
          return answer(kOperation, Status::error(Code::invalid_argument, "%s: there is no engine \"%s\"",
                                                  kOperation, engine_text));
      }
      const auto made = open_table(*pin.object<DbHandle>(), {name, name_bytes}, create);
      if (made.has_value()) {
        *out = as_table(*made);
        return static_cast<int>(NACRE_OK);
      }
      // A drop waits for the calls that are running: this one must leave, which a callback cannot.
      if (made.status().code() != Code::locked || inside_callback())
        return answer_with_text(kOperation, made.status());
      pin.leave();
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
}

int nacre_table_default(nacre_db* db, nacre_table** out) {
  constexpr const char* kOperation = "nacre_table_default";
  if (out == nullptr) return invalid(kOperation, "out is null");
  *out = nullptr;
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(db, Kind::db)) return answer(kOperation, refuse(kOperation, db, Kind::db));
    auto& handle = *pin.object<DbHandle>();
    const nacre::sync::Guard lock(handle.mutex);
    const auto made = hand_out(handle, engine::kDefaultTable, handle.db->default_table());
    if (!made.has_value()) return answer(kOperation, made.status());
    *out = as_table(*made);
    return static_cast<int>(NACRE_OK);
  });
}

int nacre_table_close(nacre_table* table) {
  constexpr const char* kOperation = "nacre_table_close";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(table, Kind::table)) return answer(kOperation, refuse(kOperation, table, Kind::table));
    DbHandle& db = pool_of(pin);
    const nacre::sync::Guard lock(db.mutex);
    if (!remove_child(db, handle_bits(table)))
      return answer(kOperation, refuse(kOperation, table, Kind::table));
    return static_cast<int>(NACRE_OK);
  });
}

int nacre_table_drop(nacre_db* db, const char* name, size_t name_bytes) {
  constexpr const char* kOperation = "nacre_table_drop";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(db, Kind::db)) return answer(kOperation, refuse(kOperation, db, Kind::db));
    if (const Status named = check_name(kOperation, name, name_bytes); !named.ok())
      return answer(kOperation, named);
    if (inside_callback()) return invalid(kOperation, "must not be called from a callback");
    return answer_with_text(kOperation, drop_table(pin, {name, name_bytes}));
  });
}

int nacre_table_list(nacre_db* db, nacre_table_fn* fn, void* arg) {
  constexpr const char* kOperation = "nacre_table_list";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(db, Kind::db)) return answer(kOperation, refuse(kOperation, db, Kind::db));
    if (fn == nullptr) return invalid(kOperation, "fn is null");
    const auto tables = pin.object<DbHandle>()->db->tables();
    if (!tables.has_value()) return answer(kOperation, tables.status());
    for (const engine::TableInfo& table : *tables)
      if (fn(data_of(table.name), table.name.size(), engine::engine_name(table.kind), arg) != 0)
        return static_cast<int>(NACRE_STOPPED);
    return static_cast<int>(NACRE_OK);
  });
}
