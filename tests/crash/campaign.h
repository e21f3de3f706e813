// Explores many workloads in several processes, and prints TAP.
#pragma once

#include <sys/types.h>
#include <functional>
#include <string>
#include <vector>

#include "tests/crash/explorer.h"

namespace nacre::crash {

struct Campaign {
  std::string label;  ///< put before the names of the workloads; may be empty
  std::vector<Workload> workloads;
  ExploreConfig explore;         ///< max_states is for all workloads together
  std::string failure_tail;      ///< added to the line that replays a failure
  uint32_t sequence_length = 0;  ///< the workloads are all sequences of so many operations; 0: they are not
};

/// Runs campaigns one after the other, each workload in one of `jobs` processes. With a budget of states each process
/// has its own workloads, and without one the next that is left: either way what is explored depends on the number of
/// processes only. The first test number is 1, the plan
/// is printed at once.
class CampaignRunner {
 public:
  using SetUp = std::function<void(SiteTable&)>;  ///< called in each process

  CampaignRunner(uint32_t jobs, SetUp set_up) : jobs_(jobs), set_up_(std::move(set_up)) {}
  void plan(size_t tests);
  /// A workload that kills its process is a violation.
  Report run(const Campaign& campaign);

 private:
  struct Child {
    pid_t process;
    int reading;
    std::string pending;  // of a line that is not complete
    size_t workload;      // what it is at; none: count of workloads
  };
  std::vector<Child> start(const Campaign& campaign);
  [[noreturn]] void work(const Campaign& campaign, uint32_t job, int writing);
  void take_lines(const Campaign& campaign, Child& child, Report* total);
  void take_line(const Campaign& campaign, Child& child, const std::string& line, Report* total);
  void end(const Campaign& campaign, Child& child, Report* total);
  void print_result(const Campaign& campaign, const std::string& name, const Report& report);
  void show_progress(const Campaign& campaign, const Report& total) const;

  uint32_t jobs_;
  SetUp set_up_;
  size_t printed_ = 0;
  uint64_t states_ = 0;  // checked in all that was printed
};

}  // namespace nacre::crash
