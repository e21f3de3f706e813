#include "tests/machine/campaign.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "pmem/media/open.h"
#include "tests/machine/forms.h"
#include "tests/support/random.h"

namespace nacre::machine {
namespace {

using pmem::FlushKind;
using Tier = test::ProofArguments::Tier;

constexpr uint64_t kFileBytes = 256 * 1024;
constexpr uint64_t kMiddleOff = kFileBytes / 2;  // begins a page
constexpr uint64_t kAlignments[] = {0, 1, 7, 8, 31, 32, 56, 63};
constexpr uint64_t kEdgeLengths[] = {0, 1, 7, 8, 9, 62, 63, 64, 65, 66, 127, 128, 129};
constexpr uint64_t kLongLengths[] = {511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 4199, 4200};
// copy_nt goes past the cache from 256 bytes on.
constexpr uint64_t kCopyLengths[] = {0,   1,   63,  64,  65,  128, 191, 192, 193, 254, 255, 256, 257,
                                     258, 303, 318, 319, 320, 321, 383, 384, 385, 447, 448, 449, 512};

// Without a write-back, long copies are one `rep movsb`, which is a step a byte.
constexpr uint64_t kLongestPlainCopyBytes = 512;

std::unique_ptr<pmem::Domain> open_forced(FlushKind kind, const std::string& path) {
  ::setenv("NACRE_FLUSH", pmem::flush_kind_name(kind), 1);
  Result<pmem::OpenedMedium> opened = pmem::open_medium(
      {.path = path.c_str(), .medium = pmem::MediumRequest::dax, .create = true, .create_bytes = kFileBytes});
  ::unsetenv("NACRE_FLUSH");
  if (!opened.has_value()) throw std::runtime_error("cannot make a file for the test");
  if (opened->domain->flush_kind() != kind) throw std::runtime_error("NACRE_FLUSH was not obeyed");
  return std::move(opened->domain);
}

/// Sees everything, judges nothing.
struct Collector final : Watcher {
  void see(const Instruction& instruction) override { seen.push_back(instruction); }
  std::vector<Instruction> seen;
};

}  // namespace

Campaign::Campaign(const test::ProofArguments& arguments, FlushKind kind, Totals& totals)
    : arguments_(arguments),
      kind_(kind),
      totals_(totals),
      source_(test::Random(arguments.seed).bytes(kFileBytes)),
      domain_(open_forced(kind, folder_ / "bytes")) {
  // Once for the dynamic linker, which binds memcpy at its first use.
  domain_->copy_nt(0, source(), 1, {"test.machine"});
  std::string why_not;
  tracee_ = Tracee::start(*domain_, source(), why_not);
  if (tracee_ == nullptr) throw MayNotTrace(why_not);
}

void Campaign::run() {
  step_forms();
  step_without_range();
  step_ranges();
  step_edges();
  step_copies();
  if (by_instruction()) {
    find_plants(&Tracee::step, kLastPlant);
    tracee_->set_breakpoints();
    find_plants(&Tracee::leap, Op::plant_fence_first);
    leap_ranges();
  }
  totals_.seen.insert(tracee_->seen().begin(), tracee_->seen().end());
  totals_.instructions += tracee_->instructions();
  totals_.stops += tracee_->stops();
}

// ---- one call

std::string Campaign::text_of(const Call& call) const {
  char text[160];
  std::snprintf(text, sizeof text, "%s: %s of %llu bytes at offset %llu", pmem::flush_kind_name(kind_),
                op_name(call.op), static_cast<unsigned long long>(call.bytes),
                static_cast<unsigned long long>(call.off));
  return text;
}

void Campaign::violation(const std::string& where, const std::string& what) {
  constexpr uint64_t kMostPrinted = 20;
  if (++totals_.violations <= kMostPrinted) std::printf("VIOLATION %s: %s\n", where.c_str(), what.c_str());
}

std::string Campaign::judge(Way way, const Call& call) {
  test::begin_case(text_of(call));
  Judge judge(call, *domain_, source());
  ((*tracee_).*way)(call, judge);
  return judge.verdict();
}

void Campaign::expect(Way way, const Call& call) {
  ++totals_.ranges;
  if (arguments_.verbose) std::printf("# %s\n", text_of(call).c_str());
  const std::string wrong = judge(way, call);
  if (!wrong.empty()) violation(text_of(call), wrong);
}

// ---- step by step

void Campaign::step_forms() {
  if (kind_ != FlushKind::none) return;  // they have nothing to do with it: once is enough
  for (uint64_t number = 0; number < forms().size(); ++number) {
    const Form& form = forms()[number];
    if (!form.usable()) continue;
    ++totals_.forms;
    Collector collector;
    tracee_->step({Op::form, kMiddleOff, number}, collector);
    const std::vector<Instruction>& seen = collector.seen;
    const bool has_address = form.kind != Kind::locked && form.kind != Kind::unknown;
    if (seen.size() == 1 && seen[0].kind == form.kind && seen[0].store_bytes == form.store_bytes &&
        (!has_address || seen[0].address == tracee_->answer()))
      continue;
    ++totals_.wrong_forms;
    violation(form.text, seen.empty()
                             ? "taken for a plain instruction"
                             : std::string("taken for ") + kind_name(seen[0].kind) + ", or of another address");
  }
}

void Campaign::step_without_range() {
  for (Op op : {Op::store_fence, Op::fence, Op::order, Op::wait}) step(op, 0, 0);
  step(Op::dirty, kMiddleOff, 200);
}

void Campaign::step_ranges() {
  const uint64_t all_up_to = arguments_.tier == Tier::smoke || !by_instruction() ? 0 : 200;
  for (uint64_t alignment : kAlignments) {
    const uint64_t off = kMiddleOff + alignment;
    for (Op op : {Op::flush_lines, Op::flush, Op::flush_fence, Op::flush_order})
      for (uint64_t bytes : kEdgeLengths) step(op, off, bytes);
    for (uint64_t bytes = 0; bytes < all_up_to; ++bytes) step(Op::flush_fence, off, bytes);
    if (alignment == 0 || alignment == 63 || all_up_to != 0)
      for (uint64_t bytes : kLongLengths) step(Op::flush_fence, off, bytes);
  }
  if (arguments_.tier != Tier::nightly) return;
  for (uint64_t bytes = 0; bytes <= kMaxCallBytes; ++bytes)
    step(Op::flush_fence, kMiddleOff + kAlignments[bytes % std::size(kAlignments)], bytes);
}

// Across the edge of a page, and at both ends of the mapping.
void Campaign::step_edges() {
  for (uint64_t before : {0, 1, 8, 63, 64, 65})
    for (uint64_t bytes : kEdgeLengths) step(Op::flush_fence, kMiddleOff - before, bytes);
  for (uint64_t bytes : kEdgeLengths) {
    step(Op::flush_fence, 0, bytes);
    step(Op::flush_fence, kFileBytes - bytes, bytes);
    step(Op::copy_fence, 0, bytes);
    step(Op::copy_fence, kFileBytes - bytes, bytes);
  }
}

void Campaign::step_copies() {
  const uint64_t stride = arguments_.pick(0, 97, 1);
  for (uint64_t alignment : kAlignments) {
    if (arguments_.tier == Tier::smoke && alignment > 8 && alignment != 63) continue;
    for (uint64_t bytes : kCopyLengths) step(Op::copy_fence, kMiddleOff + alignment, bytes);
  }
  if (stride == 0) return;
  const uint64_t longest = by_instruction() ? kMaxCallBytes : kLongestPlainCopyBytes;
  uint64_t turn = 0;
  for (uint64_t bytes = 0; bytes <= longest; bytes += stride)
    step(Op::copy_fence, kMiddleOff + kAlignments[turn++ % std::size(kAlignments)], bytes);
}

// ---- from breakpoint to breakpoint

void Campaign::leap_ranges() {
  const uint64_t stride = arguments_.pick(29, 1, 1);
  for (uint64_t alignment : kAlignments)
    for (uint64_t bytes = 0; bytes <= kMaxCallBytes; ++bytes)
      if (bytes % stride == 0)
        expect(&Tracee::leap, {Op::flush_fence, kMiddleOff + alignment, bytes});
      else
        ++totals_.cuts;
}

// ---- the test tested

// An error counts as found if one range of a small sample shows it.
void Campaign::find_plants(Way way, Op last) {
  for (auto number = static_cast<uint8_t>(kFirstPlant); number <= static_cast<uint8_t>(last); ++number) {
    const Op op = static_cast<Op>(number);
    if (op == Op::plant_weaker && kind_ == FlushKind::clflush && !pmem::flush_kind_usable(FlushKind::clflushopt))
      continue;
    if (op == Op::plant_locked && kMayLock) continue;
    bool found = false;
    for (uint64_t alignment : {0, 1, 63})
      for (uint64_t bytes : {64, 65, 192, 320, 350})
        found = found || !judge(way, {op, kMiddleOff + alignment, static_cast<uint64_t>(bytes)}).empty();
    ++totals_.planted;
    if (found)
      ++totals_.found;
    else
      violation(pmem::flush_kind_name(kind_), std::string("the planted error was not found: ") + op_name(op));
  }
}

}  // namespace nacre::machine
