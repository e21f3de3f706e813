// What the harness itself costs an operation: the loops of fillrandom and readrandom, with keys, values,
// clock, histogram, virtual call and checks, and a store that does nothing. Ratios between stores mean
// something as long as this is small against their operations.
#include <algorithm>

#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/loops.h"
#include "bench/nacre_bench/scenarios.h"
#include "bench/nacre_bench/team.h"

namespace nacre::bench {

namespace {

// Answers get number i as key number i of the plan must be answered, in as few instructions as pass the
// check: only the first and the last byte of the value are there.
class IdleStore final : public Store {
 public:
  IdleStore(const Plan& plan, const ValuePool& values) : plan_(plan), values_(values) {}

  void put(std::string_view, std::string_view) override {}
  PutOutcome try_put(std::string_view, std::string_view) override { return PutOutcome::done; }
  bool get(std::string_view, char* buffer, size_t, size_t* value_bytes) override {
    const std::string_view value = values_.value(plan_.idx(next_++), 0);
    *value_bytes = value.size();
    if (value.empty()) return true;
    buffer[0] = value.front();
    buffer[value.size() - 1] = value.back();
    return true;
  }
  bool remove(std::string_view) override { return true; }
  void scan(ScanSink&) override {}
  uint64_t count() override { return 0; }
  FlushCounts thread_counts() override { return {}; }
  StoreFacts facts() override { return {"none", "", false}; }
  Figures info_figures() override { return {}; }
  Figures stats_figures() override { return {}; }
  bool has_pool() const override { return false; }
  bool keeps() const override { return false; }
  void close() override {}
  void open_again() override {}

 private:
  const Plan& plan_;
  const ValuePool& values_;
  uint64_t next_ = 0;
};

double cpu_ns_per_op(const std::vector<Worker>& workers) {
  const Worker& worker = workers.front();
  return static_cast<double>(worker.cpu_ns) / static_cast<double>(std::max<uint64_t>(1, worker.ops));
}

}  // namespace

RunResult run_harness(const Options& o) {
  const Plan plan(o.key_bytes, shuffled(o.num, o.seed), false);
  const ValuePool values(o.value_bytes, o.seed);
  IdleStore store(plan, values);
  const auto put = [&](uint64_t, Worker& w) { put_loop(store, plan, values, 0, o.latency_sample, w); };
  const auto get = [&](uint64_t, Worker& w) {
    get_loop(store, plan, values, {}, o.latency_sample, "harness", w);
  };
  // An empty operation leaves the clock and the histogram.
  const auto clock = [&](uint64_t, Worker& w) {
    timed_loop(w, plan.size(), o.latency_sample, [](uint64_t) { return true; });
  };
  const auto puts = run_team(store, "harness", 1, put);
  const auto gets = run_team(store, "harness", 1, get);
  const auto clocks = run_team(store, "harness", 1, clock);

  RunResult result;
  collect(result, puts, 0, 1);
  collect(result, gets, 0, 1);
  result.table.columns = {"cpu_ns_per_op"};
  result.table.rows = {{"put loop", {cpu_ns_per_op(puts)}},
                       {"get loop", {cpu_ns_per_op(gets)}},
                       {"clock and histogram", {cpu_ns_per_op(clocks)}}};
  result.note = "a store that does nothing: what of each operation's time is the harness's";
  return result;
}

}  // namespace nacre::bench
