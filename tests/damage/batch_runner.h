// Runs the cases of a plan in forked children, so that a case that kills or hangs its process is counted, named and
// left behind.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/damage/judge.h"
#include "tests/damage/plan.h"
#include "tests/damage/tally.h"

namespace nacre::damage {

struct Finding {
  Damage damage;
  uint32_t write = 0;
  Outcome outcome = Outcome::harmless;
  bool check_disagrees = false, odd_error = false;
};

struct BatchReport {
  Tally tally{};
  uint64_t cases = 0, violations = 0, crashes = 0, hangs = 0;
  uint64_t no_change = 0;         // damages that left the bytes as they were: no cases
  std::vector<Finding> findings;  // the first violations
};

struct BatchOptions {
  uint32_t hang_s = 10;     // a case that takes longer hangs
  uint64_t self_crash = 0;  // tests of the runner: the case of this number is SIGSEGV; 0: none
  uint64_t self_hang = 0;   // and this one never ends
  std::function<void(uint64_t done, uint64_t violations)> progress;
};

/// Judges every case of the plan. The i-th case writes as i % Judge::kWrites says.
BatchReport run_plan(Judge& judge, const Plan& plan, const BatchOptions& options);

}  // namespace nacre::damage
