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

Comparison comparison_of(const char* name, const Rounds& a, const Rounds& b) {
  Comparison row;
  row.benchmark = name;
  row.ops_per_sec = spread_of(a.ops_per_sec);
  row.other_ops_per_sec = spread_of(b.ops_per_sec);
  row.ratio = row.ops_per_sec.median / row.other_ops_per_sec.median;
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(a.ops_per_sec.size(), b.ops_per_sec.size()); ++i)
    ratios.push_back(a.ops_per_sec[i] / b.ops_per_sec[i]);
  row.round_ratios = spread_of(ratios);
  row.cpu_ratio = spread_of(b.cpu_us).median / spread_of(a.cpu_us).median;
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
  std::printf("\n%-16s %12s %7s %12s %7s  %-22s %9s %10s %9s %9s %9s\n", "median ops/sec", engine.c_str(),
              "spread", other.c_str(), "spread", "ratio (one round)", "cpu ratio", "fences/op", "lines/op",
              "p50 ns", (other + " ns").c_str());
  for (const Comparison& row : rows) {
    char range[64];
    std::snprintf(range, sizeof range, "%.2f (%.2f to %.2f)", row.ratio, row.round_ratios.least,
                  row.round_ratios.most);
    std::printf("%-16s %12.0f %6.1f%% %12.0f %6.1f%%  %-22s %9.2f %10.3f %9.2f %9.0f %9.0f\n",
                row.benchmark.c_str(), row.ops_per_sec.median, row.ops_per_sec.percent(),
                row.other_ops_per_sec.median, row.other_ops_per_sec.percent(), range, row.cpu_ratio,
                row.fences_per_op, row.lines_per_op, row.p50_ns, row.other_p50_ns);
  }
  std::printf(
      "ratio: of the medians, and the least and most of one round; cpu ratio: by CPU time an operation\n");
  std::fflush(stdout);
}

}  // namespace nacre::bench
