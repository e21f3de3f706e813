// The yardstick: tbb::concurrent_hash_map used as its manual shows, with accessors, and the value copied to
// the caller. Two ways to look up:
//
//   tbb       the key becomes a std::string at each call, as in every example of TBB's
//   tbb_view  a transparent comparison takes the caller's bytes: no allocation for keys above 15 bytes
#include <tbb/concurrent_hash_map.h>

#include <cstring>
#include <functional>
#include <type_traits>

#include "bench/nacre_bench/store.h"

namespace nacre::bench {

namespace {

// std::hash gives a std::string and its view the same number; TBB's default uses it too.
struct ViewCompare {
  using is_transparent = void;
  static size_t hash(std::string_view key) noexcept { return std::hash<std::string_view>()(key); }
  static bool equal(std::string_view a, std::string_view b) noexcept { return a == b; }
};

template <class Map, class Key>
class TbbStore final : public Store {
 public:
  void put(std::string_view key, std::string_view value) override {
    typename Map::accessor entry;
    map_.insert(entry, Key(key));
    entry->second.assign(value);
  }
  PutOutcome try_put(std::string_view key, std::string_view value) override {
    put(key, value);
    return PutOutcome::done;
  }
  bool get(std::string_view key, char* buffer, size_t buffer_bytes, size_t* value_bytes) override {
    typename Map::const_accessor entry;
    if (!map_.find(entry, Key(key))) return false;
    const std::string& value = entry->second;
    if (value.size() > buffer_bytes) throw BenchError{"tbb: a value is larger than any that was put"};
    std::memcpy(buffer, value.data(), value.size());
    *value_bytes = value.size();
    return true;
  }
  bool remove(std::string_view key) override { return map_.erase(Key(key)); }
  void scan(ScanSink& sink) override {
    const Map& map = map_;
    for (const auto& [key, value] : map) sink.pair(key, value);
  }
  uint64_t count() override { return map_.size(); }
  FlushCounts thread_counts() override { return {}; }
  StoreFacts facts() override { return {"none", "", false}; }
  Figures info_figures() override { return {}; }
  Figures stats_figures() override { return {}; }
  bool has_pool() const override { return false; }
  bool keeps() const override { return false; }
  void close() override {}
  void open_again() override {}

 private:
  Map map_;
};

using ByString = tbb::concurrent_hash_map<std::string, std::string>;
using ByView = tbb::concurrent_hash_map<std::string, std::string, ViewCompare>;

}  // namespace

std::unique_ptr<Store> make_tbb_store(bool by_view) {
  if (by_view) return std::make_unique<TbbStore<ByView, std::string_view>>();
  return std::make_unique<TbbStore<ByString, std::string>>();
}

std::unique_ptr<Store> make_store(const StoreOptions& options, StoreUse use) {
  if (options.engine == "tbb" || options.engine == "tbb_view")
    return make_tbb_store(options.engine == "tbb_view");
  return make_nacre_store(options, use);
}

}  // namespace nacre::bench
