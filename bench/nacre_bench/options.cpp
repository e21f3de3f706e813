#include "bench/nacre_bench/options.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/option_values.h"

namespace nacre::bench {

namespace {

// In the order of enum Benchmark.
constexpr std::array<const char*, 15> kBenchmarkNames = {
    "fillseq",     "fillrandom", "overwrite", "readseq",      "readrandom",
    "readmissing", "readhot",    "deleteseq", "deleterandom", "readwhilewriting",
    "open",        "shift",      "extents",   "grow",         "harness"};
constexpr std::array<const char*, 4> kEngineNames = {"hash", "dram", "tbb", "tbb_view"};
constexpr std::array<const char*, 3> kChildNames = {"none", "probe", "writer"};  // in the order of enum Child
constexpr std::array<const char*, 4> kMediumNames = {"auto", "dax", "memory", "msync"};
constexpr std::array<const char*, 2> kCommitForms = {"strict", "one_fence"};
constexpr uint64_t kMaxThreads = 512;
constexpr uint64_t kComparedSample = 16;  // of --latency_sample with --compare
constexpr uint64_t kMaxKeyBytes = 64 * 1024;
constexpr uint64_t kMaxValueBytes = uint64_t{1} << 30;
constexpr uint64_t kMinPoolBytes = 1u << 20;
constexpr uint64_t kMaxPoolBytes = uint64_t{1} << 44;

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
                       nearest_name(name, kBenchmarkNames) + "?"};
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
     "readwhilewriting, open, shift, extents, grow, harness\n"
     "(default fillrandom,readrandom,readseq)"},
    {"engine", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.engine = one_of(n, *v, kEngineNames);
     },
     "hash (default), dram (a volatile table of Nacre's), tbb (a bare\n"
     "tbb::concurrent_hash_map<std::string, std::string>: the yardstick),\n"
     "or tbb_view (the same, looked up without making a std::string)"},
    {"compare", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.compare = one_of(n, *v, kEngineNames);
     },
     "run the list for --engine and for this engine in turn, A B A B, and\n"
     "print medians, spreads and ratios"},
    {"rounds", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.rounds = whole_number(n, *v, 1, 1000);
     },
     "rounds of --compare; how often open reopens in each way (default 5)"},
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
       o.num = whole_number(n, *v, 1, UINT32_MAX);
     },
     "keys in the store (default 100000)"},
    {"reads", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.reads = whole_number(n, *v, 1, UINT32_MAX);
     },
     "operations of the benchmarks that read single keys, over all threads\n"
     "(default --num)"},
    {"threads", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.threads = whole_number(n, *v, 1, kMaxThreads);
     },
     "threads; keys are split among them, readseq scans once in each;\n"
     "readwhilewriting has one writer and threads - 1 (at least 1) readers\n"
     "(default 1)"},
    {"key_size", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.key_bytes = whole_number(n, *v, 1, kMaxKeyBytes);
     },
     "bytes in a key (default 16)"},
    {"value_size", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.value_bytes = whole_number(n, *v, 0, kMaxValueBytes);
     },
     "bytes in a value (default 100)"},
    {"seed", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.seed = whole_number(n, *v, 0, UINT64_MAX);
     },
     "of the orders and the values (default 301)"},
    {"latency_sample", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.latency_sample = whole_number(n, *v, 1, 1'000'000);
     },
     "read the clock around every so manieth operation only (default 1; with\n"
     "--compare 16: a clock read is a tenth of a fast store's get)"},
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
       o.pool_bytes = size_in_bytes(n, *v, kMinPoolBytes, kMaxPoolBytes);
     },
     "bytes of the pool, also as 512M or 2G\n"
     "(default num * (key_size + value_size + 120) * 1.6 + 64 MiB)"},
    {"commit_form", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.commit_form = one_of(n, *v, kCommitForms);
     },
     "one_fence (default) or strict"},
    {"value_min", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.value_min_bytes = size_in_bytes(n, *v, 1, kMaxValueBytes);
     },
     "extents: least bytes of a value (default an eighth of --value_max)"},
    {"value_max", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.value_max_bytes = size_in_bytes(n, *v, 1, kMaxValueBytes);
     },
     "extents: most bytes of a value, e.g. 16M (default what one chunk of\n"
     "256 KiB holds)"},
    {"fill", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.fill = fraction(n, *v, 0.01, 1.0);
     },
     "extents: keys and values alive, as a share of the pool (default 0.7)"},
    {"duration", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.duration_s = whole_number(n, *v, 1, 86'400);
     },
     "extents: seconds (default 10)"},
    {"grow", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) { o.grow = boolean(n, v); },
     "1: pools are made with --initial_size and grow; 0: they are made as\n"
     "large as needed (default 1 for shift, extents and grow without --size\n"
     "where the library can, else 0)"},
    {"initial_size", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.initial_pool_bytes = size_in_bytes(n, *v, kMinPoolBytes, kMaxPoolBytes);
     },
     "bytes of a pool that grows when it is made (default 16M)"},
    {"target", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       o.target_bytes = size_in_bytes(n, *v, 1, kMaxPoolBytes);
     },
     "grow: stop at so many bytes of keys and values (default 2G)"},
    {"json", true, [](Options& o, std::string_view, std::optional<std::string_view> v) { o.json = *v; },
     "write the results to this file, an array with one object a run"},
    {"plot", true, [](Options& o, std::string_view, std::optional<std::string_view> v) { o.plot = *v; },
     "draw an SVG: the ratios of --compare as bars, else the curves of grow\n"
     "or extents over time, else bars of the rates"},
    {"child", true,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) {
       const std::string name = one_of(n, *v, kChildNames);
       o.child =
           static_cast<Child>(std::find(kChildNames.begin(), kChildNames.end(), name) - kChildNames.begin());
     },
     "what a process is for that the benchmark open has started; it answers\n"
     "in binary on its standard output"},
    {"help", false,
     [](Options& o, std::string_view n, std::optional<std::string_view> v) { o.help = boolean(n, v); },
     "this text"},
};

const Row& row_of(std::string_view name) {
  for (const Row& row : kRows)
    if (name == row.name) return row;
  std::vector<const char*> names;
  for (const Row& row : kRows) names.push_back(row.name);
  throw UsageError{"there is no option --" + std::string(name) + "; did you mean --" +
                   nearest_name(name, names) + "?"};
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

// Whether it begins with a store of its own.
bool fills(Benchmark b) {
  return b == Benchmark::fillseq || b == Benchmark::fillrandom || b == Benchmark::shift ||
         b == Benchmark::extents || b == Benchmark::grow;
}

void check_together(const Options& o, bool db_given) {
  if (keys_that_fit(o.key_bytes) < o.num)
    throw UsageError{"--key_size=" + std::to_string(o.key_bytes) + " has room for " +
                     std::to_string(keys_that_fit(o.key_bytes)) + " keys, --num=" + std::to_string(o.num) +
                     " needs more"};
  if (o.value_max_bytes != 0 && o.value_min_bytes > o.value_max_bytes)
    throw UsageError{"--value_min=" + std::to_string(o.value_min_bytes) +
                     " is above --value_max=" + std::to_string(o.value_max_bytes)};
  if (o.child != Child::none && !o.use_existing_db) throw UsageError{"--child needs --use_existing_db"};
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
  if (options.latency_sample == 0) options.latency_sample = options.compare.empty() ? 1 : kComparedSample;
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
      "\nopen, shift, extents and grow each make pools of their own size; docs/BENCHMARKS.md says what they "
      "do.\nmicros/op is the time a thread spends on an operation, ops/sec counts all threads by the wall "
      "clock. A\n"
      "latency of readseq is the mean over 1024 pairs. On a busy machine compare CPU times and medians "
      "(p50).\n"
      "Fences, lines and bytes are what the operation asked of the medium; they do not depend on its mood.\n";
  return text;
}

}  // namespace nacre::bench
