#include "bindings/c/handles.h"

#include <algorithm>
#include <utility>

namespace nacre::bindings {
namespace {

Kind kind_of(uint64_t handle) noexcept { return static_cast<Kind>(handle >> 24 & 0xf); }
void* object_of(uint64_t handle) noexcept {
  return slot_of(handle).object.load(std::memory_order_acquire);
}

engine::Table* table_of(uint64_t handle) noexcept {
  if (kind_of(handle) == Kind::table) return static_cast<engine::Table*>(object_of(handle));
  return static_cast<IteratorHandle*>(object_of(handle))->table;
}

bool is_meant(const DbHandle::Opened& opened, const std::string_view* name) noexcept {
  return name == nullptr || opened.name == *name;
}

// The last child takes the place of the one that leaves.
void unlist(DbHandle& db, uint32_t child_idx) noexcept {
  db.children[child_idx] = db.children.back();
  slot_of(db.children[child_idx]).child_idx = child_idx;
  db.children.pop_back();
}

}  // namespace

bool DbHandle::is_dropping(std::string_view name) const noexcept {
  return std::find(dropping.begin(), dropping.end(), name) != dropping.end();
}

Result<uint64_t> add_child(DbHandle& db, Kind kind, void* object) {
  if (db.closing) return Status::error(Code::bad_handle, "the pool is being closed by another thread");
  db.children.push_back(0);  // may throw: before there is anything to undo
  Result<uint64_t> made = make_handle(kind, db.pins, object);
  if (!made.has_value()) {
    db.children.pop_back();
    return made;
  }
  slot_of(*made).child_idx = static_cast<uint32_t>(db.children.size() - 1);
  db.children.back() = *made;
  return made;
}

bool remove_child(DbHandle& db, uint64_t handle) noexcept {
  // Children are retired only under db.mutex, so a live one stays so until retire_handle; and its position
  // must be read first, because the slot may be given out again at once.
  const Slot* slot = find_slot(handle);
  if (slot == nullptr || slot->state.load(std::memory_order_acquire) != handle) return false;
  unlist(db, slot->child_idx);
  return retire_handle(handle);
}

bool is_open(const DbHandle& db, engine::Table* table) noexcept {
  const auto opened = db.opened.find(table);
  return opened != db.opened.end() && !opened->second.retired;
}

IteratorHandle* retire_children(DbHandle& db, const std::string_view* name) noexcept {
  for (auto& [table, opened] : db.opened)
    if (is_meant(opened, name)) opened.retired = true;
  IteratorHandle* iterators = nullptr;
  for (size_t i = db.children.size(); i-- > 0;) {
    const uint64_t child = db.children[i];
    if (is_open(db, table_of(child))) continue;
    if (kind_of(child) == Kind::iterator) {
      auto* iterator = static_cast<IteratorHandle*>(object_of(child));
      iterator->next_retired = std::exchange(iterators, iterator);
    }
    remove_child(db, child);
  }
  return iterators;
}

void release_retired(DbHandle& db, const std::string_view* name, IteratorHandle* iterators) noexcept {
  while (iterators != nullptr) delete std::exchange(iterators, iterators->next_retired);
  const sync::Guard lock(db.mutex);
  std::erase_if(db.opened,
                [&](const auto& opened) { return opened.second.retired && is_meant(opened.second, name); });
}

}  // namespace nacre::bindings
