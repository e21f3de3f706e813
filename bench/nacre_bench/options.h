// The command line: --name=value, as db_bench has it. Whatever is unknown is refused, with the nearest match.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::bench {

enum class Benchmark : uint8_t {
  fillseq,
  fillrandom,
  overwrite,
  readseq,
  readrandom,
  readmissing,
  readhot,
  deleteseq,
  deleterandom,
  readwhilewriting,
  open,
};

const char* benchmark_name(Benchmark benchmark) noexcept;

struct Options {
  std::vector<Benchmark> benchmarks;  ///< in the order given
  std::string engine = "hash";        ///< hash, dram, tbb
  std::string compare;                ///< the engine to alternate with; empty: none
  uint64_t rounds = 5;                ///< of --compare
  std::string db;                     ///< path of the pool file
  bool db_is_ours = false;            ///< the path was made up here: removed at the end
  bool use_existing_db = false;
  uint64_t num = 100'000;
  uint64_t reads = 0;  ///< 0: num
  uint64_t threads = 1;
  uint64_t key_bytes = 16;
  uint64_t value_bytes = 100;
  uint64_t seed = 301;
  uint64_t opens = 5;
  bool histogram = false;
  std::string medium = "auto";
  uint64_t pool_bytes = 0;  ///< 0: estimated from num and the sizes
  std::string commit_form = "strict";
  std::string json;  ///< path; empty: none
  bool help = false;
};

/// Thrown for a command line that cannot be meant: exit status 2.
struct UsageError {
  std::string text;
};

/// Parses and checks; throws UsageError. Fills in what depends on other options (reads, db).
Options parse_options(int argc, char** argv);

/// The text of --help.
std::string usage();

}  // namespace nacre::bench
