#include "bench/nacre_bench/compare.h"

#include <algorithm>
#include <cstdio>

namespace nacre::bench {

namespace {

// The figures of one engine at one place of the list, a value a round.
struct Rounds {
  std::vector<double> ops_per_sec, cpu_us, fences, lines, p50_ns;

  void add(const RunResult& r) {
    ops_per_sec.push_back(r.ops_per_sec());
    cpu_us.push_back(r.cpu_micros_per_op());
    fences.push_back(r.per_op(r.counts.fences));
    lines.push_back(r.per_op(r.counts.lines));
    p50_ns.push_back(static_cast<double>(r.latency.percentile(0.5)) * ns_per_tick());
  }
};

// A table of many answers has no rate that could be compared.
bool is_comparable(Benchmark b) {
  return b != Benchmark::open && b != Benchmark::shift && b != Benchmark::extents && b != Benchmark::grow &&
         b != Benchmark::harness;
}

// Of figures of which more is faster, one a round.
Ratio ratio_of(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> rounds;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) rounds.push_back(a[i] / b[i]);
  return {spread_of(a).median / spread_of(b).median, spread_of(rounds)};
}

std::string text_of(const Ratio& ratio) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f (%.2f to %.2f)", ratio.of_medians, ratio.rounds.least,
                ratio.rounds.most);
  return text;
}

Comparison comparison_of(const char* name, const Rounds& a, const Rounds& b) {
  Comparison row;
  row.benchmark = name;
  row.ops_per_sec = spread_of(a.ops_per_sec);
  row.other_ops_per_sec = spread_of(b.ops_per_sec);
  row.wall = ratio_of(a.ops_per_sec, b.ops_per_sec);
  row.cpu = ratio_of(b.cpu_us, a.cpu_us);  // less time is faster
  row.fences_per_op = spread_of(a.fences).median;
  row.lines_per_op = spread_of(a.lines).median;
  row.p50_ns = spread_of(a.p50_ns).median;
  row.other_p50_ns = spread_of(b.p50_ns).median;
  return row;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  if (n == 0) return {};
  const double median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return {median, values.front(), values.back()};
}

std::vector<Comparison> compare(const std::vector<RunResult>& results, const std::string& engine,
                                const std::string& other) {
  uint64_t positions = 0;
  for (const RunResult& r : results) positions = std::max(positions, r.position + 1);
  std::vector<Comparison> rows;
  for (uint64_t at = 0; at < positions; ++at) {
    Rounds a, b;
    const char* name = "";
    for (const RunResult& r : results) {
      if (r.position != at || !is_comparable(r.benchmark)) continue;
      name = benchmark_name(r.benchmark);
      if (r.engine == engine) a.add(r);
      if (r.engine == other) b.add(r);
    }
    if (!a.ops_per_sec.empty() && !b.ops_per_sec.empty()) rows.push_back(comparison_of(name, a, b));
  }
  return rows;
}

void print_comparison(const std::vector<Comparison>& rows, const std::string& engine,
                      const std::string& other) {
  if (rows.empty()) return;
  std::printf("\n%-16s %12s %7s %12s %7s  %-22s %-22s %10s %9s %9s %9s\n", "median ops/sec", engine.c_str(),
              "spread", other.c_str(), "spread", "ratio (one round)", "cpu ratio (one round)", "fences/op",
              "lines/op", "p50 ns", (other + " ns").c_str());
  for (const Comparison& row : rows) {
    std::printf("%-16s %12.0f %6.1f%% %12.0f %6.1f%%  %-22s %-22s %10.3f %9.2f %9.0f %9.0f\n",
                row.benchmark.c_str(), row.ops_per_sec.median, row.ops_per_sec.percent(),
                row.other_ops_per_sec.median, row.other_ops_per_sec.percent(), text_of(row.wall).c_str(),
                text_of(row.cpu).c_str(), row.fences_per_op, row.lines_per_op, row.p50_ns, row.other_p50_ns);
  }
  std::printf(
      "ratio: of the medians, and the least and most of one round; cpu ratio: by CPU time an operation\n");
  std::fflush(stdout);
}

}  // namespace nacre::bench
