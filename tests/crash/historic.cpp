#include "tests/crash/historic.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "tests/crash/subprocess.h"

namespace nacre::crash {
namespace {

constexpr unsigned kHangSeconds = 60;

constexpr std::array kBugs{
    HistoricBug{"historic.pmdk.allocated_then_linked:broken", "PMDK #4927, pmwcas #8, RECIPE #5"},
    HistoricBug{"historic.pclht.freed_then_unlinked:broken", "RECIPE #24 (P-CLHT)"},
    HistoricBug{"historic.kvdk.unlinked_then_freed:broken", "KVDK #107"},
    HistoricBug{"historic.pmdk.given_ahead_of_cursor:broken", "PMDK #5470"},
    HistoricBug{"historic.pclht.lock_survives:broken", "RECIPE #19 (P-CLHT)"},
    HistoricBug{"historic.fastfair.split_in_two_commits:broken", "FAST_FAIR #6"},
    HistoricBug{"historic.pmdk.overwrite_not_logged:broken", "PMDK #3126, #559"},
    HistoricBug{"historic.memcached.stored_after_link:broken", "memcached-pmem #4"},
    HistoricBug{"historic.hashmap_atomic.count_believed:broken", "PMDK #5220 (hashmap_atomic)"},
    HistoricBug{"historic.redb.clean_too_early:broken", "redb #885"},
    HistoricBug{"engine.hash.directory_flush:off", "SEPH #2 (CCEH)"},
    HistoricBug{"engine.hash.segment_flush:off", "FAST_FAIR #15"},
    HistoricBug{"alloc.commit.fresh_fence:off", "HomeStore #327"},
    HistoricBug{"alloc.commit.fence:late", "SEPH #3 (CCEH-COW), SEPH #1 (Level hashing)"},
    HistoricBug{"alloc.recover.retire_busy:broken", "PMDK #5461"},
    HistoricBug{"alloc.recover.no_guard:broken", "NOVA #95"},
    HistoricBug{"alloc.format.magic_with_rest:broken", "Witcher #1, pmem/redis #219"},
};

struct Directed {
  const char* name;
  const char* client;
  const char* config;
  const char* ops;
};

constexpr Directed kDirected[] = {
    {"clean closes between changes of the count", "db", "",
     "put:0:1:8:1;put:0:2:8:2;|;!reopen;put:0:3:8:3;!reopen;del:0:1;put:0:4:8:5;!reopen"},
    {"extents freed before the heap is read, then two at once", "pool", ",chunk=1024",
     "put:2:24:1;put:0:6000:2;!reopen;|;del:0;epoch;epoch;epoch;put:0:6000:3:1:6000:5"},
};

}  // namespace

std::span<const HistoricBug> historic_bugs() noexcept { return kBugs; }

const HistoricBug* find_historic_bug(const std::string& mutant) noexcept {
  for (const HistoricBug& bug : kBugs)
    if (mutant == bug.mutant) return &bug;
  return nullptr;
}

std::vector<Workload> historic_workloads() {
  std::vector<Workload> all;
  for (const std::string form : {"strict", "one"})
    for (const Directed& d : kDirected)
      all.push_back({form + ": historic, " + d.name, d.client, "form=" + form + d.config, split(d.ops, ';'), false});
  return all;
}

namespace {

std::string checked_states(const Workload& workload, const Mutant& mutant, const ExploreConfig& config) {
  SiteTable sites;
  if (mutant.id.operation == "broken") (void)break_point(mutant.id.name);
  for (SiteFault fault : {SiteFault::off, SiteFault::short_line, SiteFault::early, SiteFault::late})
    if (mutant.id.operation == site_fault_name(fault)) sites.set_fault(mutant.id.name, fault);
  const auto client = find_client_kind(workload.client)->make(parse_config(workload.config));
  const Report report = Explorer(*client, config, &sites).explore(workload);
  return report.violations == 0 ? "never" : std::to_string(report.checked_states());
}

// In the workload that killed it. 0: it showed before any crash. Nothing: it is not found again.
std::optional<uint64_t> states_until_found(const Mutant& mutant, std::span<const Workload> workloads,
                                           const ExploreConfig& config) {
  ExploreConfig first_only = config;
  first_only.shrink = false;
  first_only.max_failures = 1;
  first_only = with_effort(first_only, mutant.effort);
  for (const Workload& workload : workloads) {
    if (workload.client + " " + workload.name != mutant.killed_by) continue;
    const Answer answer = Subprocess([&] { return checked_states(workload, mutant, first_only); }, kHangSeconds).wait();
    if (answer.text == "never") return std::nullopt;
    return answer.text.empty() ? 0 : std::stoull(answer.text);  // empty: it died of the bug
  }
  return std::nullopt;
}

}  // namespace

Figure report_historic_bugs(Score* score, std::span<const Workload> workloads, const ExploreConfig& config) {
  Figure figure{"historic bugs found", 0, 0, 0, "W", 0};
  uint64_t most_states = 0;
  for (const Mutant& mutant : score->mutants) {
    const HistoricBug* bug = find_historic_bug(mutant.id.text());
    if (bug == nullptr) continue;
    const std::optional<uint64_t> states = states_until_found(mutant, workloads, config);
    ++figure.count;
    figure.violations += states.has_value() ? 0 : 1;
    figure.seconds += mutant.seconds;
    most_states = std::max(most_states, states.value_or(0));
    std::printf("# historic: %-46s %s, %s: %llu states: %s\n", bug->mutant, states ? "found" : "MISSED", bug->source,
                static_cast<unsigned long long>(states.value_or(0)), mutant.killed_by.c_str());
  }
  figure.cuts = kBugs.size() - figure.count;
  if (figure.count != 0)
    std::printf("# historic bugs: %llu of %llu found, each within %llu states\n",
                static_cast<unsigned long long>(figure.count - figure.violations),
                static_cast<unsigned long long>(figure.count), static_cast<unsigned long long>(most_states));
  std::erase_if(score->mutants, [](const Mutant& m) { return m.id.name.starts_with("historic."); });
  return figure;
}

}  // namespace nacre::crash
