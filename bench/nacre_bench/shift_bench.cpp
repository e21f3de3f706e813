// shift: the sizes of values change under the allocator's hands, in five patterns on a fresh pool each. All
// reach the same payload P = num * (key + 125 bytes) at their largest. The question is how many bytes the
// pool uses for a byte stored when a pattern is over; the rate is a by-product.
//
//   small to large   fill with 100 to 150 bytes, delete 90 %, fill with 200 to 250 until P
//   large to small   the other way round
//   drift            overwrite random keys with sizes that move from 64 to 512 bytes, eight times round
//   bimodal          32 bytes or 1 KiB; the share of 1 KiB goes from 10 to 90 % and back, six times round
//   churn            delete and insert sizes from 16 bytes to 4 KiB, log-uniform, until 4 P went through
#include <algorithm>
#include <cmath>

#include "bench/nacre_bench/live_set.h"
#include "bench/nacre_bench/pool_sizes.h"
#include "bench/nacre_bench/progress.h"
#include "bench/nacre_bench/scenarios.h"
#include "bench/nacre_bench/space.h"

namespace nacre::bench {

namespace {

constexpr uint64_t kMeanFillBytes = 125;
constexpr double kDeletedShare = 0.9;
constexpr uint64_t kMaxValueBytes = 4096;
// Of a pool that does not grow. Less would measure the end of the pool and not its use.
constexpr uint64_t kRoomForPayloads = 5;
constexpr uint64_t kRoomForLog = 64u << 20;
constexpr double kMiB = 1048576.0;

// Thrown out of a pattern, which then ends where it is.
struct PoolIsFull {};

struct Sizes {
  uint64_t least;
  uint64_t most;
  uint64_t draw(Random& random) const { return least + random.below(most - least + 1); }
};
constexpr Sizes kSmall{100, 150};
constexpr Sizes kLarge{200, 250};

// A pattern at work: the live set, the dice, and the payload to reach.
class Pattern {
 public:
  Pattern(LiveSet& live, Random& random, uint64_t payload_bytes, uint64_t key_bytes)
      : live_(live), random_(random), payload_bytes_(payload_bytes), key_bytes_(key_bytes) {}

  uint64_t ops() const noexcept { return ops_; }

  void small_to_large() { delete_between(kSmall, kLarge); }
  void large_to_small() { delete_between(kLarge, kSmall); }

  void drift() {
    constexpr double kFrom = 64, kTo = 512, kJitter = 0.1;
    constexpr uint64_t kRounds = 8;
    const uint64_t keys = payload_bytes_ / (key_bytes_ + static_cast<uint64_t>(kTo));
    for (uint64_t i = 0; i < keys; ++i) insert(static_cast<uint64_t>(kFrom));
    for (uint64_t i = 0, all = kRounds * keys; i < all; ++i) {
      const double middle = kFrom + (kTo - kFrom) * static_cast<double>(i) / static_cast<double>(all);
      replace_any(static_cast<uint64_t>(middle * (1 + kJitter * (2 * random_.unit() - 1))));
    }
  }

  void bimodal() {
    constexpr uint64_t kSmallValue = 32, kLargeValue = 1024, kRounds = 6;
    constexpr double kLeastShare = 0.1, kMostShare = 0.9;
    const auto most_bytes = static_cast<uint64_t>(kMostShare * kLargeValue + (1 - kMostShare) * kSmallValue);
    const uint64_t keys = payload_bytes_ / (key_bytes_ + most_bytes);
    const auto draw = [&](double share) { return random_.unit() < share ? kLargeValue : kSmallValue; };
    for (uint64_t i = 0; i < keys; ++i) insert(draw(kLeastShare));
    for (uint64_t i = 0, all = kRounds * keys; i < all; ++i) {
      const double way =
          1 - std::fabs(2 * static_cast<double>(i) / static_cast<double>(all) - 1);  // 0 .. 1 .. 0
      replace_any(draw(kLeastShare + (kMostShare - kLeastShare) * way));
    }
  }

  void churn() {
    constexpr uint64_t kLeast = 16, kTimesThrough = 4;
    const double factor = std::log(static_cast<double>(kMaxValueBytes) / kLeast);
    const auto draw = [&] { return static_cast<uint64_t>(kLeast * std::exp(random_.unit() * factor)); };
    while (live_.payload_bytes() < payload_bytes_) insert(draw());
    uint64_t removed_bytes = 0;
    while (removed_bytes < kTimesThrough * payload_bytes_) {
      const uint64_t before = live_.payload_bytes();
      remove_any();
      removed_bytes += before - live_.payload_bytes();
      while (live_.payload_bytes() < payload_bytes_) insert(draw());
    }
  }

 private:
  void delete_between(Sizes first, Sizes then) {
    while (live_.payload_bytes() < payload_bytes_) insert(first.draw(random_));
    const auto left = static_cast<uint64_t>(static_cast<double>(live_.count()) * (1 - kDeletedShare));
    while (live_.count() > left) remove_any();
    while (live_.payload_bytes() < payload_bytes_) insert(then.draw(random_));
  }
  void insert(uint64_t bytes) { count(live_.insert(bytes)); }
  void replace_any(uint64_t bytes) { count(live_.replace(random_.below(live_.count()), bytes)); }
  void remove_any() {
    live_.remove(random_.below(live_.count()));
    ++ops_;
  }
  void count(PutOutcome outcome) {
    if (outcome == PutOutcome::out_of_space) throw PoolIsFull{};
    if (outcome == PutOutcome::too_large) throw BenchError{"shift: a value of at most 4 KiB is too large"};
    ++ops_;
  }

  LiveSet& live_;
  Random& random_;
  uint64_t payload_bytes_;
  uint64_t key_bytes_;
  uint64_t ops_ = 0;
};

struct NamedPattern {
  const char* name;
  void (Pattern::*run)();
};
constexpr NamedPattern kPatterns[] = {{"small to large", &Pattern::small_to_large},
                                      {"large to small", &Pattern::large_to_small},
                                      {"drift", &Pattern::drift},
                                      {"bimodal", &Pattern::bimodal},
                                      {"churn", &Pattern::churn}};

double share(uint64_t part, uint64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<uint64_t>(1, whole));
}

ResultTable::Row row_of(const char* name, const Space& space, uint64_t payload_bytes, bool full) {
  return {name,
          {static_cast<double>(payload_bytes) / kMiB, static_cast<double>(space.used_bytes) / kMiB,
           share(space.used_bytes, payload_bytes), share(space.live_unit_bytes, payload_bytes),
           share(space.pool_bytes, payload_bytes), space.free_unit_share,
           static_cast<double>(space.worst_class_bytes), space.worst_class_free_share, full ? 1.0 : 0.0}};
}

// One pattern on a fresh pool: its row, and its share of the sums.
void run_pattern(const NamedPattern& named, const Options& o, const StoreOptions& store_options,
                 const ValuePool& values, uint64_t payload_bytes, uint64_t seed, RunResult& result) {
  const auto store = make_store(store_options, StoreUse::fresh);
  LiveSet live(*store, values, o.key_bytes);
  Random random(seed);
  Pattern pattern(live, random, payload_bytes, o.key_bytes);
  const FlushCounts before = store->thread_counts();
  const uint64_t start_ns = wall_ns(), cpu_start_ns = thread_cpu_ns();
  bool full = false;
  try {
    (pattern.*named.run)();
  } catch (const PoolIsFull&) {
    full = true;
  }
  result.seconds += static_cast<double>(wall_ns() - start_ns) * 1e-9;
  result.cpu_seconds += static_cast<double>(thread_cpu_ns() - cpu_start_ns) * 1e-9;
  result.counts += store->thread_counts() - before;
  result.ops += pattern.ops();
  result.out_of_space += full ? 1 : 0;
  live.verify(named.name);
  result.table.rows.push_back(row_of(named.name, space_of(*store), live.payload_bytes(), full));
}

}  // namespace

RunResult run_shift(const Options& o, StoreOptions store_options) {
  const uint64_t payload_bytes = o.num * (o.key_bytes + kMeanFillBytes);
  size_for_space(store_options, o, kRoomForPayloads * payload_bytes + kRoomForLog);
  const ValuePool values(kMaxValueBytes, o.seed);
  RunResult result;
  result.threads = 1;
  result.table.columns = {"payload_mb",    "used_mb",         "overhead",          "unit_overhead",
                          "pool_overhead", "free_unit_share", "worst_class_bytes", "worst_class_free_share",
                          "out_of_space"};
  uint64_t seed = o.seed;
  for (const NamedPattern& named : kPatterns) {
    progress("shift: " + std::string(named.name));
    run_pattern(named, o, store_options, values, payload_bytes, ++seed, result);
  }
  result.found = result.ops;
  result.thread_seconds = result.seconds;
  result.note = "overhead: bytes used, all included, for a byte of keys and values alive";
  return result;
}

}  // namespace nacre::bench
