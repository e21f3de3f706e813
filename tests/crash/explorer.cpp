#include "tests/crash/explorer.h"

#include <algorithm>
#include <chrono>

#include "pmem/base/units.h"
#include "tests/crash/crash_domain.h"
#include "tests/crash/oracle.h"
#include "tests/crash/seen_states.h"
#include "tests/crash/trace.h"
#include "tests/crash/workload_run.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

constexpr size_t kMaxRecordedWeight = 8u << 20;  // words and candidates held before they are explored: 200 MB
constexpr uint64_t kMinShare = 4;                // of each crash point, even when the budget is used up
constexpr uint64_t kNoDeadline = ~0ull;
constexpr uint64_t kTwinsChecked = 8;  // one twin in so many is checked all the same

/// A step in the making: what the run is exploring at one depth.
struct Position {
  const CrashPoint* point = nullptr;
  const Selection* selection = nullptr;  ///< null: kill
  std::vector<Selection> to_nest;        ///< recoveries that are to be explored in turn
  uint64_t deadline = 0;                 ///< of what is running: a count of checked states
  bool starved = false;                  ///< the budget ended before the selections did
};

void* g_current_run = nullptr;
std::string (*g_current_case)(void*) = nullptr;
uint64_t g_case_number = 0;

}  // namespace

// One run of one workload, or one replay.
class Explorer::Run final : private SelectionVisitor {
 public:
  Run(Explorer& owner, const Workload& workload, const std::vector<CrashStep>* replay, std::string* trace)
      : client_(owner.client_),
        config_(owner.config_),
        workload_(workload),
        progress_(owner.progress_),
        replay_(replay),
        trace_(trace),
        oracle_(client_, known_, trace),
        depth_(replay ? static_cast<uint32_t>(replay->size()) : config_.depth),
        recordings_(depth_ + 1),
        main_(client_, workload, known_, recordings_[0], owner.sites_),
        positions_(depth_) {
    for (uint32_t d = 0; d < depth_; ++d) {
      levels_.push_back(std::make_unique<CrashMedium>(client_.pool_bytes(), client_.max_bytes()));
      levels_.back()->set_sites(owner.sites_);
    }
    const bool persistent_caches = config_.limits.model == CrashModel::E;
    main_.medium().set_persistent_caches(persistent_caches);
    for (auto& level : levels_) level->set_persistent_caches(persistent_caches);
    previous_run_ = g_current_run;
    g_current_run = this;
    g_current_case = [](void* run) { return static_cast<Run*>(run)->current_line(); };
  }
  ~Run() { g_current_run = previous_run_; }

  void execute() {
    const auto start = std::chrono::steady_clock::now();
    report_.workloads = 1;
    bool right = main_.prepare();
    for (size_t i = 0; i < workload_.ops.size() && right && !stopped_; ++i) {
      right = main_.step(workload_.ops[i]);
      if (recordings_[0].weight() > kMaxRecordedWeight) explore_recorded();
    }
    if (!right) {
      found(main_.finding());
      if (trace_) *trace_ += "finding: " + main_.finding() + "\n";
    } else if (!stopped_) {
      explore_recorded();
    }
    report_.leaked_bytes = oracle_.leaked_bytes();
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  Report& report() { return report_; }
  const std::string& finding() const { return finding_; }

  std::string current_line() const {
    std::vector<CrashStep> steps;
    for (uint32_t d = 0; d < exploring_; ++d) steps.push_back(step_text(positions_[d]));
    return replay_line(workload_, steps);
  }

 private:
  // ---- exploring what was recorded

  void explore_recorded() {
    if (depth_ == 0) return;
    trace_points_of(0);
    explore_recording(0, main_.medium().deltas(), config_.max_states == 0 ? kNoDeadline : config_.max_states);
    for (auto& level : levels_) level->clear_undo();
    recordings_[0].forget_points();
    main_.medium().clear_deltas();
  }

  // All media from `depth` on have the durable image that the recorded run started from, and get it back; at
  // depth 0 they go on with the workload. The budget up to `deadline` is shared out evenly over the points.
  void explore_recording(uint32_t depth, const std::vector<Delta>& deltas, uint64_t deadline) {
    Recording& recorded = recordings_[depth];
    std::vector<CrashMedium::Mark> marks;
    for (uint32_t d = depth; d < depth_; ++d) marks.push_back(levels_[d]->mark());
    size_t done = 0;
    for (size_t i = 0; i < recorded.count() && !stopped_; ++i) {
      done = follow(depth, deltas, done, recorded[i].delta_end);
      if (replay_ && recorded[i].number != (*replay_)[depth].point) continue;
      ++(depth == 0 ? report_.points : report_.nested_points);
      uint64_t point_deadline = share(deadline, recorded.count() - i);
      if (depth == 0) point_deadline = std::max(point_deadline, checked_states() + kMinShare);
      explore_point(depth, recorded[i], point_deadline);
    }
    if (depth == 0) {
      follow(depth, deltas, done, deltas.size());
    } else {
      for (uint32_t d = depth; d < depth_; ++d) levels_[d]->rollback(marks[d - depth]);
    }
  }

  size_t follow(uint32_t depth, const std::vector<Delta>& deltas, size_t from, size_t to) {
    for (uint32_t d = depth; d < depth_; ++d)
      for (size_t i = from; i < to; ++i) levels_[d]->assign(deltas[i].word_idx, deltas[i].value);
    return std::max(from, to);
  }

  uint64_t checked_states() const { return report_.states + report_.nested_states; }

  /// The deadline (a count of checked states) for the first of `parts` equal parts of what is left.
  uint64_t share(uint64_t deadline, uint64_t parts) const {
    if (deadline == kNoDeadline) return deadline;
    const uint64_t left = deadline - std::min(deadline, checked_states());
    return checked_states() + ceil_div(left, std::max<uint64_t>(parts, 1));
  }

  // First every selection without nesting, within half of the budget; then, with the rest, the death of the
  // process alone and a sample of the recoveries with their own crashes.
  void explore_point(uint32_t depth, const CrashPoint& point, uint64_t deadline) {
    Position& position = positions_[depth];
    position = {.point = &point, .selection = nullptr, .to_nest = {}, .deadline = deadline, .starved = false};
    visiting_depth_ = depth;
    if (replay_) return replay_point(depth, point);
    const bool may_nest = depth + 1 < depth_;
    if (may_nest) position.deadline = share(deadline, 2);
    SelectionLimits limits = depth == 0 ? config_.limits : config_.nested_limits;
    const uint64_t left = position.deadline - std::min(position.deadline, checked_states());
    limits.exhaustive = std::min(limits.exhaustive, left);
    limits.classes = std::min(limits.classes, left);
    limits.sampled = std::min(limits.sampled, left);
    block_differs_ = false;
    const Coverage coverage =
        visit_selections(point.unsettled, limits, config_.seed ^ mix64(point.durable_hash), *this);
    const bool by_class = coverage == Coverage::classes;
    report_.class_points += by_class && !block_differs_;
    (depth == 0 ? report_.cut_points : report_.nested_cut_points) +=
        by_class ? block_differs_ : coverage != Coverage::all;
    report_.thinned_points += coverage == Coverage::thinned;
    report_.starved_points += position.starved;
    if (may_nest) nest(depth, point, deadline);
  }

  void nest(uint32_t depth, const CrashPoint& point, uint64_t deadline) {
    Position& position = positions_[depth];
    const std::vector<Selection> to_nest = std::move(position.to_nest);
    const bool kill = config_.kills && !point.unsettled.words.empty();
    position.deadline = share(deadline, to_nest.size() + kill);
    if (kill && !stopped_) {
      if (checked_states() < deadline)
        explore_kill(depth, point);
      else
        ++report_.not_nested;
    }
    for (size_t i = 0; i < to_nest.size() && !stopped_; ++i) {
      if (checked_states() >= deadline) {
        report_.not_nested += to_nest.size() - i;
        return;
      }
      position.deadline = share(deadline, to_nest.size() - i);
      position.selection = &to_nest[i];
      run_state(depth, point, &to_nest[i], hash_of(point, to_nest[i]), true);
    }
  }

  static uint64_t kill_key(const CrashPoint& point) {
    uint64_t key = mix64(point.durable_hash + 0x6b696c6c);
    for (const auto& word : point.unsettled.words)
      for (uint32_t c = 0; c < word.count; ++c)
        key ^= mix64(zobrist(word.word_idx, point.unsettled.candidate(word, c).value) + (c == word.latest));
    return key;
  }

  void explore_kill(uint32_t depth, const CrashPoint& point) {
    const uint64_t key = kill_key(point);
    if (seen_.find(key) != nullptr) return;
    seen_.insert(key, {});
    positions_[depth].selection = nullptr;
    run_state(depth, point, nullptr, key, true);
  }

  void replay_point(uint32_t depth, const CrashPoint& point) {
    const CrashStep& step = (*replay_)[depth];
    Selection selection;
    const bool kill = step.pick == "kill";
    if (!kill && !parse_pick(point.unsettled, step.pick, &selection)) {
      if (trace_) *trace_ += "the selection does not fit the words that are unsettled at this point\n";
      return;
    }
    if (trace_) *trace_ += trace_choice(depth, point, kill ? nullptr : &selection);
    positions_[depth].selection = kill ? nullptr : &selection;
    const uint64_t hash = kill ? kill_key(point) : hash_of(point, selection);
    run_state(depth, point, kill ? nullptr : &selection, hash, true);
  }

  static uint64_t hash_of(const CrashPoint& point, const Selection& selection) {
    uint64_t hash = point.durable_hash;
    for (size_t i = 0; i < selection.size(); ++i) {
      if (selection[i] == 0) continue;
      const auto& word = point.unsettled.words[i];
      hash ^= zobrist_change(word.word_idx, point.unsettled.candidate(word, 0).value,
                             point.unsettled.candidate(word, selection[i]).value);
    }
    return hash;
  }

  bool visit(const Selection& selection) override {
    const uint32_t depth = visiting_depth_;
    const CrashPoint& point = *positions_[depth].point;
    const uint64_t hash = hash_of(point, selection);
    positions_[depth].selection = &selection;
    if (const Seen* seen = seen_.find(hash); seen != nullptr) {
      ++report_.seen_states;
      judge_seen(depth, point, selection, hash, *seen);
      return !stopped_;
    }
    if (checked_states() >= positions_[depth].deadline) {
      positions_[depth].starved = true;
      return false;
    }
    run_state(depth, point, &selection, hash, false);
    if (depth + 1 == depth_ || seen_.find(hash)->outcome == kOutcomeFailed) return !stopped_;
    if (mix64(hash) % config_.nested_every == 0)
      positions_[depth].to_nest.push_back(selection);
    else
      ++report_.not_nested;
    return !stopped_;
  }

  // The image is known; only what it may recover to can be new, or whether that is the image of its block.
  void judge_seen(uint32_t depth, const CrashPoint& point, const Selection& selection, uint64_t hash,
                  const Seen& seen) {
    if (seen.outcome == kOutcomeFailed) return;
    if (!allows(allowed_at(depth, point), seen.outcome) || (in_block_ && seen.image == 0))
      return run_state(depth, point, &selection, hash, false);
    compare_with_block(seen);
  }

  // ---- blocks: states that should be recovered to one image. Once it was checked the others are its twins

  void begin_block() override {
    in_block_ = true;
    block_ = {};
  }
  void end_block() override { in_block_ = false; }

  void compare_with_block(const Seen& seen) {
    if (!in_block_) return;
    if (block_.image == 0) block_ = seen;
    block_differs_ |= seen.image != block_.image || seen.image == 0;
  }

  const Allowed& allowed_at(uint32_t depth, const CrashPoint& point) const {
    return recordings_[depth].phase(point.phase).allowed;
  }

  // Makes the image, recovers and checks it, and takes it back. `selection` null: the process was killed.
  void run_state(uint32_t depth, const CrashPoint& point, const Selection* selection, uint64_t hash, bool nest) {
    ++g_case_number;
    exploring_ = depth + 1;
    CrashMedium& medium = *levels_[depth];
    medium.clear_deltas();
    const CrashMedium::Mark mark = medium.mark();
    if (selection == nullptr) {
      medium.assign_killed(point.unsettled);
    } else {
      for (size_t i = 0; i < selection->size(); ++i)
        if ((*selection)[i] != 0) {
          const auto& word = point.unsettled.words[i];
          medium.assign(word.word_idx, point.unsettled.candidate(word, (*selection)[i]).value);
        }
    }
    Recording* nested = nest ? &recordings_[depth + 1] : nullptr;
    const Seen unknown, *twin = mix64(hash) % kTwinsChecked == 0 ? &unknown : &block_;
    const Outcome outcome =
        oracle_.check(medium, allowed_at(depth, point), nested, mix64(hash), in_block_ ? twin : nullptr);
    medium.rollback(mark);
    if (selection != nullptr) remember(depth, hash, outcome);
    if (trace_) *trace_ += outcome.finding.empty() ? "" : "finding: " + outcome.finding + "\n";
    if (!outcome.finding.empty()) found(outcome.finding);
    if (nested && depth + 1 < depth_ && !stopped_ && (outcome.finding.empty() || replay_)) {
      trace_points_of(depth + 1);
      explore_recording(depth + 1, medium.deltas(), positions_[depth].deadline);
    }
    exploring_ = depth;
    show_progress();
  }

  void remember(uint32_t depth, uint64_t hash, const Outcome& outcome) {
    if (seen_.find(hash) == nullptr) {
      ++(depth == 0 ? report_.states : report_.nested_states);
      report_.twin_states += outcome.is_twin;
    }
    const Seen seen{outcome.fingerprint, outcome.image};
    seen_.insert(hash, seen);
    compare_with_block(seen);
  }

  void show_progress() {
    if (progress_ && g_case_number % 512 == 0) progress_(workload_, report_);
  }

  void found(const std::string& what) {
    ++report_.violations;
    if (finding_.empty()) finding_ = what;
    if (replay_) return;
    Failure failure{.steps = {}, .what = what, .line = {}};
    for (uint32_t d = 0; d < exploring_; ++d) failure.steps.push_back(step_text(positions_[d]));
    failure.line = replay_line(workload_, failure.steps);
    report_.failures.push_back(std::move(failure));
    stopped_ = report_.failures.size() >= config_.max_failures;
  }

  static CrashStep step_text(const Position& position) {
    return {position.point->number,
            position.selection ? pick_text(position.point->unsettled, *position.selection) : "kill"};
  }

  void trace_points_of(uint32_t depth) {
    if (trace_ != nullptr && depth < replay_->size())
      *trace_ += trace_points(recordings_[depth], (*replay_)[depth].point, depth);
  }

  Client& client_;
  const ExploreConfig& config_;
  const Workload& workload_;
  ProgressFn progress_;
  const std::vector<CrashStep>* replay_;
  std::string* trace_;

  KnownStates known_;
  Oracle oracle_;
  uint32_t depth_;
  std::vector<Recording> recordings_;  // [0] of the workload, [d + 1] of the recovery at depth d
  WorkloadRun main_;
  std::vector<std::unique_ptr<CrashMedium>> levels_;  // the recovery after the (d + 1)-th crash runs here
  std::vector<Position> positions_;
  SeenStates seen_;
  bool in_block_ = false, block_differs_ = false;
  Seen block_;  // what its first state was recovered to
  Report report_;
  std::string finding_;
  uint32_t visiting_depth_ = 0;
  uint32_t exploring_ = 0;  // how many positions are those of the current case
  bool stopped_ = false;
  void* previous_run_ = nullptr;
};

Explorer::Explorer(Client& client, const ExploreConfig& config, SiteTable* sites)
    : client_(client), config_(config), sites_(sites) {}

Explorer::~Explorer() = default;

void Explorer::set_progress(ProgressFn progress) { progress_ = progress; }

std::string Explorer::replay(const Workload& workload, const std::vector<CrashStep>& steps, std::string* trace) {
  Run run(*this, workload, &steps, trace);
  run.execute();
  return run.finding();
}

Report Explorer::explore(const Workload& workload) {
  Report report;
  {
    Run run(*this, workload, nullptr, nullptr);
    run.execute();
    report = std::move(run.report());
  }
  if (config_.shrink) {
    for (Failure& failure : report.failures) {
      failure.steps = shrink_steps(failure.steps, [&](const std::vector<CrashStep>& steps) {
        return !replay(workload, steps, nullptr).empty();
      });
      const std::string what = replay(workload, failure.steps, nullptr);
      failure.what = what.empty() ? "NOT REPEATABLE: " + failure.what : what;
      failure.line = replay_line(workload, failure.steps);
    }
  }
  return report;
}

std::string current_case() { return g_current_run ? g_current_case(g_current_run) : std::string(); }

uint64_t current_case_number() { return g_case_number; }

}  // namespace nacre::crash
