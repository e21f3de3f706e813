// Runs a workload, makes every crash state of every crash point (within limits that are counted), recovers
// each, and asks the oracle.
//
//   crash points   before each fence takes effect, and at the return of each operation, format and open
//   states         the selections of selection.h over the words that are unsettled there, by power loss; and
//                  the death of the process alone, followed by a power loss during or after recovery
//   oracle         open -> check -> contents are an allowed model state -> one more operation -> check ->
//                  close (or kill) -> open -> check
//   allowed        all acknowledged operations, and the one in flight wholly or not at all
//   nested         the crash points of the recovery and of the operation after it are explored in turn
//
// A state is known by the hash of its image before the image is made; one that was seen before is judged by
// what it recovered to then.
//
// A failure is a list of steps, one for each crash, and is written as one line that replays it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/crash/client.h"
#include "tests/crash/replay_text.h"
#include "tests/crash/report.h"
#include "tests/crash/selection.h"
#include "tests/crash/site_table.h"

namespace nacre::crash {

struct ExploreConfig {
  uint64_t max_states = 0;  ///< 0: no limit. Shared out evenly over the points still to come
  uint64_t seed = 1;
  SelectionLimits limits;
  SelectionLimits nested_limits{.exhaustive = 256, .sampled = 256, .random_rows = 8, .line_subsets = 5};
  uint32_t depth = 2;         ///< crashes in a row; 1: no nested exploration
  uint32_t nested_every = 4;  ///< recoveries that are explored in turn: one in so many, chosen by hash
  bool kills = true;          ///< also the death of the process alone (its recovery is always explored)
  uint32_t max_failures = 3;  ///< of one workload, then it stops
  bool shrink = true;
};

/// Called now and then while exploring, with the report so far.
using ProgressFn = void (*)(const Workload& workload, const Report& so_far);

class Explorer {
 public:
  Explorer(Client& client, const ExploreConfig& config, SiteTable* sites = nullptr);
  ~Explorer();
  void set_progress(ProgressFn progress);

  Report explore(const Workload& workload);

  /// Runs only the crash that `steps` names. The text is the finding, empty if there is none; `trace` gets
  /// what happened: the fences, the words chosen, what each recovery found.
  std::string replay(const Workload& workload, const std::vector<CrashStep>& steps, std::string* trace);

 private:
  class Run;
  Client& client_;
  ExploreConfig config_;
  SiteTable* sites_;
  ProgressFn progress_ = nullptr;
};

/// The line of the state being checked right now, for signal handlers; empty when idle. And a number that
/// grows with each state, for a watchdog.
std::string current_case();
uint64_t current_case_number();

}  // namespace nacre::crash
