#include "tests/crash/mutation.h"

namespace nacre::crash {
namespace {

Report run(const Workload& workload, const ExploreConfig& config, SiteTable* sites) {
  const ClientKind* kind = find_client_kind(workload.client);
  const std::unique_ptr<Client> client = kind->make(parse_config(workload.config));
  return Explorer(*client, config, sites).explore(workload);
}

Mutant judge(const SiteInfo& site, SiteFault fault, const std::vector<Workload>& workloads,
             const ExploreConfig& config, const std::vector<std::vector<std::string>>& sites_of_workload) {
  Mutant mutant{.site = site.name, .fault = fault, .killed_by = {}, .finding = {}, .line = {}};
  for (size_t i = 0; i < workloads.size(); ++i) {
    bool hit = false;
    for (const std::string& name : sites_of_workload[i]) hit |= name == site.name;
    if (!hit) continue;
    SiteTable sites;
    sites.set_fault(site.name, fault);
    const Report report = run(workloads[i], config, &sites);
    mutant.effects += sites.named(site.name).effect_count;
    if (report.violations == 0) continue;
    mutant.killed_by = workloads[i].name;
    mutant.finding = report.failures[0].what;
    mutant.line = report.failures[0].line;
    break;
  }
  return mutant;
}

}  // namespace

Score score_mutants(const std::vector<Workload>& given, const ExploreConfig& given_config,
                    void (*progress)(const Mutant&)) {
  ExploreConfig config = given_config;
  config.shrink = false;
  config.max_failures = 1;
  Score score;
  SiteTable all;
  std::vector<Workload> workloads;
  std::vector<std::vector<std::string>> sites_of_workload;
  for (const Workload& workload : given) {
    SiteTable sites;
    const Report report = run(workload, config, &sites);
    if (report.violations != 0) {
      score.unsound.push_back({.site = {},
                               .fault = SiteFault::none,
                               .killed_by = workload.name,
                               .finding = report.failures[0].what,
                               .line = report.failures[0].line});
      continue;
    }
    workloads.push_back(workload);
    auto& names = sites_of_workload.emplace_back();
    for (const SiteInfo& site : sites.sites()) {
      names.push_back(site.name);
      all.named(site.name).is_flush = site.is_flush;
    }
  }
  const auto add = [&](const SiteInfo& site, SiteFault fault) {
    score.mutants.push_back(judge(site, fault, workloads, config, sites_of_workload));
    if (progress) progress(score.mutants.back());
  };
  for (const SiteInfo& site : all.sites()) {
    add(site, SiteFault::off);
    if (!site.is_flush) continue;
    add(site, SiteFault::short_line);
    add(site, SiteFault::early);
  }
  return score;
}

}  // namespace nacre::crash
