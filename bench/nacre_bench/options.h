// The command line: --name=value, as db_bench has it. Whatever is unknown is refused, with the nearest match.
#pragma once

#include <cstdint>
#include <optional>
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
  shift,
  extents,
  grow,
  harness,
};

const char* benchmark_name(Benchmark benchmark) noexcept;

/// What a process is for that the benchmark open has started.
enum class Child : uint8_t { none, probe, writer };

struct Options {
  std::vector<Benchmark> benchmarks;  ///< in the order given
  std::string engine = "hash";        ///< hash, dram, tbb, tbb_view
  std::string compare;                ///< the engine to alternate with; empty: none
  uint64_t rounds = 5;                ///< of --compare, and of open
  std::string db;                     ///< path of the pool file
  bool db_is_ours = false;            ///< the path was made up here: removed at the end
  bool use_existing_db = false;
  uint64_t num = 100'000;
  uint64_t reads = 0;  ///< 0: num
  uint64_t threads = 1;
  uint64_t key_bytes = 16;
  uint64_t value_bytes = 100;
  uint64_t seed = 301;
  uint64_t latency_sample = 0;  ///< the clock is read around every so manieth operation; 0: see parse_options
  bool histogram = false;
  std::string medium = "auto";
  uint64_t pool_bytes = 0;   ///< 0: estimated from num and the sizes
  std::optional<bool> grow;  ///< whether pools start at initial_pool_bytes and grow; empty: see pool_sizes.h
  std::string commit_form = "one_fence";
  uint64_t value_min_bytes = 0;                  ///< extents; 0: an eighth of value_max_bytes
  uint64_t value_max_bytes = 0;                  ///< extents; 0: 256 KiB less a key and a record header
  double fill = 0.7;                             ///< extents: live bytes as a share of the pool
  uint64_t duration_s = 10;                      ///< extents
  uint64_t initial_pool_bytes = 16u << 20;       ///< grow
  uint64_t target_bytes = uint64_t{2048} << 20;  ///< grow: payload
  std::string json;                              ///< path; empty: none
  std::string plot;                              ///< path of an SVG; empty: none
  Child child = Child::none;
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
