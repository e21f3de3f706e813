// nacre_mutation_test: breaks one step of the product at a time and sees whether the crash explorer notices.
//
//   nacre_mutation_test                          all mutants; 1 if one survives that is not listed as equivalent
//   nacre_mutation_test --only=TEXT              those whose name:operation contains TEXT
//                --workload=TEXT --states=N    with these workloads, and so many states of each
//   nacre_mutation_test --historic               the bugs of other stores only (historic.h)
//   nacre_mutation_test --list
//   nacre_mutation_test --client=C --ops=... --broken=NAME | --fault=SITE:OPERATION      one of them by hand: see the
//   line of a kill
//
//   --tier=commit|nightly   commit (default): a mutant that has no workload on file is looked for for some seconds
//   --hints=FILE --update-hints   which workload killed a mutant last time; written anew
//   --equivalents=FILE            the document that argues them
//   --jobs=N --seed=N --json=FILE
#include <unistd.h>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/crash/historic.h"
#include "tests/crash/mutation.h"

#ifndef NACRE_SOURCE_ROOT
#define NACRE_SOURCE_ROOT "."
#endif

namespace nacre::crash {
namespace {

struct Arguments {
  MutationConfig config;
  std::string only, workload, json, client, ops, store_config, broken;
  std::string hints = NACRE_SOURCE_ROOT "/tests/crash/mutants_killed_by.txt";
  std::string equivalents = NACRE_SOURCE_ROOT "/docs/CRASH.md";
  std::string historic_hints = NACRE_SOURCE_ROOT "/tests/crash/historic_killed_by.txt";
  bool list = false, update_hints = false, pairs = false, historic = false;
};

bool take(std::string_view argument, std::string_view name, std::string* value) {
  if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return false;
  *value = argument.substr(name.size() + 1);
  return true;
}

bool parse_tier(const std::string& tier, Arguments* a) {
  a->config.seconds_each = tier == "commit" ? 30 : 0;
  a->pairs = tier == "nightly";
  return tier == "commit" || tier == "nightly";
}

bool parse_argument(std::string_view argument, Arguments* a) {
  std::string v;
  if (argument == "--list") return a->list = true;
  if (argument == "--update-hints") return a->update_hints = true;
  if (argument == "--historic") return a->historic = true;
  if (take(argument, "--states", &v)) return a->config.budgets = {std::stoull(v)}, true;
  if (take(argument, "--only", &a->only) || take(argument, "--workload", &a->workload) ||
      take(argument, "--json", &a->json) || take(argument, "--hints", &a->hints) ||
      take(argument, "--equivalents", &a->equivalents) || take(argument, "--client", &a->client) ||
      take(argument, "--ops", &a->ops) || take(argument, "--config", &a->store_config) ||
      take(argument, "--broken", &a->broken))
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

void show(const Mutant& m) {
  std::printf("%-14s %-46s %5.1f s  %s\n", m.verdict(), m.id.text().c_str(), m.seconds,
              m.killed_by.empty() ? m.equivalent.c_str() : (m.killed_by + ": " + m.finding.substr(0, 60)).c_str());
  std::fflush(stdout);
}

int finish(const Score& score, const Figure& historic, const Arguments& a, double seconds) {
  const uint64_t killed = score.count("killed"), survived = score.count("SURVIVED");
  const uint64_t wrong = score.count("NOT EQUIVALENT"), equivalent = score.count("equivalent");
  const uint64_t silent = score.count("no effect"), sound = killed + survived + wrong;
  for (const Mutant& m : score.mutants)
    if (std::strcmp(m.verdict(), "SURVIVED") == 0 || std::strcmp(m.verdict(), "NOT EQUIVALENT") == 0)
      std::printf("# %s: nacre_mutation_test --only=%s\n", m.verdict(), m.id.text().c_str());
  std::printf(
      "# mutants: %llu killed, %llu survived, %llu equivalent (%llu wrongly so), %llu without effect (not counted); "
      "score %.1f %%, %.0f s\n",
      static_cast<unsigned long long>(killed), static_cast<unsigned long long>(survived),
      static_cast<unsigned long long>(equivalent + wrong), static_cast<unsigned long long>(wrong),
      static_cast<unsigned long long>(silent),
      sound == 0 ? 0.0 : 100.0 * static_cast<double>(killed + wrong) / static_cast<double>(sound), seconds);
  std::vector<Figure> figures;
  if (!a.historic) figures.push_back({"crash mutants killed", killed, survived + wrong, equivalent, "W", seconds});
  if (historic.count != 0) figures.push_back(historic);
  if (!a.json.empty() && !write_figures(a.json, figures))
    return std::fprintf(stderr, "cannot write %s\n", a.json.c_str()), 2;
  if (historic.violations != 0 || (a.historic && historic.cuts != 0)) return 1;
  return survived + wrong == 0 && killed + historic.count != 0 ? 0 : 1;
}

// The workload of a kill, with the point broken, in this very process: for a debugger.
int run_broken(const Arguments& a) {
  if (!break_point(a.broken)) return std::fprintf(stderr, "no point %s\n", a.broken.c_str()), 2;
  const Workload workload{"given", a.client, a.store_config, split(a.ops, ';'), false};
  const ClientKind* kind = find_client_kind(a.client);
  const auto client = kind ? kind->make(parse_config(a.store_config)) : nullptr;
  if (client == nullptr) return std::fprintf(stderr, "no client %s\n", a.client.c_str()), 2;
  const Report report = Explorer(*client, a.config.explore).explore(workload);
  for (const Failure& failure : report.failures)
    std::printf("# %s\n# nacre_mutation_test %s --broken=%s\n", failure.what.c_str(), failure.line.c_str(),
                a.broken.c_str());
  std::printf("# %s\n", report.summary().c_str());
  return report.violations == 0 ? 0 : 1;
}

// Those of the bugs of others are in a file of their own, so that --historic writes nothing else.
bool keep_hints(const Score& score, const Arguments& a) {
  Hints own = read_hints(a.hints), historic = read_hints(a.historic_hints);
  for (const Mutant& m : score.mutants)
    if (!m.killed_by.empty())
      (find_historic_bug(m.id.text()) ? historic : own)[m.id.text()] = {m.killed_by, m.states};
  return write_hints(a.historic_hints, historic) && (a.historic || write_hints(a.hints, own));
}

int run(int argc, char** argv) {
  Arguments a;
  (void)parse_tier("commit", &a);
  for (int i = 1; i < argc; ++i) {
    bool good = false;
    try {
      good = parse_argument(argv[i], &a);
    } catch (const std::exception&) {  // a number that is none
    }
    if (!good) return std::fprintf(stderr, "nacre_mutation_test: what is %s?\n", argv[i]), 2;
  }
  if (!a.broken.empty()) return run_broken(a);
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
