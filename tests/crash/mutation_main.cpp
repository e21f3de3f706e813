// nacre_mutation_test: breaks one step of the product at a time and sees whether the crash explorer notices.
//
//   nacre_mutation_test                          all mutants; 1 if one survives that is not listed as equivalent
//   nacre_mutation_test --only=TEXT              those whose name:operation contains TEXT
//                --workload=TEXT --states=N --nested=K    with these workloads, so many states of each, and
//                the crashes of one recovery in K
//   nacre_mutation_test --historic               the bugs of other stores only (historic.h)
//   nacre_mutation_test --list
//   nacre_mutation_test --sound                  the workloads with nothing broken: none may find anything
//   nacre_mutation_test --client=C --ops=... --broken=NAME | --fault=SITE:OPERATION      one of them by hand: see the
//   line of a kill
//
//   --tier=commit|nightly   commit (default): a mutant that has no workload on file is looked for for some seconds
//   --doubt                         also look for what kills mutants that are said to be equivalent (nightly: always)
//   --hints=FILE --update-hints   which workload killed a mutant last time; written anew
//   --equivalents=FILE            the document that argues them
//   --jobs=N --seed=N --json=FILE
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "tests/crash/historic.h"
#include "tests/crash/mutation.h"

#ifndef NACRE_SOURCE_ROOT
#define NACRE_SOURCE_ROOT "."
#endif

namespace nacre::crash {
namespace {

struct Arguments {
  MutationConfig config;
  std::string only, workload, json, client, ops, store_config, broken, fault;
  std::string hints = NACRE_SOURCE_ROOT "/tests/crash/mutants_killed_by.txt";
  std::string equivalents = NACRE_SOURCE_ROOT "/docs/CRASH.md";
  std::string historic_hints = NACRE_SOURCE_ROOT "/tests/crash/historic_killed_by.txt";
  bool list = false, update_hints = false, pairs = false, sound = false, historic = false;
};

bool take(std::string_view argument, std::string_view name, std::string* value) {
  if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return false;
  *value = argument.substr(name.size() + 1);
  return true;
}

bool parse_tier(const std::string& tier, Arguments* a) {
  a->config.seconds_each = tier == "commit" ? 30 : 0;
  a->pairs = a->config.doubt = tier == "nightly";
  return tier == "commit" || tier == "nightly";
}

bool parse_argument(std::string_view argument, Arguments* a) {
  std::string v;
  if (argument == "--list") return a->list = true;
  if (argument == "--update-hints") return a->update_hints = true;
  if (argument == "--historic") return a->historic = true;
  if (argument == "--doubt") return a->config.doubt = true;
  if (argument == "--sound") return a->sound = true;
  if (take(argument, "--states", &v)) return a->config.efforts = {{.states = std::stoull(v)}}, true;
  if (take(argument, "--nested", &v))
    return a->config.efforts.back().nested_every = static_cast<uint32_t>(std::stoul(v)), true;
  if (take(argument, "--only", &a->only) || take(argument, "--workload", &a->workload) ||
      take(argument, "--json", &a->json) || take(argument, "--hints", &a->hints) ||
      take(argument, "--equivalents", &a->equivalents) || take(argument, "--client", &a->client) ||
      take(argument, "--ops", &a->ops) || take(argument, "--config", &a->store_config) ||
      take(argument, "--broken", &a->broken) || take(argument, "--fault", &a->fault))
    return true;
  if (take(argument, "--tier", &v)) return parse_tier(v, a);
  if (take(argument, "--jobs", &v)) return a->config.jobs = static_cast<uint32_t>(std::stoul(v)), true;
  if (take(argument, "--seed", &v)) return a->config.explore.seed = std::stoull(v), true;
  if (take(argument, "--seconds-each", &v)) return a->config.seconds_each = std::stod(v), true;
  return false;
}

// All pairs of an alphabet are many and alike: only for the nightly tier.
std::vector<Workload> chosen_workloads(const Arguments& a) {
  std::vector<Workload> chosen, all = historic_workloads();
  for (const ClientKind& kind : client_kinds())
    if (kind.name != "toy")
      for (Workload& workload : kind.workloads()) all.push_back(std::move(workload));
  for (Workload& workload : all)
    if ((a.pairs || !workload.is_sequence) &&
        (workload.client + " " + workload.name).find(a.workload) != std::string::npos)
      chosen.push_back(std::move(workload));
  return chosen;
}

std::vector<MutantId> chosen_mutants(const Arguments& a) {
  std::vector<MutantId> chosen;
  for (MutantId& id : product_mutants())
    if (id.text().find(a.only) != std::string::npos && (!a.historic || find_historic_bug(id.text())))
      chosen.push_back(std::move(id));
  return chosen;
}

unsigned long long ull(uint64_t v) { return v; }

void show(const Mutant& m) {
  std::printf("%-14s %-46s %5.1f s  %s\n", m.verdict(), m.id.text().c_str(), m.seconds,
              m.killed_by.empty() ? m.equivalent.c_str() : (m.killed_by + ": " + m.finding.substr(0, 60)).c_str());
  std::fflush(stdout);
}

// What nothing noticed, what makes no difference anywhere, and what was proved equivalent and is not, are all gaps.
int finish(const Score& score, const Figure& historic, const Arguments& a, double seconds) {
  const uint64_t all = score.mutants.size(), killed = score.count("killed"), survived = score.count("SURVIVED");
  const uint64_t wrong = score.count("NOT EQUIVALENT"), equivalent = score.count("equivalent");
  const uint64_t silent = score.count("no effect"), gaps = survived + silent + wrong;
  for (const Mutant& m : score.mutants)
    if (std::strcmp(m.verdict(), "killed") != 0 && std::strcmp(m.verdict(), "equivalent") != 0)
      std::printf("# %s: nacre_mutation_test --only=%s\n", m.verdict(), m.id.text().c_str());
  const uint64_t sound = all - equivalent;
  std::printf(
      "# mutants: %llu, %llu killed, %llu equivalent (argued in docs/CRASH.md), %llu survivors, %llu without effect, "
      "%llu wrongly called equivalent; score %.1f %%, %.0f s\n",
      ull(all), ull(killed), ull(equivalent), ull(survived), ull(silent), ull(wrong),
      sound == 0 ? 0.0 : 100.0 * static_cast<double>(killed) / static_cast<double>(sound), seconds);
  std::vector<Figure> figures;
  if (!a.historic) figures.push_back({"crash mutants killed", killed, gaps, equivalent, "W", seconds});
  if (historic.count != 0) figures.push_back(historic);
  if (!a.json.empty() && !write_figures(a.json, figures))
    return std::fprintf(stderr, "cannot write %s\n", a.json.c_str()), 2;
  if (historic.violations != 0 || (a.historic && historic.cuts != 0)) return 1;
  return gaps == 0 && all + historic.count != 0 ? 0 : 1;
}

// The workload of a kill, with the point or the site broken, in this very process: for a debugger.
int run_broken(const Arguments& a) {
  const bool is_point = !a.broken.empty();
  const size_t colon = a.fault.find(':');
  const MutantId id{is_point ? a.broken : a.fault.substr(0, colon), is_point ? "broken"
                                                                    : colon == std::string::npos
                                                                        ? "off"
                                                                        : a.fault.substr(colon + 1)};
  SiteTable sites;
  if (!apply_mutant(id, &sites)) return std::fprintf(stderr, "no mutant %s\n", id.text().c_str()), 2;
  const Workload workload{"given", a.client, a.store_config, split(a.ops, ';'), false};
  const ClientKind* kind = find_client_kind(a.client);
  const auto client = kind ? kind->make(parse_config(a.store_config)) : nullptr;
  if (client == nullptr) return std::fprintf(stderr, "no client %s\n", a.client.c_str()), 2;
  const ExploreConfig config = with_effort(a.config.explore, a.config.efforts.back());
  const Report report = Explorer(*client, config, &sites).explore(workload);
  for (const Failure& failure : report.failures)
    std::printf("# %s\n# nacre_mutation_test %s --%s\n", failure.what.c_str(), failure.line.c_str(),
                (is_point ? "broken=" + a.broken : "fault=" + id.text()).c_str());
  std::printf("# %s\n", report.summary().c_str());
  return report.violations == 0 ? 0 : 1;
}

int run_sound(const Arguments& a) {
  uint64_t wrong = 0;
  for (const Workload& workload : chosen_workloads(a)) {
    const ExploreConfig config = with_effort(a.config.explore, a.config.efforts.front());
    const auto client = find_client_kind(workload.client)->make(parse_config(workload.config));
    const Report report = Explorer(*client, config).explore(workload);
    wrong += report.violations != 0;
    std::printf("%-6s %s %s\n", report.violations == 0 ? "sound" : "WRONG", workload.client.c_str(),
                workload.name.c_str());
    for (const Failure& failure : report.failures)
      std::printf("# %s\n# nacre_crash_test %s\n", failure.what.c_str(), failure.line.c_str());
  }
  return wrong == 0 ? 0 : 1;
}

// Those of the bugs of others are in a file of their own, so that --historic writes nothing else.
bool keep_hints(const Score& score, const Arguments& a) {
  Hints own = read_hints(a.hints), historic = read_hints(a.historic_hints);
  for (const Mutant& m : score.mutants)
    if (!m.killed_by.empty())
      (find_historic_bug(m.id.text()) ? historic : own)[m.id.text()] = {m.killed_by, m.effort};
  return write_hints(a.historic_hints, historic) && (a.historic || write_hints(a.hints, own));
}

int run(int argc, char** argv) {
  Arguments a;
  (void)parse_tier("commit", &a);
  a.config.jobs = std::max(std::thread::hardware_concurrency(), 1u);
  for (int i = 1; i < argc; ++i) {
    bool good = false;
    try {
      good = parse_argument(argv[i], &a);
    } catch (const std::exception&) {  // a number that is none
    }
    if (!good) return std::fprintf(stderr, "nacre_mutation_test: what is %s?\n", argv[i]), 2;
  }
  if (!a.broken.empty() || !a.fault.empty()) return run_broken(a);
  if (a.sound) return run_sound(a);
  const std::vector<MutantId> mutants = chosen_mutants(a);
  if (a.list) {
    for (const MutantId& id : mutants) std::printf("%s\n", id.text().c_str());
    return 0;
  }
  a.config.hints = read_hints(a.historic_hints);
  a.config.hints.merge(read_hints(a.hints));
  a.config.equivalents = read_equivalents(a.equivalents);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Workload> workloads = chosen_workloads(a);
  Score score = score_mutants(workloads, mutants, a.config, show);
  if (a.update_hints && !keep_hints(score, a)) return std::fprintf(stderr, "cannot write the hints\n"), 2;
  const Figure historic = report_historic_bugs(&score, workloads, a.config.explore);
  return finish(score, historic, a, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

}  // namespace
}  // namespace nacre::crash

int main(int argc, char** argv) { return nacre::crash::run(argc, argv); }
