// What is printed and written: the header, a line a run, the comparison, the JSON file.
#pragma once

#include <string>
#include <vector>

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/runner.h"

namespace nacre::bench {

void print_header(const Options& options, const std::vector<std::pair<std::string, StoreFacts>>& engines);

/// One line in the form of db_bench, then what each operation asked of the medium.
void print_line(const RunResult& result, bool histogram);
void print_skipped(Benchmark benchmark, const std::string& engine);

/// Medians over the rounds, spreads and ratios of `engine` to `other`.
void print_comparison(const std::vector<RunResult>& results, const std::string& engine,
                      const std::string& other);

/// Writes the array; throws BenchError when the file cannot be written.
void write_json(const std::string& path, const Options& options, const std::vector<RunResult>& results);

}  // namespace nacre::bench
