#include "bench/nacre_bench/runner.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "bench/nacre_bench/loops.h"
#include "bench/nacre_bench/open_bench.h"
#include "bench/nacre_bench/pool_sizes.h"
#include "bench/nacre_bench/progress.h"
#include "bench/nacre_bench/scenarios.h"
#include "bench/nacre_bench/space.h"
#include "bench/nacre_bench/team.h"

namespace nacre::bench {

namespace {

constexpr uint64_t kSampleKeys = 10'000;        // whole values compared after a benchmark that wrote
constexpr uint64_t kDramPoolBytes = 64u << 20;  // it holds the catalogue alone
constexpr uint64_t kHotStep = 100;              // readhot: every hundredth key

// The slots, blocks and slack a record needs beside its bytes, and the log and metadata of an empty pool.
uint64_t estimated_pool_bytes(const Options& o) {
  const double records = static_cast<double>(o.num) * static_cast<double>(o.key_bytes + o.value_bytes + 120);
  return static_cast<uint64_t>(records * 1.6) + (64u << 20);
}

StoreOptions store_options(const Options& o, const std::string& engine) {
  StoreOptions s{engine, o.db, o.medium, o.commit_form};
  size_for_rate(s, o, engine == "dram" ? kDramPoolBytes : estimated_pool_bytes(o));
  return s;
}

}  // namespace

Runner::Runner(const Options& options, const std::string& engine)
    : options_(options),
      store_options_(store_options(options, engine)),
      values_(options.value_bytes, options.seed) {}

Runner::~Runner() {
  if (!store_) return;
  store_.reset();
  if (options_.db_is_ours || discard_) (void)unlink(options_.db.c_str());
}

// ---- the store and what is in it ----

// A store in DRAM frees millions of small blocks when it goes. glibc joins them when somebody next asks for a large
// one: 0.4 s in one malloc, which must not fall into the time of the store that comes after it.
static void settle_allocator() {
#if defined(__GLIBC__)
  (void)malloc_trim(0);
#endif
}

void Runner::fresh_store() {
  if (store_ && pristine_) return;
  store_.reset();
  settle_allocator();
  store_ = make_store(store_options_, StoreUse::fresh);
  content_ = Content::empty;
  pristine_ = true;
}

void Runner::ensure_store() {
  if (store_) return;
  if (!options_.use_existing_db) return fresh_store();
  store_ = make_store(store_options_, StoreUse::existing);
  content_ = Content::mixed;  // a run before may have overwritten
  expect_count("opening the existing pool", options_.num);
}

void Runner::ensure_filled() {
  ensure_store();
  if (content_ != Content::empty) return;
  if (!options_.use_existing_db) fresh_store();
  progress("filling " + std::to_string(options_.num) + " keys, untimed");
  const Plan plan(options_.key_bytes, shuffled(options_.num, seed_for(Benchmark::fillrandom)), false);
  for (uint64_t i = 0; i < plan.size(); ++i) store_->put(plan.key(i), values_.value(plan.idx(i), 0));
  pristine_ = false;
  content_ = Content::variant_0;
  expect_count("the untimed fill", options_.num);
}

StoreFacts Runner::facts() {
  ensure_store();
  return store_->facts();
}

const char* Runner::obstacle(Benchmark benchmark) {
  const bool needs_file = benchmark == Benchmark::open || benchmark == Benchmark::grow;
  const bool needs_pool = benchmark == Benchmark::shift || benchmark == Benchmark::extents;
  if (!needs_file && !needs_pool) return nullptr;
  ensure_store();
  if (needs_file && !store_->keeps()) return "what it holds ends with its handle";
  if (needs_pool && !store_->has_pool()) return "it has no pool whose space could be measured";
  return nullptr;
}

uint64_t Runner::seed_for(Benchmark benchmark) const {
  return mix(options_.seed) + 1'000'003u * (static_cast<uint64_t>(benchmark) + 1);
}

// ---- verification, never in a timed region ----

void Runner::expect_count(const char* after, uint64_t wanted) {
  const uint64_t got = store_->count();
  if (got != wanted)
    throw BenchError{"after " + std::string(after) + " the store counts " + std::to_string(got) +
                     " keys, not " + std::to_string(wanted)};
}

bool Runner::value_fits(std::string_view value, uint64_t idx) const {
  const bool first = content_ != Content::variant_1 && value == values_.value(idx, 0);
  return first || (content_ != Content::variant_0 && value == values_.value(idx, 1));
}

void Runner::verify_values(const char* after) {
  progress("verifying");
  expect_count(after, options_.num);
  std::string key(options_.key_bytes, '0'), buffer(options_.value_bytes + 1, 0);
  const uint64_t step = std::max<uint64_t>(1, options_.num / kSampleKeys);
  for (uint64_t idx = 0; idx < options_.num; idx += step) {
    write_key(key.data(), key.size(), idx);
    size_t value_bytes = 0;
    if (!store_->get(key, buffer.data(), buffer.size(), &value_bytes))
      throw BenchError{"after " + std::string(after) + " " + quoted(key) + " is absent"};
    if (!value_fits({buffer.data(), value_bytes}, idx))
      throw BenchError{"after " + std::string(after) + " " + quoted(key) + " has a value that was never put"};
  }
}

void Runner::verify_absent(const char* after) {
  progress("verifying");
  expect_count(after, 0);
  std::string key(options_.key_bytes, '0'), buffer(options_.value_bytes + 1, 0);
  const uint64_t step = std::max<uint64_t>(1, options_.num / kSampleKeys);
  for (uint64_t idx = 0; idx < options_.num; idx += step) {
    write_key(key.data(), key.size(), idx);
    size_t value_bytes = 0;
    if (store_->get(key, buffer.data(), buffer.size(), &value_bytes))
      throw BenchError{"after " + std::string(after) + " " + quoted(key) + " is still there"};
  }
}

uint64_t Runner::expected_sum(unsigned variant) const {
  std::string key(options_.key_bytes, '0');
  uint64_t sum = 0;
  for (uint64_t idx = 0; idx < options_.num; ++idx) {
    write_key(key.data(), key.size(), idx);
    sum += sum_of(key) + sum_of(values_.value(idx, variant));
  }
  return sum;
}

// ---- the benchmarks ----

std::vector<Plan> Runner::plans_for(Benchmark benchmark) {
  progress(std::string(benchmark_name(benchmark)) + ": preparing keys");
  const uint64_t num = options_.num, seed = seed_for(benchmark);
  std::vector<uint32_t> idxs;
  switch (benchmark) {
    case Benchmark::fillseq:
    case Benchmark::deleteseq:
      idxs = ascending(num);
      break;
    case Benchmark::readhot:
      idxs = drawn(options_.reads, num, kHotStep, seed);
      break;
    case Benchmark::readrandom:
    case Benchmark::readmissing:
    case Benchmark::readwhilewriting:
      idxs = drawn(options_.reads, num, 1, seed);
      break;
    default:
      idxs = shuffled(num, seed);
      break;
  }
  const uint64_t threads = benchmark == Benchmark::readwhilewriting
                               ? std::max<uint64_t>(2, options_.threads) - 1
                               : options_.threads;
  return split(idxs, threads, options_.key_bytes, benchmark == Benchmark::readmissing);
}

RunResult Runner::run(Benchmark benchmark) {
  RunResult result;
  switch (benchmark) {
    case Benchmark::fillseq:
    case Benchmark::fillrandom:
    case Benchmark::overwrite:
      result = fill_or_overwrite(benchmark);
      break;
    case Benchmark::readrandom:
    case Benchmark::readmissing:
    case Benchmark::readhot:
      result = read(benchmark);
      break;
    case Benchmark::readseq:
      result = scan();
      break;
    case Benchmark::deleteseq:
    case Benchmark::deleterandom:
      result = remove_all(benchmark);
      break;
    case Benchmark::readwhilewriting:
      result = read_while_writing();
      break;
    case Benchmark::open:
      result = open_in_processes();
      break;
    case Benchmark::harness:
      ensure_store();
      result = run_harness(options_);
      break;
    case Benchmark::shift:
    case Benchmark::extents:
    case Benchmark::grow:
      result = with_own_store(benchmark);
      break;
  }
  progress("");
  result.benchmark = benchmark;
  result.engine = store_options_.engine;
  result.facts = store_->facts();
  return result;
}

RunResult Runner::fill_or_overwrite(Benchmark benchmark) {
  const bool fill = benchmark != Benchmark::overwrite;
  const std::vector<Plan> plans = plans_for(benchmark);
  fill ? fresh_store() : ensure_filled();
  const unsigned variant = !fill && content_ != Content::variant_1 ? 1 : 0;
  pristine_ = false;

  const char* name = benchmark_name(benchmark);
  const auto workers = run_team(*store_, name, plans.size(), [&](uint64_t thread, Worker& worker) {
    put_loop(*store_, plans[thread], values_, variant, options_.latency_sample, worker);
  });
  content_ = variant == 0 ? Content::variant_0 : Content::variant_1;
  verify_values(benchmark_name(benchmark));

  RunResult result;
  collect(result, workers, 0, workers.size());
  result.user_bytes_per_op = options_.key_bytes + options_.value_bytes;
  measure_space(result);
  return result;
}

void Runner::measure_space(RunResult& result) {
  if (!store_->has_pool()) return;
  result.used_bytes = space_of(*store_).used_bytes;
  result.stored_bytes = options_.num * (options_.key_bytes + options_.value_bytes);
}

RunResult Runner::read(Benchmark benchmark) {
  ensure_filled();
  const std::vector<Plan> plans = plans_for(benchmark);
  const bool absent = benchmark == Benchmark::readmissing;
  const Expected expected{content_ != Content::variant_1, content_ != Content::variant_0};
  const char* name = benchmark_name(benchmark);
  const auto workers = run_team(*store_, name, plans.size(), [&](uint64_t thread, Worker& worker) {
    get_loop(*store_, plans[thread], values_, expected, options_.latency_sample, name, worker);
  });

  RunResult result;
  collect(result, workers, 0, workers.size());
  result.user_bytes_per_op = absent ? 0 : options_.key_bytes + options_.value_bytes;
  const uint64_t wanted = absent ? 0 : result.ops;
  if (result.found != wanted)
    throw BenchError{std::string(benchmark_name(benchmark)) + " found " + std::to_string(result.found) +
                     " of " + std::to_string(result.ops) + " keys, not " + std::to_string(wanted)};
  return result;
}

RunResult Runner::scan() {
  ensure_filled();
  std::vector<ScanSink> sinks(options_.threads);
  const auto workers = run_team(*store_, "readseq", options_.threads, [&](uint64_t thread, Worker& worker) {
    ScanSink& sink = sinks[thread];
    sink.start();
    store_->scan(sink);
    sink.finish();
    worker.ops = worker.found = sink.pairs();
  });

  RunResult result;
  collect(result, workers, 0, workers.size());
  result.user_bytes_per_op = options_.key_bytes + options_.value_bytes;
  const bool mixed = content_ == Content::mixed;
  const uint64_t wanted = mixed ? 0 : expected_sum(content_ == Content::variant_1 ? 1 : 0);
  for (const ScanSink& sink : sinks) {
    result.latency.merge(sink.latency());
    if (sink.pairs() != options_.num)
      throw BenchError{"readseq saw " + std::to_string(sink.pairs()) + " pairs, not " +
                       std::to_string(options_.num)};
    if (!mixed && sink.sum() != wanted) throw BenchError{"readseq: the bytes of the pairs do not add up"};
  }
  return result;
}

RunResult Runner::remove_all(Benchmark benchmark) {
  ensure_filled();
  const std::vector<Plan> plans = plans_for(benchmark);
  const char* name = benchmark_name(benchmark);
  const auto workers = run_team(*store_, name, plans.size(), [&](uint64_t thread, Worker& worker) {
    const Plan& plan = plans[thread];
    timed_loop(worker, plan.size(), options_.latency_sample,
               [&](uint64_t i) { return store_->remove(plan.key(i)); });
  });
  content_ = Content::empty;

  RunResult result;
  collect(result, workers, 0, workers.size());
  if (result.found != options_.num)
    throw BenchError{std::string(benchmark_name(benchmark)) + " found " + std::to_string(result.found) +
                     " of " + std::to_string(options_.num) + " keys"};
  verify_absent(benchmark_name(benchmark));
  return result;
}

// The writer goes round all keys, variant 1, then 0, then 1, until the last reader has ended.
RunResult Runner::read_while_writing() {
  ensure_filled();
  const std::vector<Plan> reads = plans_for(Benchmark::readwhilewriting);
  const Plan writes(options_.key_bytes, shuffled(options_.num, seed_for(Benchmark::overwrite)), false);
  std::atomic<uint64_t> readers_left{reads.size()};
  content_ = Content::mixed;

  const auto write = [&](Worker& worker) {
    uint64_t i = 0;
    do {  // at least once, however short the run
      const uint64_t at = i % writes.size();
      const auto variant = static_cast<unsigned>((i / writes.size() + 1) % 2);
      store_->put(writes.key(at), values_.value(writes.idx(at), variant));
      ++i;
    } while (readers_left.load(std::memory_order_relaxed) != 0);
    worker.ops = i;
  };
  const auto workers =
      run_team(*store_, "readwhilewriting", reads.size() + 1, [&](uint64_t thread, Worker& worker) {
        if (thread == reads.size()) return write(worker);
        struct Leave {  // also when the reader fails: the writer waits for it
          std::atomic<uint64_t>& left;
          ~Leave() { left.fetch_sub(1, std::memory_order_relaxed); }
        } leave{readers_left};
        get_loop(*store_, reads[thread], values_, {true, true}, options_.latency_sample, "readwhilewriting",
                 worker);
      });
  verify_values("readwhilewriting");

  RunResult result;
  collect(result, workers, 0, reads.size());
  result.user_bytes_per_op = options_.key_bytes + options_.value_bytes;
  result.writer_ops = workers.back().ops;
  result.writer_counts = workers.back().counts;
  result.writer_seconds = static_cast<double>(workers.back().end_ns - workers.back().start_ns) * 1e-9;
  if (result.found != result.ops)
    throw BenchError{"readwhilewriting found " + std::to_string(result.found) + " of " +
                     std::to_string(result.ops) + " keys"};
  return result;
}

RunResult Runner::open_in_processes() {
  ensure_filled();
  store_->close();
  RunResult result = measure_opens(options_, store_options_);
  store_->open_again();
  content_ = Content::mixed;  // the processes overwrote
  verify_values("open");
  return result;
}

RunResult Runner::with_own_store(Benchmark benchmark) {
  store_.reset();
  content_ = Content::empty;
  pristine_ = false;
  RunResult result = benchmark == Benchmark::shift     ? run_shift(options_, store_options_)
                     : benchmark == Benchmark::extents ? run_extents(options_, store_options_)
                                                       : run_grow(options_, store_options_);
  fresh_store();
  return result;
}

}  // namespace nacre::bench
