#include "bench/nacre_bench/options.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <span>
#include <utility>

#include "bench/nacre_bench/keys.h"

namespace nacre::bench {

namespace {

constexpr std::array<const char*, 11> kBenchmarkNames = {
    "fillseq", "fillrandom", "overwrite",    "readseq",          "readrandom", "readmissing",
    "readhot", "deleteseq",  "deleterandom", "readwhilewriting", "open"};
constexpr std::array<const char*, 3> kEngineNames = {"hash", "dram", "tbb"};
constexpr std::array<const char*, 4> kMediumNames = {"auto", "dax", "memory", "msync"};
constexpr std::array<const char*, 2> kCommitForms = {"strict", "one_fence"};
constexpr uint64_t kMaxThreads = 512;
constexpr uint64_t kMaxKey_bytes = 64 * 1024;
constexpr uint64_t kMaxValue_bytes = uint64_t{1} << 30;

// Edits (insert, delete, replace) that turn `a` into `b`: Wagner and Fischer 1974, one row at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row[b.size()];
}

// An abbreviation is nearest to what it abbreviates, whatever the number of letters left out.
std::string nearest(std::string_view word, std::span<const char* const> names) {
  const auto distance = [&](std::string_view name) {
    return name.starts_with(word) && !word.empty() ? 1 : edit_distance(word, name);
  };
  return *std::min_element(names.begin(), names.end(),
                           [&](const char* a, const char* b) { return distance(a) < distance(b); });
}

std::string one_of(std::string_view option, std::string_view value, std::span<const char* const> names) {
  for (const char* name : names)
    if (value == name) return name;
  std::string all;
  for (const char* name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  throw UsageError{"--" + std::string(option) + "=" + std::string(value) + " is none of " + all +
                   "; did you mean " + nearest(value, names) + "?"};
}

// A whole number with an optional K, M or G (powers of 1024, for sizes in bytes).
uint64_t number(std::string_view option, std::string_view value, uint64_t least, uint64_t most) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
  std::string_view rest(end, static_cast<size_t>(value.data() + value.size() - end));
  unsigned shift = 0;
  if (option == "size" && rest.size() == 1) {
    if (rest == "K" || rest == "k") shift = 10;
    if (rest == "M" || rest == "m") shift = 20;
    if (rest == "G" || rest == "g") shift = 30;
    if (shift != 0) rest = {};
  }
  if (error != std::errc{} || !rest.empty() || n > (most >> shift) || (n << shift) < least)
    throw UsageError{"--" + std::string(option) + "=" + std::string(value) + " is not a whole number from " +
                     std::to_string(least) + " to " + std::to_string(most)};
  return n << shift;
}

bool boolean(std::string_view option, std::optional<std::string_view> value) {
  if (!value || *value == "1" || *value == "true") return true;
  if (*value == "0" || *value == "false") return false;
  throw UsageError{"--" + std::string(option) + "=" + std::string(*value) + " is neither 0 nor 1"};
}

std::vector<Benchmark> benchmark_list(std::string_view list) {
  std::vector<Benchmark> benchmarks;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view name = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (name.empty()) continue;
    const auto at = std::find(kBenchmarkNames.begin(), kBenchmarkNames.end(), name);
    if (at == kBenchmarkNames.end())
      throw UsageError{"there is no benchmark \"" + std::string(name) + "\"; did you mean " +
                       nearest(name, kBenchmarkNames) + "?"};
    benchmarks.push_back(static_cast<Benchmark>(at - kBenchmarkNames.begin()));
  }
  if (benchmarks.empty()) throw UsageError{"--benchmarks= names no benchmark"};
  return benchmarks;
}

struct Row {
  const char* name;
  bool takes_value;
  void (*set)(Options&, std::string_view option, std::optional<std::string_view> value);
  const char* help;
};

// One row an option: the parser, --help and the search for the nearest match all read this table.
const Row kRows[] = {
    {"benchmarks", true,
     [](Options& o, std::string_view, std::optional<std::string_view> v) {
       o.benchmarks = benchmark_list(*v);
     },
     "comma list, run in this order: fillseq, fillrandom, overwrite, readseq,\n"
     "readrandom, readmissing, readhot, deleteseq, deleterandom,\n"
     "readwhilewriting, open (default fillrandom,readrandom,readseq)"},
    {"engine", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.engine = one_of(n, *v, kEngineNames);
     },
     "hash (default), dram (a volatile table of Nacre's), or tbb (a bare\n"
     "tbb::concurrent_hash_map<std::string, std::string>: the yardstick)"},
    {"compare", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.compare = one_of(n, *v, kEngineNames);
     },
     "run the list for --engine and for this engine in turn, A B A B, and\n"
     "print medians, spreads and ratios"},
    {"rounds", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.rounds = number(n, *v, 1, 1000);
     },
     "rounds of --compare (default 5)"},
    {"db", true, [](Options& o, std::string_view, std::optional<std::string_view> v) { o.db = *v; },
     "the pool file; a pool that is there is replaced, and stays at the end\n"
     "(default: a file of its own under $TMPDIR, removed at the end)"},
    {"use_existing_db", false,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.use_existing_db = boolean(n, v);
     },
     "use the filled pool at --db, made with the same --num, sizes and seed"},
    {"num", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.num = number(n, *v, 1, UINT32_MAX);
     },
     "keys in the store (default 100000)"},
    {"reads", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.reads = number(n, *v, 1, UINT32_MAX);
     },
     "operations of the benchmarks that read single keys, over all threads\n"
     "(default --num)"},
    {"threads", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.threads = number(n, *v, 1, kMaxThreads);
     },
     "threads; keys are split among them, readseq scans once in each;\n"
     "readwhilewriting has one writer and threads - 1 (at least 1) readers\n"
     "(default 1)"},
    {"key_size", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.key_bytes = number(n, *v, 1, kMaxKey_bytes);
     },
     "bytes in a key (default 16)"},
    {"value_size", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.value_bytes = number(n, *v, 0, kMaxValue_bytes);
     },
     "bytes in a value (default 100)"},
    {"seed", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.seed = number(n, *v, 0, UINT64_MAX);
     },
     "of the orders and the values (default 301)"},
    {"opens", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.opens = number(n, *v, 1, 1'000'000);
     },
     "how often the benchmark open closes and opens (default 5)"},
    {"histogram", false,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) { o.histogram = boolean(n, v); },
     "print the distribution of latencies below each line"},
    {"medium", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.medium = one_of(n, *v, kMediumNames);
     },
     "auto (default; $NACRE_MEDIUM decides), dax, memory, msync"},
    {"size", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.pool_bytes = number(n, *v, 1 << 20, uint64_t{1} << 44);
     },
     "bytes of the pool, also as 512M or 2G\n"
     "(default num * (key_size + value_size + 120) * 1.6 + 64 MiB)"},
    {"commit_form", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.commit_form = one_of(n, *v, kCommitForms);
     },
     "strict (default) or one_fence"},
    {"json", true, [](Options& o, std::string_view, std::optional<std::string_view> v) { o.json = *v; },
     "write the results to this file, an array with one object a run"},
    {"help", false,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) { o.help = boolean(n, v); },
     "this text"},
};

const Row& row_of(std::string_view name) {
  for (const Row& row : kRows)
    if (name == row.name) return row;
  std::vector<const char*> names;
  for (const Row& row : kRows) names.push_back(row.name);
  throw UsageError{"there is no option --" + std::string(name) + "; did you mean --" + nearest(name, names) +
                   "?"};
}

void set_one(Options& options, std::string_view argument) {
  if (!argument.starts_with("--"))
    throw UsageError{"\"" + std::string(argument) + "\" is not an option; options are --name=value"};
  argument.remove_prefix(2);
  const size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  std::optional<std::string_view> value;
  if (equals != std::string_view::npos) value = argument.substr(equals + 1);
  const Row& row = row_of(name);
  if (row.takes_value && (!value || value->empty()))
    throw UsageError{"--" + std::string(name) + " needs a value: --" + std::string(name) + "=..."};
  row.set(options, name, value);
}

bool fills(Benchmark b) { return b == Benchmark::fillseq || b == Benchmark::fillrandom; }

void check_together(const Options& o, bool db_given) {
  if (keys_that_fit(o.key_bytes) < o.num)
    throw UsageError{"--key_size=" + std::to_string(o.key_bytes) + " has room for " +
                     std::to_string(keys_that_fit(o.key_bytes)) + " keys, --num=" + std::to_string(o.num) +
                     " needs more"};
  if (o.compare == o.engine) throw UsageError{"--compare=" + o.compare + " is the engine that runs anyway"};
  if (!o.use_existing_db) return;
  if (!db_given) throw UsageError{"--use_existing_db needs --db=PATH"};
  if (o.engine != "hash")
    throw UsageError{"--use_existing_db: the engine " + o.engine + " leaves nothing to use"};
  if (!o.compare.empty()) throw UsageError{"--use_existing_db and --compare exclude each other"};
  for (const Benchmark b : o.benchmarks)
    if (fills(b))
      throw UsageError{std::string(benchmark_name(b)) +
                       " fills a fresh store, --use_existing_db keeps the old one"};
}

std::string scratch_path() {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder != nullptr && *folder != 0 ? folder : "/tmp") + "/nacre_bench-" +
         std::to_string(getpid()) + ".nacre";
}

}  // namespace

const char* benchmark_name(Benchmark benchmark) noexcept {
  return kBenchmarkNames[static_cast<size_t>(benchmark)];
}

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) set_one(options, argv[i]);
  if (options.help) return options;
  if (options.benchmarks.empty()) options.benchmarks = benchmark_list("fillrandom,readrandom,readseq");
  check_together(options, !options.db.empty());
  if (options.reads == 0) options.reads = options.num;
  options.db_is_ours = options.db.empty();
  if (options.db_is_ours) options.db = scratch_path();
  return options;
}

std::string usage() {
  std::string text =
      "usage: nacre_bench [--name=value ...]\n\n"
      "Runs benchmarks on a Nacre store in the manner of db_bench. A benchmark that reads, overwrites or\n"
      "deletes fills the store first, untimed, unless an earlier one of the list has filled it. Each result "
      "is\n"
      "verified; exit status 1 when one is not as expected, 2 when the command line is wrong.\n\n";
  for (const Row& row : kRows) {
    std::string left = "  --" + std::string(row.name) + (row.takes_value ? "=" : "");
    left.resize(std::max<size_t>(left.size() + 1, 22), ' ');
    text += left;
    for (const char* c = row.help; *c != 0; ++c) {
      text += *c;
      if (*c == '\n') text.append(left.size(), ' ');
    }
    text += '\n';
  }
  text +=
      "\nmicros/op is the time a thread spends on an operation, ops/sec counts all threads by the wall "
      "clock. A\n"
      "latency of readseq is the mean over 1024 pairs. On a busy machine compare CPU times and medians "
      "(p50).\n"
      "Fences, lines and bytes are what the operation asked of the medium; they do not depend on its mood.\n";
  return text;
}

}  // namespace nacre::bench
