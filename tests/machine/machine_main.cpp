// nacre_machine_test: what the flush layer does, seen at the processor. A parent steps its child through the calls of
// pmem/arch/flush.h and pmem/domain.h, reads every instruction, and compares the lines that are written back, or stored
// past the cache, with those that have to be, for each write-back instruction that this CPU has.
//
//   nacre_machine_test [--tier=smoke|commit|nightly] [--json=FILE] [--only=clwb|clflushopt|clflush|none] [--verbose]
//
// Ends with 77 where a process may not trace its child.
#include <cstdio>

#include "tests/machine/campaign.h"

namespace nacre::machine {
namespace {

constexpr int kSkipped = 77;

// Breakpoints are on what was stepped through. So there must not be a write-back that never was.
void check_all_code_was_seen(Totals& totals) {
  const int64_t at = unseen_code(totals.seen);
  if (at < 0) return;
  ++totals.violations;
  std::printf("VIOLATION byte %lld of the calls' code looks like a write-back or a fence and was never run\n",
              static_cast<long long>(at));
}

int run(const test::ProofArguments& arguments) {
  using pmem::FlushKind;
  test::watch_cases();
  const test::Stopwatch watch;
  Totals totals;
  std::string model;
  bool all_kinds = true;
  for (FlushKind kind : {FlushKind::none, FlushKind::clwb, FlushKind::clflushopt, FlushKind::clflush}) {
    const std::string name = pmem::flush_kind_name(kind);
    const bool chosen = name.find(arguments.only) != std::string::npos;
    all_kinds = all_kinds && chosen && pmem::flush_kind_usable(kind);
    if (!chosen) continue;
    if (!pmem::flush_kind_usable(kind)) {
      std::printf("# this CPU has no %s\n", name.c_str());
      continue;
    }
    const double before = watch.seconds();
    Campaign(arguments, kind, totals).run();
    std::printf("# %s: %.1f s\n", name.c_str(), watch.seconds() - before);
    if (kind != FlushKind::none) model += (model.empty() ? "" : "+") + name;
  }
  if (all_kinds) check_all_code_was_seen(totals);
  std::printf("# %llu instructions looked at one by one, %llu stops of the child, %llu encodings read\n",
              static_cast<unsigned long long>(totals.instructions), static_cast<unsigned long long>(totals.stops),
              static_cast<unsigned long long>(totals.forms));
  const uint64_t missed = totals.planted - totals.found;
  std::vector<test::ScoreFigure> figures = {{"flushed ranges, instruction by instruction", totals.ranges,
                                             totals.violations, totals.cuts, model.empty() ? "x86-64" : model,
                                             watch.seconds()}};
  if (totals.planted != 0)
    figures.push_back({"planted errors of the flush layer found", totals.found, missed, 0, "x86-64", watch.seconds()});
  return test::report(arguments, figures);
}

}  // namespace
}  // namespace nacre::machine

int main(int argc, char** argv) {
  const nacre::test::ProofArguments arguments = nacre::test::parse_arguments(
      argc, argv,
      "nacre_machine_test [--tier=smoke|commit|nightly] [--json=FILE] [--only=clwb|clflushopt|clflush|none] "
      "[--verbose]\n");
  try {
    return nacre::machine::run(arguments);
  } catch (const nacre::machine::MayNotTrace& reason) {
    std::printf("skipped: %s\n", reason.what());
    return nacre::machine::kSkipped;
  } catch (const std::exception& e) {
    std::printf("FAILED: %s\n", e.what());
    return 1;
  }
}
