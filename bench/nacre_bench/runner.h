// Runs benchmarks on one store, fills it when it must be filled, and verifies after each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/result.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

class Runner {
 public:
  Runner(const Options& options, const std::string& engine);
  /// Closes the store; removes the pool file if its name was made up or `discard` was called.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Throws BenchError when an operation fails or an answer is not as expected.
  RunResult run(Benchmark benchmark);
  /// Why the store cannot do it; null when it can.
  const char* obstacle(Benchmark benchmark);
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
  RunResult open_in_processes();
  RunResult with_own_store(Benchmark benchmark);

  uint64_t expected_sum(unsigned variant) const;
  bool value_fits(std::string_view value, uint64_t idx) const;
  void expect_count(const char* after, uint64_t wanted);
  void verify_values(const char* after);
  void verify_absent(const char* after);
  void measure_space(RunResult& result);
  uint64_t seed_for(Benchmark benchmark) const;

  const Options& options_;
  StoreOptions store_options_;
  ValuePool values_;
  std::unique_ptr<Store> store_;
  Content content_ = Content::empty;
  bool pristine_ = false;  // nothing was ever put
  bool discard_ = false;
};

}  // namespace nacre::bench
