// Which schedules of a workload are run.
//
//   random       each thread has a priority, the highest that can goes on; at a few random steps the one that runs
//                becomes the lowest (PCT: Burckhardt, Kothari, Musuvathi and Nagarakatte, A Randomized Scheduler with
//                Probabilistic Guarantees of Finding Bugs, 2010)
//   systematic   all schedules with 0, then 1, then 2 preemptions (CHESS: Musuvathi and Qadeer, Iterative Context
//                Bounding for Systematic Testing of Multithreaded Programs, 2007)
//
// A thread is preempted before anything that another could notice: locks, unlocks, published stores, flushes, fences,
// begins, and loads; of the mapping only loads of words to which somebody publishes a store in this workload. Moving a
// preemption over loads of words that nobody changes makes no difference.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/crash/selection.h"
#include "tests/interleave/workloads.h"

namespace nacre::interleave {

struct ExploreConfig {
  uint32_t preemptions = 2;
  uint64_t max_schedules = 0;  ///< systematic ones; 0: all
  uint64_t random_schedules = 20;
  double seconds = 0;  ///< of one workload, then the rest is cut; 0: no limit
  uint64_t seed = 1;
  crash::SelectionLimits selection{.exhaustive = 24, .sampled = 24, .random_rows = 4, .line_subsets = 3};
};

constexpr uint32_t kMaxPreemptions = 3;

struct Tally {
  uint64_t schedules[kMaxPreemptions + 1] = {};  ///< by preemptions
  uint64_t random = 0;
  uint64_t cut_schedules = 0;  ///< known to exist and not run
  uint64_t uncrashed = 0;      ///< schedules run to their end only: the time was over before their crash states
  uint64_t late_words = 0;     ///< published words that only showed up when schedules had been chosen without them
  uint64_t points = 0, states = 0, cut_points = 0, leaked_bytes = 0;
  uint64_t violations = 0;
  double seconds = 0;
  std::string what, line;  ///< of the first violation

  uint64_t all_schedules() const noexcept;
  void add(const Tally& other);
};

/// The arguments that repeat a schedule.
std::string case_line(const Workload& workload, const std::string& schedule);

/// Stops at the first violation. `begin_case` is called with the line of each schedule. After a deadlock the process
/// has to end.
Tally explore(const Workload& workload, const ExploreConfig& config,
              const std::function<void(const std::string& line)>& begin_case);

struct ReplayRequest {
  std::string schedule, pick;
  int point = -1;                              ///< -1: all crash points
  uint64_t random_seed = 0, random_steps = 0;  ///< instead of a schedule, if there are steps
};
/// The finding, empty if there is none; `trace` says what happened.
std::string replay(const Workload& workload, const ReplayRequest& request, const ExploreConfig& config,
                   std::string* trace);

}  // namespace nacre::interleave
