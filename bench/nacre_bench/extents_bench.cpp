// extents: values of log-uniform sizes, kept at a share of the pool by random replaces, deletes and inserts
// for a while. The question is what rate is left and how the space frays: a row ten times a second at most,
// and a hundred rows in all.
#include <algorithm>
#include <cmath>

#include "bench/nacre_bench/live_set.h"
#include "bench/nacre_bench/pool_sizes.h"
#include "bench/nacre_bench/progress.h"
#include "bench/nacre_bench/scenarios.h"
#include "bench/nacre_bench/space.h"

namespace nacre::bench {

namespace {

constexpr double kMiB = 1048576.0;
constexpr uint64_t kDefaultPoolBytes = uint64_t{1} << 30;  // --fill is a share of it when the pool grows
// What fits with its key and a record's header into a chunk of 256 KiB, the largest a pool of fixed chunks
// takes.
constexpr uint64_t kOneChunkPairBytes = 256 * 1024 - 16;
constexpr uint64_t kDefaultSpread = 8;  // --value_min is this part of --value_max
constexpr uint64_t kRows = 100;
constexpr double kLeastRow_s = 0.1;

struct Sizes {
  uint64_t least;
  uint64_t most;
  uint64_t draw(Random& random) const {
    const double factor = std::log(static_cast<double>(most) / static_cast<double>(least));
    const auto bytes = static_cast<uint64_t>(static_cast<double>(least) * std::exp(random.unit() * factor));
    return std::clamp(bytes, least, most);
  }
};

Sizes sizes_of(const Options& o) {
  Sizes sizes{o.value_min_bytes, o.value_max_bytes};
  if (sizes.most == 0) sizes.most = std::max(sizes.least, kOneChunkPairBytes - o.key_bytes);
  if (sizes.least == 0) sizes.least = std::max<uint64_t>(1, sizes.most / kDefaultSpread);
  return sizes;
}

// One step: replace half of the time, else delete or insert, whichever leads to the target. A full pool is an
// event: it is counted, and a delete makes room.
class Mixer {
 public:
  Mixer(LiveSet& live, Random& random, Sizes sizes, uint64_t target_bytes)
      : live_(live), random_(random), sizes_(sizes), target_bytes_(target_bytes) {}

  uint64_t ops() const noexcept { return ops_; }
  uint64_t written_bytes() const noexcept { return written_bytes_; }
  uint64_t out_of_space() const noexcept { return out_of_space_; }

  void fill() {
    while (live_.payload_bytes() < target_bytes_)
      if (!insert()) return;
  }
  void step() {
    const bool below = live_.payload_bytes() < target_bytes_;
    if (live_.count() == 0) {
      (void)insert();
    } else if (random_.below(2) == 0) {
      replace();
    } else if (below) {
      (void)insert();
    } else {
      remove();
    }
  }

 private:
  bool insert() {
    const uint64_t bytes = sizes_.draw(random_);
    return settle(live_.insert(bytes), bytes);
  }
  void replace() {
    const uint64_t at = random_.below(live_.count()), bytes = sizes_.draw(random_);
    (void)settle(live_.replace(at, bytes), bytes);
  }
  void remove() {
    live_.remove(random_.below(live_.count()));
    ++ops_;
  }
  bool settle(PutOutcome outcome, uint64_t bytes) {
    if (outcome == PutOutcome::too_large)
      throw BenchError{"extents: a value of " + std::to_string(bytes) + " bytes is refused as too large"};
    if (outcome == PutOutcome::out_of_space) {
      ++out_of_space_;
      if (live_.count() == 0)
        throw BenchError{"extents: a value of " + std::to_string(bytes) +
                         " bytes does not fit an empty pool"};
      remove();
      return false;
    }
    ++ops_;
    written_bytes_ += bytes;
    return true;
  }

  LiveSet& live_;
  Random& random_;
  Sizes sizes_;
  uint64_t target_bytes_;
  uint64_t ops_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t out_of_space_ = 0;
};

// Turns totals into a row of rates since the last one.
class Series {
 public:
  explicit Series(ResultTable& table) : table_(table) {
    table_.is_series = true;
    table_.columns = {"time_s",  "ops_per_s",         "mb_per_s",         "live_mb",
                      "pool_mb", "chunk_waste_share", "pool_waste_share", "out_of_space"};
  }
  void add(double now_s, const Mixer& mixer, const LiveSet& live, const Space& space) {
    const double passed_s = std::max(1e-9, now_s - last_s_);
    const auto live_bytes = static_cast<double>(live.value_bytes_alive());
    table_.rows.push_back({"",
                           {now_s, static_cast<double>(mixer.ops() - last_ops_) / passed_s,
                            static_cast<double>(mixer.written_bytes() - last_bytes_) / kMiB / passed_s,
                            live_bytes / kMiB, static_cast<double>(space.pool_bytes) / kMiB,
                            waste(live_bytes, space.chunks_bytes), waste(live_bytes, space.pool_bytes),
                            static_cast<double>(mixer.out_of_space() - last_out_of_space_)}});
    last_s_ = now_s;
    last_ops_ = mixer.ops();
    last_bytes_ = mixer.written_bytes();
    last_out_of_space_ = mixer.out_of_space();
  }

 private:
  static double waste(double live_bytes, uint64_t of_bytes) {
    return of_bytes == 0 ? 0 : 1 - live_bytes / static_cast<double>(of_bytes);
  }
  ResultTable& table_;
  double last_s_ = 0;
  uint64_t last_ops_ = 0;
  uint64_t last_bytes_ = 0;
  uint64_t last_out_of_space_ = 0;
};

// Whether the store takes a value of the largest size at all; the pool is empty again afterwards.
bool takes(Store& store, const ValuePool& values, uint64_t bytes, uint64_t key_bytes) {
  LiveSet probe(store, values, key_bytes);
  const PutOutcome outcome = probe.insert(bytes);
  if (outcome == PutOutcome::done) probe.remove(0);
  return outcome != PutOutcome::too_large;
}

// Runs the mixer for --duration of the store's time: the walks of the heap between rows are not counted.
void run_for(double duration_s, Store& store, Mixer& mixer, LiveSet& live, RunResult& result) {
  constexpr uint64_t kStepsPerLook = 8;
  Series series(result.table);
  const double row_s = std::max(kLeastRow_s, duration_s / static_cast<double>(kRows));
  double passed_s = 0, next_row_s = row_s;
  while (passed_s < duration_s) {
    const uint64_t start_ns = wall_ns(), cpu_start_ns = thread_cpu_ns();
    uint64_t before = ticks();
    for (uint64_t i = 0; i < kStepsPerLook; ++i) {
      mixer.step();
      const uint64_t now = ticks();
      result.latency.add(now - before);
      before = now;
    }
    passed_s += static_cast<double>(wall_ns() - start_ns) * 1e-9;
    result.cpu_seconds += static_cast<double>(thread_cpu_ns() - cpu_start_ns) * 1e-9;
    if (passed_s < next_row_s && passed_s < duration_s) continue;
    next_row_s += row_s;
    series.add(passed_s, mixer, live, space_of(store));
    progress("extents: " + std::to_string(static_cast<int>(100 * passed_s / duration_s)) + " %");
  }
  result.seconds = result.thread_seconds = passed_s;
}

}  // namespace

RunResult run_extents(const Options& o, StoreOptions store_options) {
  const Sizes sizes = sizes_of(o);
  size_for_space(store_options, o, kDefaultPoolBytes);
  const auto store = make_store(store_options, StoreUse::fresh);
  const ValuePool values(sizes.most, o.seed);
  RunResult result;
  if (!takes(*store, values, sizes.most, o.key_bytes)) {
    result.note = "a value of " + std::to_string(sizes.most) +
                  " bytes is too large for this store; give a lower --value_max";
    return result;
  }
  LiveSet live(*store, values, o.key_bytes);
  Random random(o.seed);
  const uint64_t whole_bytes = store_options.grow ? kDefaultPoolBytes : space_of(*store).pool_bytes;
  const auto target_bytes = static_cast<uint64_t>(o.fill * static_cast<double>(whole_bytes));
  Mixer filler(live, random, sizes, target_bytes);
  progress("extents: filling");
  filler.fill();

  Mixer mixer(live, random, sizes, target_bytes);
  const FlushCounts before = store->thread_counts();
  run_for(static_cast<double>(o.duration_s), *store, mixer, live, result);
  result.counts = store->thread_counts() - before;
  result.threads = 1;
  result.ops = result.found = mixer.ops();
  result.out_of_space = filler.out_of_space() + mixer.out_of_space();
  result.user_bytes_per_op = mixer.written_bytes() / std::max<uint64_t>(1, mixer.ops());
  live.verify("extents");
  const Space space = space_of(*store);
  result.used_bytes = space.used_bytes;
  result.stored_bytes = live.payload_bytes();
  result.note =
      "chunk_waste_share: 1 - live value bytes / bytes of chunks in use; pool_waste_share: of the pool; " +
      std::to_string(result.out_of_space) + " puts were out of space";
  return result;
}

}  // namespace nacre::bench
