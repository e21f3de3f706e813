// Short programs of pool operations that pass through the edges of every structure, and the contents a pool may have
// after each step. The kill proof stops them at each event, the fault sweep makes each allocation and call in them
// fail.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/db.h"

namespace nacre::test {

using Pairs = std::map<std::string, std::string>;

/// All that a user can see of a pool.
struct PoolState {
  std::map<std::string, Pairs> tables;
  std::map<uint32_t, bool> classes;  ///< unit to "retired"
  uint64_t keys() const noexcept;
  bool operator==(const PoolState&) const = default;
};

/// What is there now, read with scan; every key is also looked up by itself.
Result<PoolState> read_state(engine::Db& db);
/// The first difference in words; empty if there is none.
std::string difference(const PoolState& found, const PoolState& wanted);

/// One operation. Repeated after it failed it does what is left of it.
struct Step {
  std::string name;
  std::function<Status(engine::Db&)> run;
};

struct Script {
  std::string name;
  bool small_shape = false;  ///< of shrunk_geometry(): splits within a few puts
  bool grows = false;
  std::vector<Step> before;  ///< makes the pool that the steps begin with
  std::vector<Step> steps;
  bool changes = true;  ///< false: only reads
};

const std::vector<Script>& scripts();

/// Options with which the pool of a script is made and opened.
engine::Options script_options(const Script& script, engine::MediumChoice medium, bool one_fence);

}  // namespace nacre::test
