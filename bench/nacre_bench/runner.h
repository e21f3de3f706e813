// Runs benchmarks on one store, fills it when it must be filled, and verifies after each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/nacre_bench/histogram.h"
#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

/// One timed run. Counts are those of the timed loops alone.
struct RunResult {
  Benchmark benchmark{};
  std::string engine;
  StoreFacts facts;
  uint64_t threads = 0;  ///< that did `ops`
  uint64_t ops = 0;
  uint64_t found = 0;
  double seconds = 0;         ///< by the wall clock, first start to last end
  double thread_seconds = 0;  ///< summed over the threads
  double cpu_seconds = 0;     ///< CPU time, summed over the threads; below thread_seconds on a busy machine
  Histogram latency;          ///< in ticks
  FlushCounts counts;
  uint64_t user_bytes_per_op = 0;  ///< for MB/s; 0 where that means nothing
  uint64_t writer_ops = 0;         ///< readwhilewriting only, as the next two
  double writer_seconds = 0;
  FlushCounts writer_counts;
  double first_get_us = 0;  ///< open only
  uint64_t position = 0;    ///< in the list of benchmarks
  uint64_t round = 0;       ///< of --compare

  double ops_per_sec() const { return seconds > 0 ? static_cast<double>(ops) / seconds : 0; }
  double writer_ops_per_sec() const {
    return writer_seconds > 0 ? static_cast<double>(writer_ops) / writer_seconds : 0;
  }
  double micros_per_op() const { return ops > 0 ? thread_seconds * 1e6 / static_cast<double>(ops) : 0; }
  double cpu_micros_per_op() const { return ops > 0 ? cpu_seconds * 1e6 / static_cast<double>(ops) : 0; }
  double per_op(uint64_t n) const { return ops > 0 ? static_cast<double>(n) / static_cast<double>(ops) : 0; }
};

class Runner {
 public:
  Runner(const Options& options, const std::string& engine);
  /// Closes the store; removes the pool file if its name was made up or `discard` was called.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Throws BenchError when an operation fails or an answer is not as expected.
  RunResult run(Benchmark benchmark);
  /// False when the store cannot do it: open, on a store that ends with its handle.
  bool can(Benchmark benchmark);
  StoreFacts facts();
  void discard() { discard_ = true; }

 private:
  // What the store holds. After readwhilewriting nobody knows which variant a key has.
  enum class Content : uint8_t { empty, variant_0, variant_1, mixed };

  void fresh_store();
  void ensure_store();
  void ensure_filled();
  std::vector<Plan> plans_for(Benchmark benchmark);
  RunResult fill_or_overwrite(Benchmark benchmark);
  RunResult read(Benchmark benchmark);
  RunResult scan();
  RunResult remove_all(Benchmark benchmark);
  RunResult read_while_writing();
  RunResult open_and_close();

  void put_all(const Plan& plan, unsigned variant);
  uint64_t expected_sum(unsigned variant) const;
  bool value_fits(std::string_view value, uint64_t idx) const;
  void expect_count(const char* after, uint64_t wanted);
  void verify_values(const char* after);
  void verify_absent(const char* after);
  uint64_t seed_for(Benchmark benchmark) const;

  const Options& options_;
  StoreOptions store_options_;
  ValuePool values_;
  std::unique_ptr<Store> store_;
  Content content_ = Content::empty;
  bool pristine_ = false;  // nothing was ever put
  bool discard_ = false;
};

/// Says what goes on, on a terminal only; the next call or line overwrites it.
void progress(const std::string& text);

}  // namespace nacre::bench
