// A picture of the results: an SVG that needs nothing beside itself.
#pragma once

#include <string>
#include <vector>

#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/result.h"

namespace nacre::bench {

/// With --compare the ratios as bars, a whisker from the least to the most of one round and a line at 1. Else
/// the first table over time (grow, extents) as curves, one panel a column. Else the rates as bars.
std::string svg_of(const Options& options, const std::vector<RunResult>& results);

}  // namespace nacre::bench
