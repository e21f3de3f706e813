#include "tests/crash/tiers.h"

#include <algorithm>

#include "tests/crash/sequences.h"

namespace nacre::crash {
namespace {

constexpr uint64_t kCommitStates = 1'500'000;  // of directed and random runs; the sequences have two million
constexpr uint64_t kNightlyStates = 200'000'000;
constexpr uint64_t kAllClasses = 1 << 20;  // more than any point of a sequence has

// Few are tried one by one, for to know about all of them by class takes fewer.
ExploreConfig for_sequences(ExploreConfig explore, uint64_t one_by_one, uint32_t nested_every,
                            uint64_t nested_classes) {
  explore.max_states = 0;
  explore.limits.exhaustive = one_by_one;
  explore.limits.classes = kAllClasses;
  explore.nested_limits = {
      .exhaustive = 16, .classes = nested_classes, .sampled = 16, .random_rows = 2, .line_subsets = 1};
  explore.nested_every = nested_every;
  explore.kills = false;  // the directed and random runs have them, and the sequences with !kill
  return explore;
}

ExploreConfig for_model_e(ExploreConfig explore) {
  explore.max_states = 0;
  explore.depth = 1;
  explore.limits.sampled = kAllClasses;  // of one prefix after the other
  return with_model(explore, CrashModel::E);
}

}  // namespace

ExploreConfig with_model(ExploreConfig explore, CrashModel model) {
  explore.limits.model = explore.nested_limits.model = model;
  if (model != CrashModel::W) explore.kills = false;  // the caches of a process that dies alone are those of model W
  return explore;
}

std::vector<Campaign> tier_campaigns(std::string_view tier, const std::vector<Workload>& workloads,
                                     const ExploreConfig& explore, const std::string& failure_tail) {
  std::vector<Workload> pairs, others;
  for (const Workload& workload : workloads)
    if (workload.client != "toy") (workload.is_sequence ? pairs : others).push_back(workload);
  const bool nightly = tier == "nightly";
  const std::vector<Workload> triples = nightly ? sequences_of_three(pairs) : std::vector<Workload>();
  ExploreConfig budgeted = explore;
  if (budgeted.max_states == 0) budgeted.max_states = nightly ? kNightlyStates : kCommitStates;
  std::vector<Campaign> all{
      {"W: ", pairs, for_sequences(explore, nightly ? 4096 : 64, nightly ? 16 : 256, nightly ? kAllClasses : 64),
       failure_tail, 2},
      {"W: ", triples, for_sequences(explore, 64, 1024, 64), failure_tail, 3},
      {"W: ", others, budgeted, failure_tail, 0},
      {"E: ", pairs, for_model_e(explore), failure_tail, 2},
      {"E: ", triples, for_model_e(explore), failure_tail, 3},
  };
  std::erase_if(all, [](const Campaign& campaign) { return campaign.workloads.empty(); });
  return all;
}

std::vector<Figure> figures_of(const std::vector<Campaign>& campaigns, const std::vector<Report>& reports) {
  std::vector<Figure> figures;
  Report total;
  for (size_t i = 0; i < campaigns.size(); ++i) {
    const Report& r = reports[i];
    total.add(r);
    if (const uint32_t n = campaigns[i].sequence_length; n != 0)
      figures.push_back({"all sequences of " + std::to_string(n) + " operations", r.workloads, r.violations,
                         r.cut_points + r.starved_points, model_name(campaigns[i].explore.limits.model), r.seconds});
  }
  const auto model_of = [](const Campaign& campaign) { return model_name(campaign.explore.limits.model); };
  std::string models = model_of(campaigns.front());
  if (models != model_of(campaigns.back())) models += std::string(", ") + model_of(campaigns.back());
  const auto add = [&](const char* figure, uint64_t count, uint64_t violations, uint64_t cuts) {
    figures.push_back({figure, count, violations, cuts, models, total.seconds});
  };
  add("crash states", total.checked_states(), total.violations, total.cut_points);
  add("crash states, checked without a twin", total.checked_states() - total.twin_states, total.violations,
      total.cut_points);
  add("nested crash states", total.nested_states, total.violations, total.nested_cut_points);
  add("leaked bytes over all crash states", total.checked_states(), total.leaked_bytes, 0);
  return figures;
}

}  // namespace nacre::crash
