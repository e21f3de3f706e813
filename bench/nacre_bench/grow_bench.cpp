// grow: puts new keys into a small pool until --target bytes of payload are in, or the pool is full. The
// question is what a put waits while the pool grows.
//
// The size of the pool is that of its file. It is asked for after every put that took long, and after every
// 64th: a put during which the pool grew is the slowest one since the last look.
#include <sys/stat.h>

#include <algorithm>

#include "bench/nacre_bench/live_set.h"
#include "bench/nacre_bench/pool_sizes.h"
#include "bench/nacre_bench/progress.h"
#include "bench/nacre_bench/scenarios.h"

namespace nacre::bench {

namespace {

constexpr double kMiB = 1048576.0;
constexpr uint64_t kRows = 200;  // at most so many of them because of the payload, and one a change of size
constexpr uint64_t kPutsPerLook = 64;
constexpr uint64_t kLongPut_ns = 5000;  // ten times a put that waits for nothing

uint64_t file_bytes(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) throw BenchError{"grow: the pool at " + path + " is not there"};
  return static_cast<uint64_t>(status.st_size);
}

double us(const Histogram& histogram, double fraction) {
  return static_cast<double>(histogram.percentile(fraction)) * ns_per_tick() * 1e-3;
}
double max_us(const Histogram& histogram) {
  return static_cast<double>(histogram.max()) * ns_per_tick() * 1e-3;
}

std::string latency_text(const char* what, const Histogram& h) {
  char text[200];
  std::snprintf(text, sizeof text, "%s: %llu puts, p50 %.2f us, p99 %.2f us, p99.9 %.2f us, max %.2f us",
                what, static_cast<unsigned long long>(h.count()), us(h, 0.5), us(h, 0.99), us(h, 0.999),
                max_us(h));
  return text;
}

// Follows the size of the pool while puts go on.
class Grower {
 public:
  Grower(const Options& o, std::string path, RunResult& result)
      : path_(std::move(path)), row_bytes_(std::max<uint64_t>(1, o.target_bytes / kRows)), result_(result) {
    long_put_ticks_ = static_cast<uint64_t>(static_cast<double>(kLongPut_ns) / ns_per_tick());
    result_.table.is_series = true;
    result_.table.columns = {"time_s", "payload_mb", "pool_mb", "slowest_us"};
    pool_bytes_ = file_bytes(path_);
  }

  void after_put(uint64_t put_ticks, uint64_t payload_bytes) {
    result_.latency.add(put_ticks);
    busy_ticks_ += put_ticks;
    slowest_since_look_ = std::max(slowest_since_look_, put_ticks);
    if (put_ticks >= long_put_ticks_ || ++puts_since_look_ == kPutsPerLook) look(payload_bytes);
  }
  void finish(uint64_t payload_bytes) {
    look(payload_bytes);
    add_row(payload_bytes);
  }
  double busy_s() const { return static_cast<double>(busy_ticks_) * ns_per_tick() * 1e-9; }
  uint64_t pool_bytes() const noexcept { return pool_bytes_; }
  const Histogram& growing() const noexcept { return growing_; }

 private:
  void look(uint64_t payload_bytes) {
    const uint64_t bytes = file_bytes(path_);
    const bool grew = bytes != pool_bytes_;
    pool_bytes_ = bytes;
    slowest_in_row_ = std::max(slowest_in_row_, slowest_since_look_);
    if (grew) growing_.add(slowest_since_look_);
    puts_since_look_ = slowest_since_look_ = 0;
    if (grew || payload_bytes >= next_row_bytes_) add_row(payload_bytes);
  }
  void add_row(uint64_t payload_bytes) {
    next_row_bytes_ = payload_bytes + row_bytes_;
    result_.table.rows.push_back(
        {"",
         {busy_s(), static_cast<double>(payload_bytes) / kMiB, static_cast<double>(pool_bytes_) / kMiB,
          static_cast<double>(slowest_in_row_) * ns_per_tick() * 1e-3}});
    slowest_in_row_ = 0;
  }

  std::string path_;
  uint64_t row_bytes_;
  RunResult& result_;
  uint64_t long_put_ticks_ = 0;
  uint64_t pool_bytes_ = 0;
  uint64_t next_row_bytes_ = 0;
  uint64_t busy_ticks_ = 0;
  uint64_t puts_since_look_ = 0;
  uint64_t slowest_since_look_ = 0;
  uint64_t slowest_in_row_ = 0;
  Histogram growing_;
};

// True when the target was reached, false when the pool is full.
bool fill(const Options& o, LiveSet& live, Grower& grower) {
  constexpr uint64_t kPutsPerMessage = 1 << 17;
  while (live.payload_bytes() < o.target_bytes) {
    const uint64_t before = ticks();
    const PutOutcome outcome = live.insert(o.value_bytes);
    const uint64_t put_ticks = ticks() - before;
    if (outcome == PutOutcome::out_of_space) return false;
    if (outcome == PutOutcome::too_large)
      throw BenchError{"grow: a value of " + std::to_string(o.value_bytes) + " bytes is too large"};
    grower.after_put(put_ticks, live.payload_bytes());
    if (live.count() % kPutsPerMessage == 0)
      progress("grow: " + std::to_string(100 * live.payload_bytes() / o.target_bytes) + " %");
  }
  return true;
}

std::string note_of(const RunResult& result, uint64_t first_bytes) {
  const auto mb = [](uint64_t bytes) { return static_cast<double>(bytes) / kMiB; };
  char sizes[200];
  std::snprintf(sizes, sizeof sizes, "%s at %.1f MB of payload; the pool went from %.1f to %.1f MB\n",
                result.out_of_space == 0 ? "target reached" : "out of space", mb(result.stored_bytes),
                mb(first_bytes), mb(result.used_bytes));
  return sizes + latency_text("all puts", result.latency) + "\n" +
         latency_text("while the pool grew", result.growing);
}

}  // namespace

RunResult run_grow(const Options& o, StoreOptions store_options) {
  size_for_space(store_options, o, o.initial_pool_bytes);
  const auto store = make_store(store_options, StoreUse::fresh);
  const ValuePool values(o.value_bytes, o.seed);
  LiveSet live(*store, values, o.key_bytes);
  live.prepare(o.target_bytes / std::max<uint64_t>(1, o.key_bytes + o.value_bytes) + 1);
  RunResult result;
  Grower grower(o, store_options.db, result);
  const uint64_t first_bytes = grower.pool_bytes();

  const FlushCounts before = store->thread_counts();
  const uint64_t cpu_start_ns = thread_cpu_ns();
  const bool reached = fill(o, live, grower);
  grower.finish(live.payload_bytes());
  result.cpu_seconds = static_cast<double>(thread_cpu_ns() - cpu_start_ns) * 1e-9;
  result.counts = store->thread_counts() - before;
  progress("grow: verifying");
  live.verify("grow");

  result.threads = 1;
  result.ops = result.found = live.count();
  result.seconds = result.thread_seconds = grower.busy_s();
  result.user_bytes_per_op = o.key_bytes + o.value_bytes;
  result.out_of_space = reached ? 0 : 1;
  result.used_bytes = grower.pool_bytes();
  result.stored_bytes = live.payload_bytes();
  result.growing = grower.growing();
  result.note = note_of(result, first_bytes);
  return result;
}

}  // namespace nacre::bench
