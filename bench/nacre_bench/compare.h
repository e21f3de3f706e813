// Two engines held against each other, A B A B: what disturbs the machine for a while disturbs both.
#pragma once

#include <string>
#include <vector>

#include "bench/nacre_bench/result.h"

namespace nacre::bench {

/// A median and how far the rounds lie apart.
struct Spread {
  double median = 0, least = 0, most = 0;
  double percent() const { return median > 0 ? (most - least) / median * 100.0 : 0; }
};
Spread spread_of(std::vector<double> values);

/// How many times as fast as the other.
struct Ratio {
  double of_medians = 0;
  Spread rounds;  ///< of the two runs of one round
};

/// One benchmark of the list, over all rounds.
struct Comparison {
  std::string benchmark;
  Spread ops_per_sec, other_ops_per_sec;
  Ratio wall;  ///< by operations a second
  Ratio cpu;   ///< by CPU time an operation: what is left of it without the neighbours
  double fences_per_op = 0, lines_per_op = 0;  ///< of the engine, median
  double p50_ns = 0, other_p50_ns = 0;         ///< median over the rounds
};

/// Benchmarks that ran for both, in the order of the list.
std::vector<Comparison> compare(const std::vector<RunResult>& results, const std::string& engine,
                                const std::string& other);

void print_comparison(const std::vector<Comparison>& rows, const std::string& engine,
                      const std::string& other);

}  // namespace nacre::bench
