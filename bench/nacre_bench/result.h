// The outcome of a benchmark: what every one has, and a table for those that have more to say than a rate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/nacre_bench/histogram.h"
#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

/// Rows of numbers under named columns. A name ends in its unit: _ms, _us, _ns, _mb (2^20 bytes), _share (0
/// to 1).
struct ResultTable {
  struct Row {
    std::string label;
    std::vector<double> values;  ///< one a column
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;
  bool is_series = false;  ///< the first column is the time, and the rows are many: printed thinned out

  bool empty() const noexcept { return rows.empty(); }
};

/// One run. Counts are those of the timed loops alone.
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
  Histogram growing;          ///< grow only: of the puts during which the pool grew
  FlushCounts counts;
  uint64_t user_bytes_per_op = 0;  ///< for MB/s; 0 where that means nothing
  uint64_t writer_ops = 0;         ///< readwhilewriting only, as the next two
  double writer_seconds = 0;
  FlushCounts writer_counts;
  uint64_t used_bytes = 0;    ///< of the pool, all included; 0: not asked, or there is no pool
  uint64_t stored_bytes = 0;  ///< keys and values alive at that moment
  uint64_t out_of_space = 0;  ///< puts refused for it
  ResultTable table;
  std::string note;       ///< a sentence to print below the table
  uint64_t position = 0;  ///< in the list of benchmarks
  uint64_t round = 0;     ///< of --compare

  double ops_per_sec() const { return seconds > 0 ? static_cast<double>(ops) / seconds : 0; }
  double writer_ops_per_sec() const {
    return writer_seconds > 0 ? static_cast<double>(writer_ops) / writer_seconds : 0;
  }
  double micros_per_op() const { return ops > 0 ? thread_seconds * 1e6 / static_cast<double>(ops) : 0; }
  double cpu_micros_per_op() const { return ops > 0 ? cpu_seconds * 1e6 / static_cast<double>(ops) : 0; }
  double per_op(uint64_t n) const { return ops > 0 ? static_cast<double>(n) / static_cast<double>(ops) : 0; }
  double space_ratio() const {
    return stored_bytes > 0 ? static_cast<double>(used_bytes) / static_cast<double>(stored_bytes) : 0;
  }
};

}  // namespace nacre::bench
