// nacre_crash_test: explores the workloads of every client and prints TAP; replays one failure; scores
// mutants.
//
//   nacre_crash_test                                   everything, within the budget
//   nacre_crash_test --list                            the workloads
//   nacre_crash_test --client=C --workload=TEXT        those whose name contains TEXT
//   nacre_crash_test --client=C --ops='a;b' [--config=K=V,...]            one workload given here
//   nacre_crash_test --client=C --ops=... --point=N --pick=P [--nested=N:P/...]   one case, with a trace
//   nacre_crash_test --mutate [--client=C]             breaks each site in turn
//
//   --states=N       budget of images to recover and check, all workloads together (or NACRE_CRASH_STATES);
//   0: none
//   --seed=N --depth=N --nested-every=N --exhaustive=N --nested-exhaustive=N --no-kills --no-shrink
//   --max-failures=N --fault=SITE:off|short|early --shard=I/N --hang=SECONDS
#include <sys/time.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "tests/crash/explorer.h"
#include "tests/crash/mutation.h"
#include "tests/crash/replay_text.h"

extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace nacre::crash {
namespace {

constexpr uint64_t kDefaultStates = 600'000;

struct Arguments {
  ExploreConfig explore;
  std::string client, workload, config;
  std::optional<std::string> ops;
  std::optional<uint32_t> point;
  std::string pick = "d", nested;
  std::vector<std::pair<std::string, SiteFault>> faults;
  uint64_t shard = 0, shards = 1, hang_s = 60;
  bool list = false, mutate = false, format = false;
};

// ---- a case that kills or hangs the process still names itself

uint64_t g_last_case = 0;
uint64_t g_idle_s = 0;
uint64_t g_hang_s = 60;

void print_current_case(const char* what) {
  std::printf("\nBail out! %s in\n# nacre_crash_test %s\n", what, current_case().c_str());
  std::fflush(stdout);
}

void on_fatal_signal(int signal) {
  std::signal(signal, SIG_DFL);
  alarm(5);  // in case printing itself hangs
  print_current_case(strsignal(signal));
  _exit(3);
}

void on_tick(int) {
  if (current_case_number() != g_last_case) g_idle_s = 0;
  g_last_case = current_case_number();
  if (++g_idle_s < g_hang_s) return;
  print_current_case("no progress");
  _exit(4);
}

void watch(uint64_t hang_s) {
  g_hang_s = hang_s;
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, on_fatal_signal);
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback([] { print_current_case("sanitizer"); });
  if (hang_s == 0) return;
  std::signal(SIGALRM, on_tick);
  const itimerval second{.it_interval = {1, 0}, .it_value = {1, 0}};
  setitimer(ITIMER_REAL, &second, nullptr);
}

// ---- arguments

bool take(std::string_view argument, std::string_view name, std::string* value) {
  if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return false;
  *value = argument.substr(name.size() + 1);
  return true;
}

bool parse_fault(const std::string& text, Arguments* a) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  for (SiteFault fault : {SiteFault::off, SiteFault::short_line, SiteFault::early})
    if (text.substr(colon + 1) == site_fault_name(fault))
      return a->faults.emplace_back(text.substr(0, colon), fault), true;
  return false;
}

bool parse_shard(const std::string& text, Arguments* a) {
  const std::vector<std::string> parts = split(text, '/');
  if (parts.size() != 2) return false;
  a->shard = std::stoull(parts[0]), a->shards = std::stoull(parts[1]);
  return a->shards > 0 && a->shard < a->shards;
}

bool parse_argument(std::string_view argument, Arguments* a) {
  std::string v;
  ExploreConfig& e = a->explore;
  if (argument == "--list") return a->list = true;
  if (argument == "--mutate") return a->mutate = true;
  if (argument == "--format") return a->format = true;
  if (argument == "--no-kills") return e.kills = false, true;
  if (argument == "--no-shrink") return e.shrink = false, true;
  if (take(argument, "--client", &a->client) || take(argument, "--workload", &a->workload) ||
      take(argument, "--config", &a->config) || take(argument, "--pick", &a->pick) ||
      take(argument, "--nested", &a->nested))
    return true;
  if (take(argument, "--ops", &v)) return a->ops = v, true;
  if (take(argument, "--fault", &v)) return parse_fault(v, a);
  if (take(argument, "--shard", &v)) return parse_shard(v, a);
  if (take(argument, "--point", &v)) return a->point = std::stoul(v), true;
  if (take(argument, "--states", &v)) return e.max_states = std::stoull(v), true;
  if (take(argument, "--seed", &v)) return e.seed = std::stoull(v), true;
  if (take(argument, "--depth", &v)) return e.depth = static_cast<uint32_t>(std::stoul(v)), e.depth > 0;
  if (take(argument, "--nested-every", &v))
    return e.nested_every = static_cast<uint32_t>(std::stoul(v)), e.nested_every > 0;
  if (take(argument, "--exhaustive", &v)) return e.limits.exhaustive = std::stoull(v), true;
  if (take(argument, "--nested-exhaustive", &v)) return e.nested_limits.exhaustive = std::stoull(v), true;
  if (take(argument, "--max-failures", &v))
    return e.max_failures = static_cast<uint32_t>(std::stoul(v)), true;
  if (take(argument, "--hang", &v)) return a->hang_s = std::stoull(v), true;
  return false;
}

bool parse_arguments(int argc, char** argv, Arguments* a) {
  const char* states = std::getenv("NACRE_CRASH_STATES");
  a->explore.max_states = states ? std::strtoull(states, nullptr, 10) : kDefaultStates;
  for (int i = 1; i < argc; ++i) {
    bool good = false;
    try {
      good = parse_argument(argv[i], a);
    } catch (const std::exception&) {  // a number that is none
    }
    if (!good)
      return std::fprintf(stderr, "nacre_crash_test: what is %s? See the top of crash_main.cpp\n", argv[i]),
             false;
  }
  return true;
}

// ---- what to run

std::vector<Workload> chosen_workloads(const Arguments& a) {
  if (a.ops) return {{"given", a.client, a.config, split(*a.ops, ';'), a.format}};
  std::vector<Workload> chosen;
  uint64_t n = 0;
  for (const ClientKind& kind : client_kinds()) {
    if (!a.client.empty() && a.client != kind.name) continue;
    for (Workload& workload : kind.workloads())
      if (workload.name.find(a.workload) != std::string::npos && n++ % a.shards == a.shard)
        chosen.push_back(std::move(workload));
  }
  return chosen;
}

std::unique_ptr<Client> make_client(const Workload& workload) {
  const ClientKind* kind = find_client_kind(workload.client);
  auto client = kind ? kind->make(parse_config(workload.config)) : nullptr;
  if (client == nullptr)
    std::fprintf(stderr, "no client %s with config %s\n", workload.client.c_str(), workload.config.c_str());
  return client;
}

void show_progress(const Workload& workload, const Report& r) {
  std::fprintf(stderr, "\r%-40.40s %8llu points %10llu states %10llu nested %4llu violations ",
               workload.name.c_str(), static_cast<unsigned long long>(r.points),
               static_cast<unsigned long long>(r.states), static_cast<unsigned long long>(r.nested_states),
               static_cast<unsigned long long>(r.violations));
}

void print_failures(const Report& report, const Arguments& a) {
  std::string faults;
  for (const auto& [site, fault] : a.faults) faults += " --fault=" + site + ":" + site_fault_name(fault);
  for (const Failure& failure : report.failures)
    std::printf("# %s\n# nacre_crash_test %s%s\n", failure.what.c_str(), failure.line.c_str(),
                faults.c_str());
}

int explore_all(const std::vector<Workload>& workloads, const Arguments& a, SiteTable* sites) {
  const bool terminal = isatty(2);
  Report total;
  std::printf("TAP version 13\n1..%zu\n", workloads.size());
  for (size_t i = 0; i < workloads.size(); ++i) {
    const auto client = make_client(workloads[i]);
    if (client == nullptr) return 2;
    ExploreConfig config = a.explore;
    const uint64_t used = total.states + total.nested_states;
    if (config.max_states != 0)
      config.max_states =
          (config.max_states - std::min(config.max_states, used)) / (workloads.size() - i) + 1;
    Explorer explorer(*client, config, sites);
    if (terminal) explorer.set_progress(show_progress);
    const Report report = explorer.explore(workloads[i]);
    if (terminal) std::fprintf(stderr, "\r%100s\r", "");
    std::printf("%s %zu - %s: %s\n", report.violations == 0 ? "ok" : "not ok", i + 1,
                workloads[i].client.c_str(), workloads[i].name.c_str());
    print_failures(report, a);
    std::fflush(stdout);
    total.add(report);
  }
  std::printf("# %s\n", total.summary().c_str());
  return total.violations == 0 ? 0 : 1;
}

int replay(const Workload& workload, const Arguments& a, SiteTable* sites) {
  std::vector<CrashStep> steps{{*a.point, a.pick}};
  if (!parse_steps(a.nested, &steps))
    return std::fprintf(stderr, "what is --nested=%s?\n", a.nested.c_str()), 2;
  const auto client = make_client(workload);
  if (client == nullptr) return 2;
  std::string trace;
  const std::string finding = Explorer(*client, a.explore, sites).replay(workload, steps, &trace);
  std::printf("%s%s\n", trace.c_str(), finding.empty() ? "no finding" : "FAILED");
  return finding.empty() ? 0 : 1;
}

const char* verdict(const Mutant& m) {
  return !m.killed_by.empty() ? "killed" : m.effects == 0 ? "no effect" : "SURVIVED";
}

int mutate(const std::vector<Workload>& workloads, const Arguments& a) {
  const Score score = score_mutants(workloads, a.explore, [](const Mutant& m) {
    std::printf("%-9s %-6s %-40s %s\n", verdict(m), site_fault_name(m.fault), m.site.c_str(),
                m.killed_by.c_str());
    std::fflush(stdout);
  });
  std::map<std::string, uint64_t> counts;
  for (const Mutant& m : score.mutants) ++counts[verdict(m)];
  for (const Mutant& m : score.unsound)
    std::printf("left out, fails when nothing is broken: %s: %s\n", m.killed_by.c_str(), m.finding.c_str());
  std::printf("mutants: %llu killed, %llu survived, %llu without effect in these workloads\n",
              static_cast<unsigned long long>(counts["killed"]),
              static_cast<unsigned long long>(counts["SURVIVED"]),
              static_cast<unsigned long long>(counts["no effect"]));
  return counts["SURVIVED"] == 0 && score.unsound.empty() ? 0 : 1;
}

int run(int argc, char** argv) {
  Arguments a;
  if (!parse_arguments(argc, argv, &a)) return 2;
  const std::vector<Workload> workloads = chosen_workloads(a);
  if (a.list) {
    for (const Workload& w : workloads)
      std::printf("%-8s %-40s %s\n", w.client.c_str(), w.name.c_str(), replay_line(w, {}).c_str());
    return 0;
  }
  watch(a.hang_s);
  if (a.mutate) return mutate(workloads, a);
  SiteTable sites;
  for (const auto& [site, fault] : a.faults) sites.set_fault(site, fault);
  if (a.ops && a.point) return replay(workloads[0], a, &sites);
  return explore_all(workloads, a, &sites);
}

}  // namespace
}  // namespace nacre::crash

int main(int argc, char** argv) { return nacre::crash::run(argc, argv); }
