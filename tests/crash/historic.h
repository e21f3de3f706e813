// Bugs that were published of other stores for persistent memory, as mutants of this one (docs/proofs/historic.md):
// does the explorer find what others shipped, and after how many states?
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/crash/mutation.h"
#include "tests/crash/report.h"

namespace nacre::crash {

struct HistoricBug {
  const char* mutant;  ///< "name:operation"
  const char* source;  ///< where it was published
};
/// Those of the historic_mutants.h files, and those that an ordinary mutant already is.
std::span<const HistoricBug> historic_bugs() noexcept;
const HistoricBug* find_historic_bug(const std::string& mutant) noexcept;

/// Runs in which such a bug shows and which the clients' own lists do not have.
std::vector<Workload> historic_workloads();

/// Prints what became of each of these bugs that is in `score`, with the number of states that the explorer checked
/// until it found it, and takes the mutants made for them out of `score`. The figure for the scorecard; count 0: none
/// was tried.
Figure report_historic_bugs(Score* score, std::span<const Workload> workloads, const ExploreConfig& config);

}  // namespace nacre::crash
