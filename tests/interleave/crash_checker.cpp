#include "tests/interleave/crash_checker.h"

#include "tests/crash/replay_text.h"
#include "tests/crash/trace.h"
#include "tests/crash/zobrist.h"

namespace nacre::interleave {
namespace {

using crash::mix64;

uint64_t hash_of(const crash::CrashPoint& point, const crash::Selection& selection) {
  uint64_t hash = point.durable_hash;
  for (size_t i = 0; i < selection.size(); ++i) {
    if (selection[i] == 0) continue;
    const auto& word = point.unsettled.words[i];
    hash ^= crash::zobrist_change(word.word_idx, point.unsettled.candidate(word, 0).value,
                                  point.unsettled.candidate(word, selection[i]).value);
  }
  return hash;
}

// Two points with equal keys have the same states, judged by the same rule.
uint64_t key_of(const crash::CrashPoint& point, const crash::Allowed& allowed) {
  uint64_t key = mix64(point.durable_hash);
  for (const auto& word : point.unsettled.words)
    for (uint32_t c = 0; c < word.count; ++c)
      key = mix64(key ^ crash::zobrist(word.word_idx, point.unsettled.candidate(word, c).value)) + c;
  uint64_t states = 0;
  for (const crash::Known* state : allowed.states) states += mix64(state->fingerprint);
  return mix64(key ^ states);
}

}  // namespace

CrashChecker::CrashChecker(ConcurrentRun& run, const crash::SelectionLimits& limits, uint64_t seed)
    : run_(run),
      limits_(limits),
      seed_(seed),
      medium_(run.client().pool_bytes(), run.client().max_bytes()),
      oracle_(run.client(), run.known(), nullptr) {
  medium_.set_persistent_caches(limits.model == crash::CrashModel::E);
  const auto* durable = reinterpret_cast<const uint64_t*>(run.medium().durable());
  for (uint64_t w = 0; w <= run.medium().max_bytes() / kWordBytes; ++w)  // the last one is the length
    if (durable[w] != 0) medium_.assign(static_cast<uint32_t>(w), durable[w]);
  medium_.clear_undo();
  medium_.clear_deltas();
}

size_t CrashChecker::follow(size_t from, size_t to) {
  const auto& deltas = run_.medium().deltas();
  for (size_t i = from; i < to; ++i) medium_.assign(deltas[i].word_idx, deltas[i].value);
  return to;
}

bool CrashChecker::check() {
  const crash::CrashMedium::Mark base = medium_.mark();
  size_t done = 0;
  bool right = true;
  for (size_t i = 0; i < run_.points().count() && right; ++i) {
    done = follow(done, run_.points()[i].delta_end);
    right = check_point(run_.points()[i]);
  }
  medium_.rollback(base);
  return right;
}

bool CrashChecker::check_point(const crash::CrashPoint& point) {
  point_ = &point;
  allowed_ = &run_.points().phase(point.phase).allowed;
  if (!seen_points_.insert(key_of(point, *allowed_)).second) return ++counts_.seen_points, true;
  ++counts_.points;
  finding_ = {};
  const auto coverage = crash::visit_selections(point.unsettled, limits_, seed_ ^ mix64(point.durable_hash), *this);
  counts_.cut_points += coverage != crash::Coverage::all;
  return finding_.what.empty();
}

bool CrashChecker::visit(const crash::Selection& selection) {
  const uint64_t hash = hash_of(*point_, selection);
  const crash::Seen* seen = seen_.find(hash);
  if (seen != nullptr && crash::allows(*allowed_, seen->outcome)) return true;
  const crash::Outcome outcome = recover(selection, hash);
  counts_.states += seen_.find(hash) == nullptr;
  seen_.insert(hash, {.outcome = outcome.fingerprint});
  if (outcome.finding.empty()) return true;
  finding_ = {point_->number, crash::pick_text(point_->unsettled, selection), outcome.finding};
  return false;
}

crash::Outcome CrashChecker::recover(const crash::Selection& selection, uint64_t hash) {
  const crash::CrashMedium::Mark mark = medium_.mark();
  for (size_t i = 0; i < selection.size(); ++i)
    if (selection[i] != 0) {
      const auto& word = point_->unsettled.words[i];
      medium_.assign(word.word_idx, point_->unsettled.candidate(word, selection[i]).value);
    }
  const crash::Outcome outcome = oracle_.check(medium_, *allowed_, nullptr, mix64(hash));
  medium_.rollback(mark);
  medium_.clear_deltas();
  return outcome;
}

std::string CrashChecker::replay(uint32_t number, const std::string& pick, std::string* trace) {
  const crash::CrashMedium::Mark base = medium_.mark();
  size_t done = 0;
  std::string what = "there is no crash point of this number";
  for (size_t i = 0; i < run_.points().count(); ++i) {
    const crash::CrashPoint& point = run_.points()[i];
    done = follow(done, point.delta_end);
    if (point.number != number) continue;
    point_ = &point;
    allowed_ = &run_.points().phase(point.phase).allowed;
    crash::Selection selection;
    if (!crash::parse_pick(point.unsettled, pick, &selection)) {
      what = "the pick does not fit the words that are unsettled at this point";
      break;
    }
    *trace += crash::trace_choice(0, point, &selection);
    what = recover(selection, hash_of(point, selection)).finding;
    break;
  }
  medium_.rollback(base);
  return what;
}

}  // namespace nacre::interleave
