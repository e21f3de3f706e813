// All calls of the flush layer with one write-back instruction: which ranges are tried, and how.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "tests/machine/calls.h"
#include "tests/machine/judge.h"
#include "tests/machine/tracee.h"
#include "tests/support/files.h"
#include "tests/support/scorecard.h"

namespace nacre::machine {

/// With the reason: the test cannot be run here.
struct MayNotTrace : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Totals {
  uint64_t ranges = 0, violations = 0, cuts = 0;
  uint64_t forms = 0, wrong_forms = 0;
  uint64_t instructions = 0, stops = 0;
  uint64_t planted = 0, found = 0;
  SeenCode seen;  // with all kinds
};

class Campaign {
 public:
  /// As NACRE_FLUSH=`kind` chooses it. Throws MayNotTrace; std::runtime_error if something else is missing.
  Campaign(const test::ProofArguments& arguments, pmem::FlushKind kind, Totals& totals);
  void run();

 private:
  using Way = void (Tracee::*)(const Call&, Watcher&);

  void step_forms();
  void step_without_range();
  void step_ranges();
  void step_edges();
  void step_copies();
  void leap_ranges();
  void find_plants(Way way, Op last);

  std::string judge(Way way, const Call& call);  // empty: as promised
  void expect(Way way, const Call& call);
  void step(Op op, uint64_t off, uint64_t bytes) { expect(&Tracee::step, {op, off, bytes}); }
  void violation(const std::string& where, const std::string& what);
  std::string text_of(const Call& call) const;
  bool by_instruction() const noexcept { return kind_ != pmem::FlushKind::none; }
  const std::byte* source() const noexcept { return reinterpret_cast<const std::byte*>(source_.data()); }

  const test::ProofArguments& arguments_;
  const pmem::FlushKind kind_;
  Totals& totals_;
  const test::TempFolder folder_;
  const std::string source_;
  std::unique_ptr<pmem::Domain> domain_;
  std::unique_ptr<Tracee> tracee_;
};

}  // namespace nacre::machine
