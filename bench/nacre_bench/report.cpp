#include "bench/nacre_bench/report.h"

#include <nacre/nacre.h>

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

#include "bench/nacre_bench/progress.h"

namespace nacre::bench {

namespace {

constexpr double kMiB = 1048576.0;

std::string cpu_model() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos && (line.starts_with("model name") || line.starts_with("Model")))
      return line.substr(colon + 2);
  }
  return "unknown";
}

double raw_mib(const Options& o) {
  return static_cast<double>(o.num) * static_cast<double>(o.key_bytes + o.value_bytes) / kMiB;
}

// Whole numbers as such, others with as many digits as tell something.
std::string figure(double value) {
  char text[40];
  const bool whole = value == std::floor(value) && std::fabs(value) < 1e15;
  std::snprintf(text, sizeof text, "%.*f", whole ? 0 : std::fabs(value) >= 100 ? 1 : 3, value);
  return text;
}

// A series is printed with at most kSeriesRows of its rows: all of them are in the JSON file.
void print_table(const ResultTable& table) {
  constexpr size_t kSeriesRows = 20;
  size_t label_width = 0;
  for (const ResultTable::Row& row : table.rows) label_width = std::max(label_width, row.label.size());
  const size_t step = table.is_series ? (table.rows.size() + kSeriesRows - 1) / kSeriesRows : 1;
  std::printf("    %-*s", static_cast<int>(label_width), "");
  for (const std::string& column : table.columns) std::printf("  %10s", column.c_str());
  std::printf("\n");
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (i % step != 0 && i + 1 != table.rows.size()) continue;
    std::printf("    %-*s", static_cast<int>(label_width), table.rows[i].label.c_str());
    for (size_t c = 0; c < table.columns.size(); ++c)
      std::printf("  %*s", static_cast<int>(std::max<size_t>(10, table.columns[c].size())),
                  figure(table.rows[i].values[c]).c_str());
    std::printf("\n");
  }
}

void print_engine(const Options& o, const std::string& engine, const StoreFacts& facts) {
  if (facts.medium == "none") {
    std::printf("Engine:      %s: tbb::concurrent_hash_map<std::string, std::string>, nothing durable\n",
                engine.c_str());
    return;
  }
  std::printf("Engine:      %s, commit form %s, medium %s%s%s%s\n", engine.c_str(), o.commit_form.c_str(),
              facts.medium.empty() ? "unknown" : facts.medium.c_str(), facts.forced ? " (forced)" : "",
              facts.flush.empty() ? "" : ", flush ", facts.flush.c_str());
}

}  // namespace

void print_header(const Options& o, const std::vector<std::pair<std::string, StoreFacts>>& engines) {
  progress("");
  std::printf("Nacre:       version %s\n", nacre_version());
  std::printf("CPU:         %u * %s\n", std::thread::hardware_concurrency(), cpu_model().c_str());
  std::printf("Compiler:    %s\n", __VERSION__);
  bool file = false;
  for (const auto& [engine, facts] : engines) {
    print_engine(o, engine, facts);
    file = file || (facts.medium != "none" && facts.medium != "memory");
  }
  if (file) std::printf("Pool:        %s\n", o.db.c_str());
  std::printf("Keys:        %" PRIu64 " bytes each\n", o.key_bytes);
  std::printf("Values:      %" PRIu64 " bytes each\n", o.value_bytes);
  std::printf("Entries:     %" PRIu64 " (%.1f MB of keys and values)\n", o.num, raw_mib(o));
  std::printf("Threads:     %" PRIu64 ", seed %" PRIu64 ", a tick is %.3f ns\n", o.threads, o.seed,
              ns_per_tick());
#if !defined(__OPTIMIZE__)
  std::printf("WARNING:     optimization is off: these times mean nothing\n");
#elif !defined(NDEBUG)
  std::printf("WARNING:     assertions are on: these times are too long\n");
#endif
  std::printf("------------------------------------------------\n");
  std::fflush(stdout);
}

void print_line(const RunResult& r, bool histogram) {
  if (r.ops == 0) return print_skipped(r.benchmark, r.engine, r.note.c_str());
  std::printf("%-12s : %11.3f micros/op %.0f ops/sec;", benchmark_name(r.benchmark), r.micros_per_op(),
              r.ops_per_sec());
  if (r.user_bytes_per_op != 0)
    std::printf("  %.1f MB/s", r.ops_per_sec() * static_cast<double>(r.user_bytes_per_op) / kMiB);
  std::printf(" fences/op %.3f  lines/op %.2f  bytes/op %.0f  (found %" PRIu64 " of %" PRIu64 ")",
              r.per_op(r.counts.fences), r.per_op(r.counts.lines), r.per_op(r.counts.bytes), r.found, r.ops);
  if (r.benchmark == Benchmark::readwhilewriting)
    std::printf("  writer %.0f ops/sec", r.writer_ops_per_sec());
  if (r.used_bytes != 0) std::printf("  space %.3f x", r.space_ratio());
  std::printf("  cpu %.3f micros/op\n", r.cpu_micros_per_op());
  if (!r.table.empty()) print_table(r.table);
  if (!r.note.empty()) std::printf("%s\n", r.note.c_str());
  if (histogram) std::printf("%s\n", r.latency.to_string(ns_per_tick() * 1e-3).c_str());
  std::fflush(stdout);
}

void print_skipped(Benchmark benchmark, const std::string& engine, const char* obstacle) {
  progress("");
  std::printf("%-12s : not run for %s: %s\n", benchmark_name(benchmark), engine.c_str(), obstacle);
  std::fflush(stdout);
}

}  // namespace nacre::bench
