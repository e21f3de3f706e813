// One run of a workload under one schedule, from the same base each time: what it did, and the crash points on the way.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/crash/crash_domain.h"
#include "tests/crash/recording.h"
#include "tests/interleave/history.h"
#include "tests/interleave/scheduler.h"
#include "tests/interleave/workloads.h"

namespace nacre::interleave {

class ConcurrentRun {
 public:
  ConcurrentRun(const Workload& workload, bool persistent_caches);
  ~ConcurrentRun();

  /// Formats, prepares, closes: the base. False: see finding().
  bool prepare();
  /// Empty, or what went wrong without any crash: an answer, the structure at the end, a deadlock.
  std::string run(Policy& policy);
  const std::string& finding() const noexcept { return finding_; }

  crash::Client& client() noexcept { return *client_; }
  const crash::CrashMedium& medium() const noexcept { return medium_; }
  crash::KnownStates& known() noexcept { return known_; }
  const Scheduler& scheduler() const noexcept { return *scheduler_; }
  /// Crash points of the last run. The phase of each has the states that its history allows; none: then the history
  /// itself is wrong.
  const crash::Recording& points() const noexcept { return recording_; }
  const History& history() const noexcept { return history_; }
  /// True once the threads hang: only the end of the process helps.
  bool stuck() const noexcept { return !scheduler_->stuck().empty(); }

 private:
  bool apply_all(crash::Store& store, const std::vector<std::string>& ops);
  void work(const std::vector<std::string>& ops, uint32_t thread);
  void perform(const std::string& op);
  void next_phase();
  void allow();
  std::string judge_end();
  std::string end_of_run(crash::Allowed allowed);
  bool fail(std::string what) { return finding_ = std::move(what), false; }

  const Workload& workload_;
  std::unique_ptr<crash::Client> client_;
  crash::CrashMedium medium_;
  crash::KnownStates known_;
  crash::Recording recording_;
  std::unique_ptr<Scheduler> scheduler_;
  const crash::Known* base_state_ = nullptr;   // what the prepared pool holds
  const crash::Known* start_state_ = nullptr;  // after the setup
  crash::CrashMedium::Mark base_{};
  std::unique_ptr<crash::Store> store_;
  History history_;
  std::vector<std::vector<Operation>> histories_;  // by phase
  std::string finding_;
};

}  // namespace nacre::interleave
