// The crash states of a run: made, recovered and judged as the crash explorer does, against what the history allows.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "tests/crash/oracle.h"
#include "tests/crash/seen_states.h"
#include "tests/crash/selection.h"
#include "tests/interleave/run.h"

namespace nacre::interleave {

struct CrashFinding {
  uint32_t point = 0;
  std::string pick, what;
};

class CrashChecker final : private crash::SelectionVisitor {
 public:
  /// `run` is prepared.
  CrashChecker(ConcurrentRun& run, const crash::SelectionLimits& limits, uint64_t seed);

  /// Every crash point of the last run. True if all states are right; else see finding().
  bool check();
  /// One state. Empty if it is right.
  std::string replay(uint32_t point, const std::string& pick, std::string* trace);
  const CrashFinding& finding() const noexcept { return finding_; }

  struct Counts {
    uint64_t points = 0;       ///< distinct ones
    uint64_t seen_points = 0;  ///< the same words unsettled over the same image as at an earlier one
    uint64_t states = 0;       ///< distinct images recovered
    uint64_t cut_points = 0;   ///< with more states than the limit
    uint64_t leaked_bytes = 0;
  };
  Counts counts() const noexcept {
    Counts c = counts_;
    c.leaked_bytes = oracle_.leaked_bytes();
    return c;
  }

 private:
  bool visit(const crash::Selection& selection) override;
  size_t follow(size_t from, size_t to);
  bool check_point(const crash::CrashPoint& point);
  crash::Outcome recover(const crash::Selection& selection, uint64_t hash);

  ConcurrentRun& run_;
  crash::SelectionLimits limits_;
  uint64_t seed_;
  crash::CrashMedium medium_;
  crash::Oracle oracle_;
  crash::SeenStates seen_;
  std::unordered_set<uint64_t> seen_points_;
  const crash::CrashPoint* point_ = nullptr;
  const crash::Allowed* allowed_ = nullptr;
  CrashFinding finding_;
  Counts counts_;
};

}  // namespace nacre::interleave
