// The score of the explorer (and of the workloads): break one flush or fence site at a time and see whether
// anything notices. A survivor is a gap in the tests until a written proof says that the site is redundant.
#pragma once

#include <string>
#include <vector>

#include "tests/crash/explorer.h"

namespace nacre::crash {

struct Mutant {
  std::string site;
  SiteFault fault = SiteFault::off;
  uint64_t effects = 0;   ///< how often the fault made a difference; 0: the mutant is the sound program
  std::string killed_by;  ///< name of the workload that failed; empty: it survived
  std::string finding;    ///< what the oracle said
  std::string line;       ///< replays it, together with --fault
};

struct Score {
  std::vector<Mutant> mutants;
  std::vector<Mutant> unsound;  ///< workloads that fail when nothing is broken: they were left out
};

/// Runs `workloads` sound once to learn the sites, then each mutant until a workload fails.
/// `config.max_states` is for each workload. `progress` is called with each mutant as it is judged.
Score score_mutants(const std::vector<Workload>& workloads, const ExploreConfig& config,
                    void (*progress)(const Mutant&) = nullptr);

}  // namespace nacre::crash
