#include "engine/dram/dram_table.h"

#include <mutex>
#include <utility>

namespace nacre::engine::dram {

Status DramTable::put(std::string_view key, std::string_view value) {
  auto fresh = std::make_shared<const std::string>(value);
  const std::shared_lock lock(walk_);
  Map::accessor place;
  map_.insert(place, key);
  place->second.swap(fresh);
  place.release();  // the old value, if it was the last reference, goes without a lock on the key
  return Code::ok;
}

DramTable::Value DramTable::find(std::string_view key) {
  const std::shared_lock lock(walk_);
  Map::const_accessor place;
  return map_.find(place, key) ? place->second : nullptr;
}

Status DramTable::get(std::string_view key, ValueFn fn) {
  const Value value = find(key);
  if (value == nullptr) return Code::not_found;
  fn(*value);
  return Code::ok;
}

Status DramTable::remove(std::string_view key) {
  const std::shared_lock lock(walk_);
  return map_.erase(key) ? Code::ok : Code::not_found;
}

Status DramTable::exists(std::string_view key) { return find(key) != nullptr ? Code::ok : Code::not_found; }

Result<uint64_t> DramTable::count() { return uint64_t{map_.size()}; }

std::vector<std::string> DramTable::list_keys() const {
  std::vector<std::string> keys;
  const std::unique_lock lock(walk_);
  keys.reserve(map_.size());
  for (const auto& [key, value] : map_) keys.push_back(key);
  return keys;
}

Status DramTable::scan(PairFn fn) {
  for (const std::string& key : list_keys()) {
    const Value value = find(key);
    if (value != nullptr && !fn(key, *value)) return Code::stopped;
  }
  return Code::ok;
}

Status DramTable::clear() {
  Map emptied;
  {
    const std::unique_lock lock(walk_);
    map_.swap(emptied);
  }
  return Code::ok;  // the pairs go here, without the lock
}

// Holds what a scan holds on its stack.
class DramTable::KeyListCursor final : public Cursor {
 public:
  explicit KeyListCursor(DramTable& table) : table_(table), keys_(table.list_keys()) {}

  Status next() override {
    while (next_idx_ < keys_.size()) {
      value_ = table_.find(keys_[next_idx_++]);
      if (value_ != nullptr) return Code::ok;
    }
    return Code::not_found;
  }
  std::string_view key() const override { return keys_[next_idx_ - 1]; }
  std::string_view value() const override { return *value_; }

 private:
  DramTable& table_;
  const std::vector<std::string> keys_;
  size_t next_idx_ = 0;
  Value value_;
};

Result<std::unique_ptr<Cursor>> DramTable::cursor() {
  return std::unique_ptr<Cursor>(std::make_unique<KeyListCursor>(*this));
}

}  // namespace nacre::engine::dram
