// The results as a JSON file: an array with one object a run.
#pragma once

#include <string>
#include <vector>

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/result.h"

namespace nacre::bench {

/// Writes the array; throws BenchError when the file cannot be written.
void write_json(const std::string& path, const Options& options, const std::vector<RunResult>& results);

/// Writes `text` to the file at `path`; throws BenchError.
void write_file(const std::string& path, const std::string& text);

}  // namespace nacre::bench
