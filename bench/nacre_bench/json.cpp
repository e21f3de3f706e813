#include "bench/nacre_bench/json.h"

#include <nacre/nacre.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace nacre::bench {

namespace {

double us(uint64_t in_ticks) { return static_cast<double>(in_ticks) * ns_per_tick() * 1e-3; }

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
  /// An array of objects, each with "label" and the columns of the table.
  JsonObject& rows(const char* name, const ResultTable& table) {
    std::string all;
    for (const ResultTable::Row& row : table.rows) {
      JsonObject object;
      if (!row.label.empty()) object.text("label", row.label);
      for (size_t c = 0; c < table.columns.size(); ++c)
        object.number(table.columns[c].c_str(), row.values[c]);
      all += (all.empty() ? "\n    " : ",\n    ") + object.done();
    }
    return raw(name, "[" + all + "]");
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
  object.text("flush", r.facts.flush).text("commit_form", r.facts.medium != "none" ? o.commit_form : "none");
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
  object.number("out_of_space", r.out_of_space);
  if (r.used_bytes != 0) {
    object.number("used_bytes", r.used_bytes).number("stored_bytes", r.stored_bytes);
    object.number("space_ratio", r.space_ratio());
  }
  if (r.benchmark == Benchmark::grow) {
    object.number("growing_puts", r.growing.count()).number("growing_p50_us", us(r.growing.percentile(0.5)));
    object.number("growing_p99_us", us(r.growing.percentile(0.99)))
        .number("growing_max_us", us(r.growing.max()));
  }
  if (!r.table.empty()) object.rows("rows", r.table);
  if (!r.note.empty()) object.text("note", r.note);
  object.text("library_version", nacre_version());
  return object.done();
}

}  // namespace

void write_file(const std::string& path, const std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
  if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()) != 0)
    throw BenchError{"writing " + path + ": " + std::strerror(errno)};
}

void write_json(const std::string& path, const Options& options, const std::vector<RunResult>& results) {
  std::string text = "[";
  for (size_t i = 0; i < results.size(); ++i)
    text += (i == 0 ? "\n  " : ",\n  ") + json_of(options, results[i]);
  write_file(path, text + "\n]\n");
}

}  // namespace nacre::bench
