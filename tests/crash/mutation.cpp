#include "tests/crash/mutation.h"

#include <poll.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>

#include "tests/crash/subprocess.h"

namespace nacre::crash {
namespace {

// Seconds of the processor after which a run hangs: thousands of states are explored in one.
constexpr unsigned kHangSeconds = 5;
constexpr uint64_t kStatesPerHangSecond = 500;
constexpr uint64_t kProfileStates = 60;
constexpr char kField = '\x1f';

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string full_name(const Workload& workload) { return workload.client + " " + workload.name; }

// ---- one run of one workload

struct RunResult {
  uint64_t effects = 0;
  std::string finding, line;
};

RunResult run_here(const Workload& workload, const MutantId& id, const ExploreConfig& config) {
  SiteTable sites;
  if (!apply_mutant(id, &sites)) return {0, "no such mutant: " + id.text(), {}};
  const ClientKind* kind = find_client_kind(workload.client);
  const std::unique_ptr<Client> client = kind->make(parse_config(workload.config));
  const Report report = Explorer(*client, config, &sites).explore(workload);
  RunResult result;
  if (id.operation != "broken" && !id.name.empty()) result.effects = sites.named(id.name).effect_count;
  for (const auto& [name, hits] : point_hits())
    if (name == id.name) result.effects = hits;
  if (report.violations != 0) result.finding = report.failures[0].what, result.line = report.failures[0].line;
  return result;
}

RunResult run(const Workload& workload, const MutantId& id, const ExploreConfig& config) {
  Subprocess process(
      [&] {
        std::signal(SIGALRM, SIG_DFL);
        std::signal(SIGSEGV, SIG_DFL), std::signal(SIGABRT, SIG_DFL), std::signal(SIGBUS, SIG_DFL);
        const RunResult r = run_here(workload, id, config);
        return std::to_string(r.effects) + kField + r.line + kField + r.finding;
      },
      static_cast<unsigned>(kHangSeconds + config.max_states / kStatesPerHangSecond));
  const Answer answer = process.wait();
  if (answer.signal == SIGALRM || answer.signal == SIGXCPU || answer.signal == SIGKILL)
    return {1, "the program hangs", replay_line(workload, {})};
  if (answer.signal != 0)
    return {1, std::string("the program dies: ") + strsignal(answer.signal), replay_line(workload, {})};
  const size_t first = answer.text.find(kField), second = answer.text.find(kField, first + 1);
  if (second == std::string::npos) return {1, "the program ends early", replay_line(workload, {})};
  return {std::stoull(answer.text), answer.text.substr(second + 1), answer.text.substr(first + 1, second - first - 1)};
}

// ---- what a workload passes, and what it costs

struct Profile {
  std::map<std::string, uint64_t, std::less<>> hits;  // of sites and points
  double seconds = 0;
};

std::string profile_here(const Workload& workload, const ExploreConfig& config) {
  SiteTable sites;
  const ClientKind* kind = find_client_kind(workload.client);
  const std::unique_ptr<Client> client = kind->make(parse_config(workload.config));
  (void)Explorer(*client, config, &sites).explore(workload);
  std::string text;
  const auto add = [&](std::string_view name, uint64_t hits) {
    if (hits != 0) text += std::string(name) + kField + std::to_string(hits) + kField;
  };
  for (const SiteInfo& site : sites.sites()) add(site.name, site.hit_count);
  for (const auto& [name, hits] : point_hits()) add(name, hits);
  return text;
}

Profile profile(const Workload& workload, ExploreConfig config) {
  config.max_states = kProfileStates;
  const auto start = Clock::now();
  Subprocess process([&] { return profile_here(workload, config); }, kHangSeconds);
  Profile result;
  const std::vector<std::string> parts = split(process.wait().text, kField);
  for (size_t i = 0; i + 1 < parts.size(); i += 2) result.hits[parts[i]] = std::stoull(parts[i + 1]);
  result.seconds = since(start);
  return result;
}

// ---- judging one mutant

class Judge {
 public:
  Judge(const std::vector<Workload>& workloads, const MutationConfig& config) : workloads_(workloads), config_(config) {
    explore_ = config.explore;
    explore_.shrink = false;
    explore_.max_failures = 1;
  }

  /// Known before the processes that judge are started, so that each of them need not find it out.
  void profile_all() {
    for (const Workload& workload : workloads_) profiles_.push_back(profile(workload, explore_));
  }

  Mutant judge(const MutantId& id) {
    Mutant mutant{.id = id};
    start_ = Clock::now();
    if (const auto known = config_.equivalents.find(id.text()); known != config_.equivalents.end())
      mutant.equivalent = known->second;
    try_hint(&mutant);
    if (mutant.killed_by.empty() && (mutant.equivalent.empty() || config_.doubt))
      for (const Effort& effort : config_.efforts) try_all(&mutant, effort);
    mutant.seconds = since(start_);
    return mutant;
  }

 private:
  void try_hint(Mutant* mutant) {
    const auto hint = config_.hints.find(mutant->id.text());
    if (hint == config_.hints.end()) return;
    for (const Workload& workload : workloads_)
      if (full_name(workload) == hint->second.workload) try_one(mutant, workload, hint->second.effort);
    mutant->from_hint = !mutant->killed_by.empty();
  }

  // How likely a workload is to notice, for what it costs: the site's share of all that it passes. What only happens
  // in a format or a first open is noticed where these are explored.
  double promise(size_t i, const std::string& name) const {
    const auto hits = profiles_[i].hits.find(name);
    if (hits == profiles_[i].hits.end()) return 0;
    uint64_t all = 0;
    for (const auto& [site, count] : profiles_[i].hits) all += count;
    const bool early = name.find(".format.") != std::string::npos || name.find(".open.") != std::string::npos;
    const double share = static_cast<double>(hits->second) / static_cast<double>(all);
    return (early && workloads_[i].explore_format ? 1000 : 1) * share / profiles_[i].seconds;
  }

  // Those that pass the site, the most promising first.
  void try_all(Mutant* mutant, const Effort& effort) {
    if (profiles_.empty()) profile_all();
    std::vector<std::pair<double, size_t>> order;
    for (size_t i = 0; i < workloads_.size(); ++i)
      if (const double p = promise(i, mutant->id.name); p > 0) order.emplace_back(-p, i);
    std::sort(order.begin(), order.end());
    for (const auto& [negative_promise, i] : order) {
      if (!mutant->killed_by.empty()) return;
      if (config_.seconds_each != 0 && since(start_) > config_.seconds_each) return;
      try_one(mutant, workloads_[i], effort);
    }
  }

  void try_one(Mutant* mutant, const Workload& workload, const Effort& effort) {
    const ExploreConfig config = with_effort(explore_, effort);
    const RunResult result = run(workload, mutant->id, config);
    mutant->effects += result.effects;
    if (result.finding.empty()) return;
    if (!run(workload, {}, config).finding.empty()) return;  // it fails when nothing is broken: see score_mutants
    mutant->killed_by = full_name(workload);
    mutant->effort = effort;
    mutant->finding = result.finding;
    mutant->line = result.line;
  }

  const std::vector<Workload>& workloads_;
  const MutationConfig& config_;
  ExploreConfig explore_;
  std::vector<Profile> profiles_;
  Clock::time_point start_;
};

std::string effort_text(const Effort& effort) {
  return std::to_string(effort.states) + "/" + std::to_string(effort.nested_every);
}

Effort parse_effort(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return {.states = std::stoull(text)};
  return {std::stoull(text), static_cast<uint32_t>(std::stoul(text.substr(slash + 1)))};
}

std::string packed(const Mutant& m) {
  return join({m.id.name, m.id.operation, std::to_string(m.effects), effort_text(m.effort), std::to_string(m.seconds),
               m.from_hint ? "1" : "0", m.killed_by + " ", m.equivalent + " ", m.line + " ", m.finding + " "},
              kField);
}

Mutant unpacked(const Answer& answer, const MutantId& id) {
  const std::vector<std::string> f = split(answer.text, kField);
  if (f.size() != 10) return {.id = id, .effects = 1};
  const auto text = [&](size_t i) { return f[i].substr(0, f[i].size() - 1); };
  return {.id = {f[0], f[1]},
          .effects = std::stoull(f[2]),
          .killed_by = text(6),
          .effort = parse_effort(f[3]),
          .finding = text(9),
          .line = text(8),
          .equivalent = text(7),
          .from_hint = f[5] == "1",
          .seconds = std::stod(f[4])};
}

}  // namespace

ExploreConfig with_effort(ExploreConfig config, const Effort& effort) {
  config.max_states = effort.states;
  config.nested_every = effort.nested_every;
  return config;
}

const char* Mutant::verdict() const {
  if (!killed_by.empty()) return equivalent.empty() ? "killed" : "NOT EQUIVALENT";
  if (!equivalent.empty()) return "equivalent";
  return effects == 0 ? "no effect" : "SURVIVED";
}

uint64_t Score::count(std::string_view verdict) const {
  return static_cast<uint64_t>(
      std::count_if(mutants.begin(), mutants.end(), [&](const Mutant& m) { return m.verdict() == verdict; }));
}

std::vector<MutantId> passed_mutants(const std::vector<Workload>& workloads, const ExploreConfig& config) {
  std::map<std::string, uint64_t> names;
  for (const Workload& workload : workloads)
    for (const auto& [name, hits] : profile(workload, config).hits) names[name] += hits;
  std::vector<std::string> sites;
  for (const auto& [name, hits] : names) sites.push_back(name);
  return site_mutants(sites);
}

Score score_mutants(const std::vector<Workload>& workloads, const std::vector<MutantId>& mutants,
                    const MutationConfig& config, void (*progress)(const Mutant&)) {
  Score score;
  Judge judge(workloads, config);
  const bool hints_do = std::all_of(mutants.begin(), mutants.end(), [&](const MutantId& id) {
    return config.hints.contains(id.text()) || config.equivalents.contains(id.text());
  });
  if (!hints_do) judge.profile_all();
  std::vector<std::pair<MutantId, Subprocess>> running;
  for (size_t next = 0; next < mutants.size() || !running.empty();) {
    while (next < mutants.size() && running.size() < std::max(config.jobs, 1u)) {
      const MutantId& id = mutants[next++];
      running.emplace_back(id, Subprocess([&] { return packed(judge.judge(id)); }, 0));
    }
    std::vector<pollfd> ends;
    for (const auto& [id, process] : running) ends.push_back({process.reading(), POLLIN, 0});
    poll(ends.data(), ends.size(), -1);
    std::vector<std::pair<MutantId, Subprocess>> still;
    for (size_t i = 0; i < running.size(); ++i) {
      if (ends[i].revents == 0) {
        still.push_back(std::move(running[i]));
        continue;
      }
      score.mutants.push_back(unpacked(running[i].second.wait(), running[i].first));
      if (progress) progress(score.mutants.back());
    }
    running.swap(still);
  }
  return score;
}

// ---- files: "name:operation <tab> states/nested_every <tab> client workload" a line

Hints read_hints(const std::string& path) {
  Hints hints;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> f = split(line, '\t');
    if (f.size() == 3 && line[0] != '#') hints[f[0]] = {f[2], parse_effort(f[1])};
  }
  return hints;
}

bool write_hints(const std::string& path, const Hints& hints) {
  std::ofstream file(path);
  file << "# Which workload killed a mutant last time, and with how many states (and which part of the\n"
          "# recoveries explored in turn: one in so many). nacre_mutation_test tries it first.\n"
          "# Written by nacre_mutation_test --update-hints.\n";
  for (const auto& [mutant, hint] : hints)
    file << mutant << '\t' << effort_text(hint.effort) << '\t' << hint.workload << '\n';
  return static_cast<bool>(file.flush());
}

std::map<std::string, std::string> read_equivalents(const std::string& path) {
  std::map<std::string, std::string> all;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    const size_t end = line.find("` | ", 3);
    const std::string name = end == std::string::npos ? std::string() : line.substr(3, end - 3);
    if (name.find(':') != std::string::npos && name.find(' ') == std::string::npos)
      all[name] = line.substr(end + 4, line.rfind(" |") - end - 4);
  }
  return all;
}

}  // namespace nacre::crash
