// The yardstick: tbb::concurrent_hash_map used as its manual shows, with accessors; the key becomes a
// std::string at each call, as it does for whoever holds bytes, and the value is copied to the caller.
#include <tbb/concurrent_hash_map.h>

#include <cstring>

#include "bench/nacre_bench/store.h"

namespace nacre::bench {

namespace {

class TbbStore final : public Store {
  using Map = tbb::concurrent_hash_map<std::string, std::string>;

 public:
  void put(std::string_view key, std::string_view value) override {
    Map::accessor entry;
    map_.insert(entry, std::string(key));
    entry->second.assign(value);
  }
  bool get(std::string_view key, char* buffer, size_t buffer_bytes, size_t* value_bytes) override {
    Map::const_accessor entry;
    if (!map_.find(entry, std::string(key))) return false;
    const std::string& value = entry->second;
    if (value.size() > buffer_bytes) throw BenchError{"tbb: a value is larger than any that was put"};
    std::memcpy(buffer, value.data(), value.size());
    *value_bytes = value.size();
    return true;
  }
  bool remove(std::string_view key) override { return map_.erase(std::string(key)); }
  void scan(ScanSink& sink) override {
    const Map& map = map_;
    for (const auto& [key, value] : map) sink.pair(key, value);
  }
  uint64_t count() override { return map_.size(); }
  FlushCounts thread_counts() override { return {}; }
  StoreFacts facts() override { return {"none", "", false}; }
  bool keeps() const override { return false; }
  void close() override {}
  void open_again() override {}

 private:
  Map map_;
};

}  // namespace

std::unique_ptr<Store> make_tbb_store() { return std::make_unique<TbbStore>(); }

std::unique_ptr<Store> make_store(const StoreOptions& options, bool use_existing) {
  return options.engine == "tbb" ? make_tbb_store() : make_nacre_store(options, use_existing);
}

}  // namespace nacre::bench
