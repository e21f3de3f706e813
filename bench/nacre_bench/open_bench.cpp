#include "bench/nacre_bench/open_bench.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "bench/nacre_bench/child_process.h"
#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/open_child.h"
#include "bench/nacre_bench/progress.h"

namespace nacre::bench {

namespace {

constexpr uint64_t kMostWaitBeforeKill_us = 20'000;
constexpr double kGoalOpen_ms = 5;
constexpr double kGoalP99_us = 1000;

std::vector<std::string> command_line(const Options& o, const StoreOptions& store, const char* child) {
  const auto number = [](const char* name, uint64_t value) {
    return std::string("--") + name + "=" + std::to_string(value);
  };
  return {std::string("--child=") + child,
          "--benchmarks=open",
          "--use_existing_db",
          "--db=" + store.db,
          "--engine=" + store.engine,
          "--medium=" + store.medium,
          "--commit_form=" + store.commit_form,
          number("num", o.num),
          number("key_size", o.key_bytes),
          number("value_size", o.value_bytes),
          number("seed", o.seed),
          number("threads", o.threads)};
}

// The opens of one way of closing.
struct Opens {
  Histogram open_ns, get_ns, put_ns;
  FlushCounts open_counts, get_counts, put_counts;
  Histogram open_ticks;
  uint64_t cpu_ns = 0;
  uint64_t least_recovered = UINT64_MAX, most_recovered = 0, most_lines = 0;

  void add(const ProbeAnswer& answer) {
    open_ns.add(answer.open_ns);
    open_ticks.add(static_cast<uint64_t>(static_cast<double>(answer.open_ns) / ns_per_tick()));
    cpu_ns += answer.open_cpu_ns;
    for (const uint64_t ns : answer.get_ns) get_ns.add(ns);
    for (const uint64_t ns : answer.put_ns) put_ns.add(ns);
    open_counts += answer.open_counts;
    get_counts += answer.get_counts;
    put_counts += answer.put_counts;
    least_recovered = std::min(least_recovered, answer.recovered_records);
    most_recovered = std::max(most_recovered, answer.recovered_records);
    most_lines = std::max(most_lines, answer.recovered_lines);
  }
};

void probe_once(const std::vector<std::string>& arguments, Opens& opens) {
  const auto answer = std::make_unique<ProbeAnswer>();
  ChildProcess process(arguments);
  process.read(answer.get(), sizeof *answer);
  process.expect_success();
  opens.add(*answer);
}

// A writer that has filled some of its rings, and then dies at an instant nobody chose.
void kill_a_writer(const std::vector<std::string>& arguments, Random& random) {
  char ready = 0;
  ChildProcess process(arguments);
  process.read(&ready, 1);
  std::this_thread::sleep_for(std::chrono::microseconds(random.below(kMostWaitBeforeKill_us)));
  process.kill();
}

const std::vector<std::string> kColumns = {"opens",
                                           "open_p50_ms",
                                           "open_max_ms",
                                           "get_p50_us",
                                           "get_p99_us",
                                           "get_max_us",
                                           "put_p50_us",
                                           "put_p99_us",
                                           "put_max_us",
                                           "get_fences_per_op",
                                           "put_fences_per_op",
                                           "put_lines_per_op",
                                           "least_recovered_records",
                                           "most_recovered_records",
                                           "most_recovered_lines"};

ResultTable::Row row_of(const char* label, const Opens& o) {
  const auto in = [](uint64_t ns, double unit_ns) { return static_cast<double>(ns) / unit_ns; };
  const auto ops = static_cast<double>(o.put_ns.count());
  return {
      label,
      {static_cast<double>(o.open_ns.count()), in(o.open_ns.percentile(0.5), 1e6), in(o.open_ns.max(), 1e6),
       in(o.get_ns.percentile(0.5), 1e3), in(o.get_ns.percentile(0.99), 1e3), in(o.get_ns.max(), 1e3),
       in(o.put_ns.percentile(0.5), 1e3), in(o.put_ns.percentile(0.99), 1e3), in(o.put_ns.max(), 1e3),
       static_cast<double>(o.get_counts.fences) / ops, static_cast<double>(o.put_counts.fences) / ops,
       static_cast<double>(o.put_counts.lines) / ops, static_cast<double>(o.least_recovered),
       static_cast<double>(o.most_recovered), static_cast<double>(o.most_lines)}};
}

bool within_goal(const Opens& o) {
  return static_cast<double>(o.open_ns.max()) < kGoalOpen_ms * 1e6 &&
         static_cast<double>(o.get_ns.percentile(0.99)) < kGoalP99_us * 1e3 &&
         static_cast<double>(o.put_ns.percentile(0.99)) < kGoalP99_us * 1e3;
}

void add_to(RunResult& result, const Opens& opens) {
  result.ops += opens.open_ns.count();
  result.latency.merge(opens.open_ticks);
  result.counts += opens.open_counts;
  result.cpu_seconds += static_cast<double>(opens.cpu_ns) * 1e-9;
  result.seconds += opens.open_ns.mean() * static_cast<double>(opens.open_ns.count()) * 1e-9;
}

}  // namespace

RunResult measure_opens(const Options& o, const StoreOptions& store) {
  const auto probe = command_line(o, store, "probe"), writer = command_line(o, store, "writer");
  Random random(o.seed);
  Opens clean, killed;
  RunResult result;
  for (uint64_t round = 0; round < o.rounds; ++round) {
    progress("open: round " + std::to_string(round + 1) + " of " + std::to_string(o.rounds));
    probe_once(probe, clean);
    kill_a_writer(writer, random);
    probe_once(probe, killed);
  }
  for (const Opens* opens : {&clean, &killed}) add_to(result, *opens);
  result.threads = 1;
  result.found = result.ops;  // a probe that found less has thrown
  result.thread_seconds = result.seconds;
  result.table.columns = kColumns;
  result.table.rows = {row_of("after a close", clean), row_of("after SIGKILL", killed)};
  result.note = "goal with 10 million keys, warm cache: open below 5 ms, p99 of the first " +
                std::to_string(kFirstOps) + " gets and puts below 1 ms; here: " +
                (within_goal(clean) && within_goal(killed) ? "within" : "not within");
  return result;
}

}  // namespace nacre::bench
