// What a put, get and remove cost below the C ABI, one thread, 16-byte keys and 100-byte values, with what
// each asked of the medium. On the medium memory no line is flushed: the difference to --folder=/dev/shm is
// the fence.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/micro/counters.h"
#include "bench/micro/mapping.h"
#include "engine/db.h"

namespace nacre::bench {

namespace {

constexpr uint64_t kKeys = 100'000;
constexpr size_t kKeyBytes = 16;
constexpr size_t kValueBytes = 100;
constexpr uint64_t kPoolBytes = 256u << 20;

// The keys in the order they are used. Another stride (with no factor 2 or 5) is another order, so that a key
// is not looked up beside the one that was put before it.
constexpr uint64_t kFillStride = 1;
constexpr uint64_t kUseStride = 61'803;
std::vector<std::string> make_keys(const char* prefix, uint64_t stride) {
  std::vector<std::string> keys;
  keys.reserve(kKeys);
  char text[40];
  for (uint64_t i = 0; i < kKeys; ++i) {
    std::snprintf(text, sizeof text, "%s%015llu", prefix,
                  static_cast<unsigned long long>(i * stride % kKeys));
    keys.emplace_back(text, kKeyBytes);
  }
  return keys;
}

// A pool of the hash engine: in memory, or with --folder a dax pool there. Removed at the end.
class ScratchPool {
 public:
  explicit ScratchPool(bool one_fence) {
    const std::string& folder = micro_options().folder;
    engine::Options options;
    options.create_if_missing = true;
    options.one_fence = one_fence;
    options.size_bytes = kPoolBytes;
    options.medium = folder.empty() ? engine::MediumChoice::memory : engine::MediumChoice::dax;
    if (!folder.empty()) path_ = folder + "/nacre_micro-" + std::to_string(getpid()) + ".nacre";
    auto opened = engine::Db::open(path_.c_str(), options);
    if (!opened) {
      std::fprintf(stderr, "nacre_micro: open: %s\n", last_message());
      std::exit(1);
    }
    db_ = std::move(*opened);
    table_ = db_->default_table();
  }
  ~ScratchPool() {
    table_.reset();
    db_.reset();
    if (!path_.empty()) (void)unlink(path_.c_str());
  }
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;

  engine::Table& table() { return *table_; }
  pmem::Counters counters() { return db_->domain().thread_counters(); }
  void put_all(const std::vector<std::string>& keys) {
    const std::string value(kValueBytes, 'v');
    for (const std::string& key : keys)
      if (!table_->put(key, value).ok()) std::fprintf(stderr, "nacre_micro: put: %s\n", last_message());
  }

 private:
  std::string path_;
  std::unique_ptr<engine::Db> db_;
  std::shared_ptr<engine::Table> table_;
};

// Calls op(table, key) for one key after the other, round and round.
template <class Op>
void over_keys(benchmark::State& state, bool one_fence, const std::vector<std::string>& keys, Op op) {
  ScratchPool pool(one_fence);
  pool.put_all(make_keys("k", kFillStride));
  const pmem::Counters before = pool.counters();
  uint64_t at = 0;
  for (auto _ : state) {
    if (!op(pool.table(), keys[at])) return state.SkipWithError(last_message());
    at = at + 1 < keys.size() ? at + 1 : 0;
  }
  report_counters(state, before, pool.counters());
}

void engine_overwrite(benchmark::State& state) {
  const std::string value(kValueBytes, 'w');
  over_keys(state, state.range(0) != 0, make_keys("k", kUseStride),
            [&](engine::Table& table, std::string_view key) { return table.put(key, value).ok(); });
}

void engine_get(benchmark::State& state) {
  over_keys(state, false, make_keys("k", kUseStride), [&](engine::Table& table, std::string_view key) {
    return table.get(key, [](std::string_view value) { benchmark::DoNotOptimize(value.back()); }).ok();
  });
}

void engine_get_absent(benchmark::State& state) {
  over_keys(state, false, make_keys("a", kUseStride), [&](engine::Table& table, std::string_view key) {
    return table.exists(key).code() == Code::not_found;
  });
}

// Exactly one round: every key new, or every key there.
void engine_put_new(benchmark::State& state) {
  const std::vector<std::string> keys = make_keys("k", kUseStride);
  const std::string value(kValueBytes, 'v');
  ScratchPool pool(state.range(0) != 0);
  const pmem::Counters before = pool.counters();
  uint64_t at = 0;
  for (auto _ : state)
    if (!pool.table().put(keys[at++], value).ok()) return state.SkipWithError(last_message());
  report_counters(state, before, pool.counters());
}

void engine_remove(benchmark::State& state) {
  const std::vector<std::string> keys = make_keys("k", kUseStride);
  ScratchPool pool(state.range(0) != 0);
  pool.put_all(make_keys("k", kFillStride));
  const pmem::Counters before = pool.counters();
  uint64_t at = 0;
  for (auto _ : state)
    if (!pool.table().remove(keys[at++]).ok()) return state.SkipWithError(last_message());
  report_counters(state, before, pool.counters());
}

BENCHMARK(engine_put_new)->ArgName("one_fence")->Arg(0)->Arg(1)->Iterations(kKeys);
BENCHMARK(engine_overwrite)->ArgName("one_fence")->Arg(0)->Arg(1);
BENCHMARK(engine_get);
BENCHMARK(engine_get_absent);
BENCHMARK(engine_remove)->ArgName("one_fence")->Arg(0)->Arg(1)->Iterations(kKeys);

}  // namespace

}  // namespace nacre::bench
