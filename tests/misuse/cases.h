// Misuses, generated from the roles of arguments; and the runner that asks of each: the status expected, the pool's
// bytes unchanged after a refusal, living handles still alive, a text for the failure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/misuse/world.h"

namespace nacre::misuse {

/// One call: the valid arguments of a function, some of them replaced.
struct Case {
  const Function* function;
  std::string what;  ///< unique within the function
  std::vector<std::pair<size_t, uint64_t>> changed;
  int expected;
};

/// Counts, prints what failed. A case is run again alone with --only=ID.
class Report {
 public:
  explicit Report(std::string only) : only_(std::move(only)) {}
  /// False if --only names another case.
  bool wants(const std::string& id) const noexcept { return only_.empty() || only_ == id; }
  /// Notes a case; `violation` is empty if it went as expected.
  void note(const std::string& id, const std::string& violation);
  uint64_t cases() const noexcept { return cases_; }
  uint64_t violations() const noexcept { return violations_; }

 private:
  std::string only_;
  uint64_t cases_ = 0, violations_ = 0;
};

/// Where pools are made, and the pool that worlds are copies of.
struct Place {
  std::string folder;
  std::string template_path;
};

/// Null pointers, dead and foreign and forged handles: for each argument of each function.
std::vector<Case> argument_cases(World& world);
/// Lengths, names, numbers, texts: what a function says about its own limits.
std::vector<Case> limit_cases();

/// What is wrong with the outcome of a call with these words; empty if nothing.
std::string judge(World& world, const Function& f, const Words& words, int status, int expected);

// The situations; each runs its cases and notes them.
void run_exports(Report& report);
void run_arguments(Report& report, const Place& place);
void run_limits(Report& report, const Place& place);
void run_read_only(Report& report, const Place& place);
void run_inside_callbacks(Report& report, const Place& place);
void run_after_fork(Report& report, const Place& place);
void run_other_pool(Report& report, const Place& place);
void run_damaged_files(Report& report, const Place& place);
void run_damaged_records(Report& report, const Place& place);

/// If a case hangs, says which and ends the program.
class Watchdog {
 public:
  explicit Watchdog(const std::string& id);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
};

}  // namespace nacre::misuse
