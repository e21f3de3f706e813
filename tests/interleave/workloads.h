// Small histories at the edges where threads meet.
//
// Operations are those of the crash explorer's client "db", and get:<table>:<key>.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nacre::interleave {

struct Workload {
  std::string name;
  std::string config;                             ///< of the client
  std::vector<std::string> prepare;               ///< then the pool is closed: the base of all runs
  std::vector<std::string> setup;                 ///< after each open, by one thread: what is only in memory
  std::vector<std::vector<std::string>> threads;  ///< what each thread does
};

/// The name of one that the command line spells out.
inline constexpr const char* kGiven = "given";
/// Which arguments name it.
std::string arguments_of(const Workload& workload);

const std::vector<Workload>& workloads();
const Workload* find_workload(std::string_view name);

}  // namespace nacre::interleave
