// The two parts of the kill proof, and what they share.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "engine/db.h"
#include "tests/kill/ledger.h"
#include "tests/support/scorecard.h"

namespace nacre::kill_test {

/// Where a pool lies, and how it is written.
struct Place {
  const char* name;
  const char* folder;
  engine::MediumChoice medium;
  bool one_fence;
};

struct Tally {
  uint64_t rounds = 0;     ///< processes that died by SIGKILL inside their work
  uint64_t cuts = 0;       ///< moments that were not tried
  uint64_t in_flight = 0;  ///< operations that were under way: of these `kept` had happened
  uint64_t kept = 0;
  uint64_t acknowledged = 0;
  uint64_t violations = 0;
  double seconds = 0;
};

/// Prints what went wrong and how to repeat it; stops printing after some.
void violation(Tally& tally, const test::ProofArguments& arguments, const std::string& line, const std::string& what);

/// Forks; the child runs `body` and leaves without any clean-up. Children do not outlive a dead parent.
pid_t spawn(const std::function<void()>& body);
/// The wait status of a child.
int wait_for(pid_t child);

void scripted_kills(const test::ProofArguments& arguments, Tally& tally);
void random_kills(const test::ProofArguments& arguments, Tally& tally);

}  // namespace nacre::kill_test
