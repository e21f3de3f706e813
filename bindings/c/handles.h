// What handles stand for. Slot::object is: OptionsHandle*, DbHandle*, engine::Table*, IteratorHandle*.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bindings/c/registry.h"
#include "engine/db.h"
#include "engine/table.h"
#include "pmem/base/sync.h"

namespace nacre::bindings {

struct OptionsHandle {
  engine::Options options;
};

// A cursor and whether it stands on a pair. Owned by its handle: whoever retires that deletes this.
struct IteratorHandle {
  std::unique_ptr<engine::Cursor> cursor;
  engine::Table* table = nullptr;
  bool on_pair = false;
  IteratorHandle* next_retired = nullptr;  // of a list made by retire_children
};

// (1) A table that was ever opened stays owned here until it is dropped or the pool closes, so that closing a
//     table handle frees nothing a call in another thread may be using.
// (2) Children are the live handles made from this pool; once `closing`, none is added.
// (3) A name in `dropping` is opened by nobody until the drop is over, and the pool is not closed before
//     that.
struct DbHandle {
  struct Opened {
    std::shared_ptr<engine::Table> table;
    std::string name;
    bool retired = false;  // no new handles; goes when running calls have left
  };

  ~DbHandle() { give_pins(pins); }

  std::unique_ptr<engine::Db> db;
  Pins* pins = nullptr;

  sync::Mutex mutex;  // guards what follows
  bool closing = false;
  std::unordered_map<engine::Table*, Opened> opened;
  std::vector<uint64_t> children;
  std::vector<std::string_view> dropping;  // views of the droppers' own arguments

  bool is_dropping(std::string_view name) const noexcept;
};

/// Makes a handle for `object` and adds it to the children. Under db.mutex. bad_handle when the pool is
/// closing, limit, out_of_memory; may throw bad_alloc, and then has done nothing.
Result<uint64_t> add_child(DbHandle& db, Kind kind, void* object);
/// Retires a child's handle and forgets it; false if it was not live. Under db.mutex.
bool remove_child(DbHandle& db, uint64_t handle) noexcept;

/// Whether handles may be made for `table`: neither it nor the pool is on its way out. Under db.mutex.
bool is_open(const DbHandle& db, engine::Table* table) noexcept;

/// Closing must not fail for lack of memory, so retiring allocates nothing and happens in two steps around
/// wait_for_calls. First: retires every child and marks the tables, or, with `name`, those of the table of that
/// name. The iterators that lost their handles come back as a list. Under db.mutex.
IteratorHandle* retire_children(DbHandle& db, const std::string_view* name) noexcept;
/// Second: deletes the iterators, then gives up the marked tables (with `name`, those of that name). Takes
/// db.mutex.
void release_retired(DbHandle& db, const std::string_view* name, IteratorHandle* iterators) noexcept;

/// The pool a pinned handle belongs to.
inline DbHandle& pool_of(const Pin& pin) noexcept { return *static_cast<DbHandle*>(pin.pins().owner); }

/// Whether the calling thread, which holds one pin for the call it is in, is also inside a callback.
inline bool inside_callback() noexcept { return pins_of_this_thread() > 1; }

}  // namespace nacre::bindings
