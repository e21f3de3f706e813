// One life of a pool: opened, used by the steps of a script, closed, with one fault on the way; and the judgement of
// what is there afterwards.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/fault/injection.h"
#include "tests/support/files.h"
#include "tests/support/pool_script.h"

namespace nacre::fault_test {

enum class Start : uint8_t { nothing, clean, dirty };

struct Scenario {
  const test::Script* script;
  Start start;
  engine::MediumChoice medium;
  bool one_fence;
  bool read_only = false;
  std::string name() const;
};

/// Where a life ended, and how.
struct Outcome {
  enum class Where : uint8_t { open, step, close, nowhere } where = Where::nowhere;
  uint32_t step = 0;  ///< of the script, where a step failed
  Code code = Code::ok;
  bool thrown = false;  ///< bad_alloc came out of the engine
};
const char* name_of(Outcome::Where where) noexcept;

class Life {
 public:
  explicit Life(const Scenario& scenario);

  /// A life without a fault, which also counts. False, with a message, if it fails.
  bool rehearse();
  uint64_t allocations() const noexcept { return allocations_; }
  const std::vector<os::Call>& calls() const noexcept { return calls_; }

  /// Empty, or what is wrong with the pool or the process after this fault.
  std::string run(const Fault& fault, Outcome& outcome);

 private:
  struct Held;
  void restore();
  Outcome live(std::unique_ptr<engine::Db>& db);
  Status close_under_fault(std::unique_ptr<engine::Db>& db, bool& thrown);
  std::string judge_handle(const Fault& fault, const Outcome& outcome, engine::Db& db, uint32_t& at_least);
  std::string judge_file(const Fault& fault, const Outcome& outcome, uint32_t at_least);
  bool may_keep_a_tail(const Fault& fault, const test::Step& step) const;
  bool file_fits(engine::Db& db) const;
  std::string judge_unmade(const Fault& fault);
  std::string run_and_judge(const Fault& fault, Outcome& outcome);
  engine::Options options(bool create) const;

  Scenario scenario_;
  test::TempFolder folder_;
  std::string path_;
  std::string pool_bytes_;
  std::vector<test::PoolState> states_;  // before the first step, after each
  uint64_t allocations_ = 0;
  std::vector<os::Call> calls_;
};

}  // namespace nacre::fault_test
