// nacre_crash_test: explores the workloads of every client and prints TAP; replays one failure.
//
//   nacre_crash_test                                   everything, within the budget
//   nacre_crash_test --list                            the workloads
//   nacre_crash_test --client=C --workload=TEXT        those whose name contains TEXT
//   nacre_crash_test --client=C --ops='a;b' [--config=K=V,...]            one workload given here
//   nacre_crash_test --client=C --ops=... --point=N --pick=P [--nested=N:P/...]   one case, with a trace
//
//   --states=N       budget of images to recover and check, all workloads together (or NACRE_CRASH_STATES); 0: none.
//                    With a tier: of its directed and random runs; 0: as much as the tier says
//   --seed=N --depth=N --nested-every=N --exhaustive=N --nested-exhaustive=N --no-kills --no-shrink
//   --model=W|L|E   what a word may keep (selection.h); --jobs=N processes; --json=FILE
//   --tier=commit|nightly   what the scorecard wants (tiers.h)
//   --max-failures=N --fault=SITE:off|short|early|late --shard=I/N --hang=SECONDS
#include <malloc.h>
#include <sys/time.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "tests/crash/campaign.h"
#include "tests/crash/explorer.h"
#include "tests/crash/replay_text.h"
#include "tests/crash/tiers.h"

extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace nacre::crash {
namespace {

constexpr uint64_t kDefaultStates = 600'000;

struct Arguments {
  ExploreConfig explore;
  std::string client, workload, config, tier, json;
  CrashModel model = CrashModel::W;
  uint32_t jobs = 1;
  std::optional<std::string> ops;
  std::optional<uint32_t> point;
  std::optional<uint64_t> states;
  std::string pick = "d", nested;
  std::vector<std::pair<std::string, SiteFault>> faults;
  uint64_t shard = 0, shards = 1, hang_s = 60;
  bool list = false, format = false;
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
  for (SiteFault fault : {SiteFault::off, SiteFault::short_line, SiteFault::early, SiteFault::late})
    if (text.substr(colon + 1) == site_fault_name(fault))
      return a->faults.emplace_back(text.substr(0, colon), fault), true;
  return false;
}

bool parse_model(const std::string& text, Arguments* a) {
  for (CrashModel model : {CrashModel::W, CrashModel::L, CrashModel::E})
    if (text == model_name(model)) return a->model = model, true;
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
  if (argument == "--format") return a->format = true;
  if (argument == "--no-kills") return e.kills = false, true;
  if (argument == "--no-shrink") return e.shrink = false, true;
  if (take(argument, "--client", &a->client) || take(argument, "--workload", &a->workload) ||
      take(argument, "--config", &a->config) || take(argument, "--pick", &a->pick) ||
      take(argument, "--nested", &a->nested))
    return true;
  if (take(argument, "--ops", &v)) return a->ops = v, true;
  if (take(argument, "--fault", &v)) return parse_fault(v, a);
  if (take(argument, "--model", &v)) return parse_model(v, a);
  if (take(argument, "--tier", &v)) return a->tier = v, v == "commit" || v == "nightly";
  if (take(argument, "--json", &v)) return a->json = v, true;
  if (take(argument, "--jobs", &v)) return a->jobs = static_cast<uint32_t>(std::stoul(v)), a->jobs > 0;
  if (take(argument, "--shard", &v)) return parse_shard(v, a);
  if (take(argument, "--point", &v)) return a->point = std::stoul(v), true;
  if (take(argument, "--states", &v)) return a->states = std::stoull(v), true;
  if (take(argument, "--seed", &v)) return e.seed = std::stoull(v), true;
  if (take(argument, "--depth", &v)) return e.depth = static_cast<uint32_t>(std::stoul(v)), e.depth > 0;
  if (take(argument, "--nested-every", &v))
    return e.nested_every = static_cast<uint32_t>(std::stoul(v)), e.nested_every > 0;
  if (take(argument, "--exhaustive", &v)) return e.limits.exhaustive = std::stoull(v), true;
  if (take(argument, "--nested-exhaustive", &v)) return e.nested_limits.exhaustive = std::stoull(v), true;
  if (take(argument, "--max-failures", &v)) return e.max_failures = static_cast<uint32_t>(std::stoul(v)), true;
  if (take(argument, "--hang", &v)) return a->hang_s = std::stoull(v), true;
  return false;
}

bool parse_arguments(int argc, char** argv, Arguments* a) {
  for (int i = 1; i < argc; ++i) {
    bool good = false;
    try {
      good = parse_argument(argv[i], a);
    } catch (const std::exception&) {  // a number that is none
    }
    if (!good)
      return std::fprintf(stderr, "nacre_crash_test: what is %s? See the top of crash_main.cpp\n", argv[i]), false;
  }
  return true;
}

// ---- what to run

uint64_t max_states(const Arguments& a) {
  if (a.states) return *a.states;
  if (!a.tier.empty()) return 0;  // its own
  const char* states = std::getenv("NACRE_CRASH_STATES");
  return states ? std::strtoull(states, nullptr, 10) : kDefaultStates;
}

std::string fault_arguments(const Arguments& a) {
  std::string text;
  for (const auto& [site, fault] : a.faults) text += " --fault=" + site + ":" + site_fault_name(fault);
  return text;
}

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

// Without a tier: all chosen workloads in one model, within one budget.
std::vector<Campaign> campaigns(const Arguments& a) {
  const std::vector<Workload> chosen = chosen_workloads(a);
  if (!a.tier.empty()) return tier_campaigns(a.tier, chosen, a.explore, fault_arguments(a));
  return {{"", chosen, with_model(a.explore, a.model), fault_arguments(a)}};
}

int explore_all(const Arguments& a) {
  const std::vector<Campaign> all = campaigns(a);
  CampaignRunner runner(a.jobs, [&](SiteTable& sites) {
    watch(a.hang_s);  // each process watches itself
    for (const auto& [site, fault] : a.faults) sites.set_fault(site, fault);
  });
  size_t tests = 0;
  for (const Campaign& campaign : all) tests += campaign.workloads.size();
  runner.plan(tests);
  std::vector<Report> reports;
  uint64_t violations = 0;
  for (const Campaign& campaign : all) {
    reports.push_back(runner.run(campaign));
    violations += reports.back().violations;
    std::printf("# %s%s\n", campaign.label.c_str(), reports.back().summary().c_str());
  }
  if (!a.json.empty() && !write_figures(a.json, figures_of(all, reports)))
    return std::fprintf(stderr, "nacre_crash_test: cannot write %s\n", a.json.c_str()), 2;
  return violations == 0 ? 0 : 1;
}

int replay(const Workload& workload, const Arguments& a, SiteTable* sites) {
  std::vector<CrashStep> steps{{*a.point, a.pick}};
  if (!parse_steps(a.nested, &steps)) return std::fprintf(stderr, "what is --nested=%s?\n", a.nested.c_str()), 2;
  const auto client = make_client(workload);
  if (client == nullptr) return 2;
  std::string trace;
  const std::string finding = Explorer(*client, a.explore, sites).replay(workload, steps, &trace);
  std::printf("%s%s\n", trace.c_str(), finding.empty() ? "no finding" : "FAILED");
  return finding.empty() ? 0 : 1;
}

// Pools are opened all day: what one gives back the next one takes, and the system need not zero it again.
void keep_memory() {
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
}

int run(int argc, char** argv) {
  Arguments a;
  if (!parse_arguments(argc, argv, &a)) return 2;
  a.explore.max_states = max_states(a);
  keep_memory();
  const std::vector<Workload> workloads = chosen_workloads(a);
  if (a.list) {
    for (const Workload& w : workloads)
      std::printf("%-8s %-40s %s\n", w.client.c_str(), w.name.c_str(), replay_line(w, {}).c_str());
    return 0;
  }
  SiteTable sites;
  for (const auto& [site, fault] : a.faults) sites.set_fault(site, fault);
  if (a.ops && a.point) return watch(a.hang_s), replay(workloads[0], a, &sites);
  return explore_all(a);
}

}  // namespace
}  // namespace nacre::crash

int main(int argc, char** argv) { return nacre::crash::run(argc, argv); }
