// nacre_fault_sweep: each allocation and each system call in the life of a pool fails, once, or it and all after it.
// Afterwards the status is the right one, the pool holds the old or the new state, is sound, and nothing has leaked.
//
//   nacre_fault_sweep [--tier=smoke|commit|nightly] [--seed=N] [--only=TEXT] [--json=FILE] [--verbose]
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <tuple>

#include "tests/fault/environment.h"
#include "tests/fault/life.h"
#include "tests/fault/right_codes.h"
#include "tests/support/scorecard.h"

namespace nacre::fault_test {
namespace {

using engine::MediumChoice;

struct Tally {
  uint64_t count = 0, violations = 0, cuts = 0, absorbed = 0;
  double seconds = 0;
};

class Sweep {
 public:
  explicit Sweep(const test::ProofArguments& arguments) : arguments_(arguments) {}

  void all(const Scenario& scenario) {
    const std::string name = scenario.name();
    if (!arguments_.only.empty() && arguments_.only.find(name) == std::string::npos &&
        name.find(arguments_.only) == std::string::npos)
      return;
    test::begin_case(name);
    Life life(scenario);
    if (!life.rehearse()) {
      ++allocations.violations;
      return;
    }
    const test::Stopwatch watch;
    sweep_allocations(life, scenario);
    const double half = watch.seconds();
    allocations.seconds += half;
    sweep_calls(life, scenario);
    calls.seconds += watch.seconds() - half;
    if (arguments_.verbose)
      std::printf("# %s: %llu allocations, %zu calls, %.1f s\n", name.c_str(),
                  static_cast<unsigned long long>(life.allocations()), life.calls().size(), watch.seconds());
  }

  void print_outcomes() const {
    for (const auto& [row, count] : outcomes_)
      std::printf("# %6llu  %s\n", static_cast<unsigned long long>(count), row.c_str());
  }

  Tally allocations, calls;

 private:
  void sweep_allocations(Life& life, const Scenario& scenario) {
    const uint64_t stride = arguments_.pick(29, 9, 1);
    test::ProgressBar bar(scenario.name() + ", allocations", 2 * life.allocations() / stride);
    for (uint64_t k = 0; k < life.allocations(); ++k)
      for (const Mode mode : {Mode::once, Mode::sticky}) {
        one(life, scenario, {.what = What::allocation, .k = k, .mode = mode}, {}, stride, allocations);
        bar.step();
      }
  }

  void sweep_calls(Life& life, const Scenario& scenario) {
    const uint64_t stride = arguments_.pick(61, 17, 1);
    test::ProgressBar bar(scenario.name() + ", calls", life.calls().size() * 9 / stride);
    for (uint64_t k = 0; k < life.calls().size(); ++k) {
      const os::Call call = life.calls()[k];
      for (const int error : errors_of(call))
        for (const Mode mode : {Mode::once, Mode::sticky, Mode::sticky_kind}) {
          if (error == EINTR && mode != Mode::once) continue;  // for ever: no call is
          one(life, scenario, {.what = What::call, .k = k, .mode = mode, .error = error}, call, stride, calls);
          bar.step();
        }
    }
  }

  static std::string step_of(const Scenario& scenario, const Outcome& outcome) {
    return outcome.where == Outcome::Where::step ? scenario.script->steps[outcome.step].name : std::string();
  }

  void one(Life& life, const Scenario& scenario, const Fault& fault, os::Call call, uint64_t stride, Tally& tally) {
    const std::string line = scenario.name() + " " + describe(fault);
    const bool wanted = arguments_.only.empty() ? number_++ % stride == arguments_.seed % stride
                                                : line.find(arguments_.only) != std::string::npos;
    if (!wanted) {
      ++tally.cuts;
      return;
    }
    test::begin_case(line);
    ++tally.count;
    Outcome outcome;
    std::string wrong = life.run(fault, outcome);
    if (wrong.empty()) wrong = wrong_code(fault, call, outcome, step_of(scenario, outcome), scenario.medium);
    tally.absorbed += outcome.code == Code::ok;
    if (fault.what == What::call) note(fault, call, outcome);
    if (wrong.empty()) return;
    constexpr uint64_t kMostPrinted = 40;
    if (++tally.violations <= kMostPrinted)
      std::printf("VIOLATION %s\n  repeat: nacre_fault_sweep --only='%s'\n", wrong.c_str(), line.c_str());
  }

  void note(const Fault& fault, os::Call call, const Outcome& outcome) {
    if (!arguments_.verbose) return;
    const char* mode = fault.mode == Mode::once ? "once" : "sticky";
    ++outcomes_[std::string(os::call_name(call)) + " " + ::strerrorname_np(fault.error) + " " + mode + ": " +
                (outcome.code == Code::ok ? "" : std::string(name_of(outcome.where)) + " ") + code_name(outcome.code)];
  }

  const test::ProofArguments& arguments_;
  uint64_t number_ = 0;
  std::map<std::string, uint64_t> outcomes_;
};

/// A script of its own: what opening and closing take is in each of the others, too.
const test::Script& creation() {
  static const test::Script script = [] {
    test::Script s{.name = "creation", .before = {}, .steps = {}};
    s.steps.push_back({"put", [](engine::Db& db) { return db.default_table()->put("k", "v"); }});
    return s;
  }();
  return script;
}

std::vector<Scenario> scenarios() {
  std::vector<Scenario> all;
  for (const MediumChoice medium : {MediumChoice::dax, MediumChoice::msync})
    for (const bool one_fence : {true, false}) {
      all.push_back({&creation(), Start::nothing, medium, one_fence});
      for (const test::Script& script : test::scripts())
        for (const Start start : {Start::clean, Start::dirty}) {
          all.push_back({&script, start, medium, one_fence});
          if (!script.changes) all.push_back({&script, start, medium, one_fence, true});
        }
    }
  return all;
}

Tally environments(const test::ProofArguments& arguments) {
  Tally tally;
  const test::Stopwatch watch;
  const EnvironmentResult result = run_environments(
      arguments.tier != test::ProofArguments::Tier::smoke, [&](const std::string& name, const std::string& wrong) {
        ++tally.violations;
        std::printf("VIOLATION %s: %s\n  repeat: nacre_fault_sweep --tier=commit --only=environment\n", name.c_str(),
                    wrong.c_str());
      });
  tally.count = result.cases;
  tally.cuts = result.skipped;
  tally.seconds = watch.seconds();
  return tally;
}

int run(const test::ProofArguments& arguments) {
  test::watch_cases();
  Sweep sweep(arguments);
  for (const Scenario& scenario : scenarios()) sweep.all(scenario);
  if (arguments.verbose) sweep.print_outcomes();
  std::vector<test::ScoreFigure> figures;
  const bool with_environments = arguments.only.empty() || arguments.only.starts_with("environment");
  const Tally refused = with_environments ? environments(arguments) : Tally();
  const auto add = [&](const char* name, const Tally& t) {
    std::printf("# %s: %llu of %llu made no difference to the caller\n", name,
                static_cast<unsigned long long>(t.absorbed), static_cast<unsigned long long>(t.count));
    if (t.count + t.violations != 0 || arguments.only.empty())
      figures.push_back({name, t.count, t.violations, t.cuts, "once and sticky, in the life of a pool", t.seconds});
  };
  add("failed allocations", sweep.allocations);
  add("failed system calls", sweep.calls);
  if (with_environments)
    figures.push_back({"environments that refuse", refused.count, refused.violations, refused.cuts,
                       "limits, read-only, signals, short reads", refused.seconds});
  return test::report(arguments, figures);
}

}  // namespace
}  // namespace nacre::fault_test

int main(int argc, char** argv) {
  return nacre::fault_test::run(nacre::test::parse_arguments(
      argc, argv,
      "nacre_fault_sweep [--tier=smoke|commit|nightly] [--seed=N] [--only=TEXT] [--json=FILE] [--verbose]\n"));
}
