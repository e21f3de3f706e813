#include "bench/nacre_bench/report.h"

#include <nacre/nacre.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>

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

bool is_nacre(const std::string& engine) { return engine != "tbb"; }

double us(uint64_t in_ticks) { return static_cast<double>(in_ticks) * ns_per_tick() * 1e-3; }

// A median and how far the rounds lie apart.
struct Spread {
  double median = 0, least = 0, most = 0;
  double percent() const { return median > 0 ? (most - least) / median * 100.0 : 0; }
};

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  if (n == 0) return {};
  const double median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return {median, values.front(), values.back()};
}

std::string quoted_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

// One JSON object, field by field in the order given.
class JsonObject {
 public:
  JsonObject& text(const char* name, std::string_view value) { return raw(name, quoted_json(value)); }
  JsonObject& number(const char* name, uint64_t value) { return raw(name, std::to_string(value)); }
  JsonObject& number(const char* name, double value) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%.9g", value);
    return raw(name, digits);
  }
  std::string done() const { return "{" + fields_ + "}"; }

 private:
  JsonObject& raw(const char* name, const std::string& value) {
    fields_ += (fields_.empty() ? "\"" : ", \"") + std::string(name) + "\": " + value;
    return *this;
  }
  std::string fields_;
};

std::string json_of(const Options& o, const RunResult& r) {
  JsonObject object;
  object.text("benchmark", benchmark_name(r.benchmark)).text("engine", r.engine);
  object.text("medium", r.facts.medium).number("medium_forced", uint64_t{r.facts.forced});
  object.text("flush", r.facts.flush).text("commit_form", is_nacre(r.engine) ? o.commit_form : "none");
  object.number("threads", r.threads).number("num", o.num).number("seed", o.seed);
  object.number("key_size", o.key_bytes).number("value_size", o.value_bytes);
  object.number("round", r.round).number("position", r.position);
  object.number("ops", r.ops).number("found", r.found).number("seconds", r.seconds);
  object.number("ops_per_sec", r.ops_per_sec()).number("micros_per_op", r.micros_per_op());
  object.number("cpu_us_per_op", r.cpu_micros_per_op());
  object.number("p50_us", us(r.latency.percentile(0.5))).number("p99_us", us(r.latency.percentile(0.99)));
  object.number("p999_us", us(r.latency.percentile(0.999))).number("max_us", us(r.latency.max()));
  object.number("fences_per_op", r.per_op(r.counts.fences)).number("lines_per_op", r.per_op(r.counts.lines));
  object.number("bytes_per_op", r.per_op(r.counts.bytes));
  if (r.benchmark == Benchmark::readwhilewriting) {
    const double ops = std::max(1.0, static_cast<double>(r.writer_ops));
    object.number("writer_ops", r.writer_ops);
    object.number("writer_ops_per_sec", r.writer_ops_per_sec());
    object.number("writer_fences_per_op", static_cast<double>(r.writer_counts.fences) / ops);
    object.number("writer_lines_per_op", static_cast<double>(r.writer_counts.lines) / ops);
  }
  if (r.benchmark == Benchmark::open) object.number("first_get_us", r.first_get_us);
  object.text("library_version", nacre_version());
  return object.done();
}

void print_engine(const Options& o, const std::string& engine, const StoreFacts& facts) {
  if (!is_nacre(engine)) {
    std::printf("Engine:      tbb: tbb::concurrent_hash_map<std::string, std::string>, nothing durable\n");
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
    file = file || (is_nacre(engine) && facts.medium != "memory");
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
  std::printf("%-12s : %11.3f micros/op %.0f ops/sec;", benchmark_name(r.benchmark), r.micros_per_op(),
              r.ops_per_sec());
  if (r.user_bytes_per_op != 0)
    std::printf("  %.1f MB/s", r.ops_per_sec() * static_cast<double>(r.user_bytes_per_op) / kMiB);
  std::printf(" fences/op %.3f  lines/op %.2f  bytes/op %.0f  (found %" PRIu64 " of %" PRIu64 ")",
              r.per_op(r.counts.fences), r.per_op(r.counts.lines), r.per_op(r.counts.bytes), r.found, r.ops);
  if (r.benchmark == Benchmark::readwhilewriting)
    std::printf("  writer %.0f ops/sec", r.writer_ops_per_sec());
  if (r.benchmark == Benchmark::open) std::printf("  first get %.3f micros", r.first_get_us);
  std::printf("  cpu %.3f micros/op\n", r.cpu_micros_per_op());
  if (histogram) std::printf("%s\n", r.latency.to_string(ns_per_tick() * 1e-3).c_str());
  std::fflush(stdout);
}

void print_skipped(Benchmark benchmark, const std::string& engine) {
  progress("");
  std::printf("%-12s : skipped: what %s holds ends with its handle\n", benchmark_name(benchmark),
              engine.c_str());
  std::fflush(stdout);
}

void print_comparison(const std::vector<RunResult>& results, const std::string& engine,
                      const std::string& other) {
  std::printf("\n%-16s %12s %7s   %12s %7s   ratio (least to most in one round)   ratio by CPU time\n",
              "median ops/sec", engine.c_str(), "spread", other.c_str(), "spread");
  uint64_t positions = 0;
  for (const RunResult& r : results) positions = std::max(positions, r.position + 1);
  for (uint64_t at = 0; at < positions; ++at) {
    std::vector<double> a, b, ratios, cpu_a, cpu_b;
    const char* name = "";
    for (const RunResult& r : results) {
      if (r.position != at) continue;
      name = benchmark_name(r.benchmark);
      (r.engine == engine ? a : b).push_back(r.ops_per_sec());
      (r.engine == engine ? cpu_a : cpu_b).push_back(r.cpu_micros_per_op());
    }
    if (a.empty() || b.empty()) continue;  // skipped for one of them
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) ratios.push_back(a[i] / b[i]);
    const Spread sa = spread_of(a), sb = spread_of(b), sr = spread_of(ratios);
    const double cpu_ratio = spread_of(cpu_b).median / spread_of(cpu_a).median;
    char range[40];
    std::snprintf(range, sizeof range, "%.2f (%.2f to %.2f)", sa.median / sb.median, sr.least, sr.most);
    std::printf("%-16s %12.0f %6.1f%%   %12.0f %6.1f%%   %-34s   %.2f\n", name, sa.median, sa.percent(),
                sb.median, sb.percent(), range, cpu_ratio);
  }
  std::fflush(stdout);
}

void write_json(const std::string& path, const Options& options, const std::vector<RunResult>& results) {
  std::string text = "[";
  for (size_t i = 0; i < results.size(); ++i)
    text += (i == 0 ? "\n  " : ",\n  ") + json_of(options, results[i]);
  text += "\n]\n";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
  if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()) != 0)
    throw BenchError{"writing " + path + ": " + std::strerror(errno)};
}

}  // namespace nacre::bench
