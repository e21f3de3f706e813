// What the tiers of the scorecard explore, and the figures that they write.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/crash/campaign.h"
#include "tests/crash/report.h"

namespace nacre::crash {

/// First all sequences of an alphabet, with nothing left out at any of their crash points (nightly: of two operations,
/// then of three); then the directed and the random runs, within a budget; then the sequences again in model E.
/// `explore` has the settings that the tier does not fix; its max_states, if not 0, replaces the budget.
std::vector<Campaign> tier_campaigns(std::string_view tier, const std::vector<Workload>& workloads,
                                     const ExploreConfig& explore, const std::string& failure_tail);

/// `explore` in another model.
ExploreConfig with_model(ExploreConfig explore, CrashModel model);

/// Of campaigns and their reports, in the same order.
std::vector<Figure> figures_of(const std::vector<Campaign>& campaigns, const std::vector<Report>& reports);

}  // namespace nacre::crash
