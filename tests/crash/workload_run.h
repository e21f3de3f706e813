// One run of a workload, without crashes: the operations on the main medium, their crash points recorded with what a
// recovery from each may find.
#pragma once

#include <memory>
#include <string>

#include "tests/crash/known_states.h"

namespace nacre::crash {

class WorkloadRun {
 public:
  WorkloadRun(Client& client, const Workload& workload, KnownStates& known, Recording& recording, SiteTable* sites);
  ~WorkloadRun();

  /// Formats and opens. False if the answer was wrong: see finding().
  bool prepare();
  /// One operation of the workload, of the driver's or of the store's.
  bool step(const std::string& op);
  const std::string& finding() const noexcept { return finding_; }
  CrashMedium& medium() noexcept { return main_; }

 private:
  bool open(const char* label);
  void end_phase(const char* reason);
  bool apply(const std::string& op);
  bool reopen_cleanly();
  void kill();
  void lose_power(uint64_t seed);
  [[gnu::format(printf, 2, 3)]] bool fail(const char* format, ...);

  Client& client_;
  const Workload& workload_;
  KnownStates& known_;
  Recording& recording_;
  CrashMedium main_;
  std::unique_ptr<Store> store_;
  const Known* current_ = nullptr;  // everything acknowledged so far
  std::string finding_;
};

}  // namespace nacre::crash
