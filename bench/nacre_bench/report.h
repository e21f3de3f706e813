// What is printed: the header, and a line a run with its table.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/result.h"

namespace nacre::bench {

void print_header(const Options& options, const std::vector<std::pair<std::string, StoreFacts>>& engines);

/// One line in the form of db_bench, then what each operation asked of the medium.
void print_line(const RunResult& result, bool histogram);
void print_skipped(Benchmark benchmark, const std::string& engine, const char* obstacle);

}  // namespace nacre::bench
