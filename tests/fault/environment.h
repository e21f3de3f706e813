// Systems that refuse: limits of the process, files and file systems that cannot be written, signals without end,
// random numbers byte by byte, threads that cannot start.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace nacre::fault_test {

struct EnvironmentResult {
  uint64_t cases = 0;
  uint64_t skipped = 0;  ///< not possible here
};

/// Runs all; `complain` hears the name of a case and what was wrong.
EnvironmentResult run_environments(bool thorough,
                                   const std::function<void(const std::string&, const std::string&)>& complain);

}  // namespace nacre::fault_test
