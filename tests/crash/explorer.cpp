#include "tests/crash/explorer.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <exception>
#include <map>

#include "pmem/base/units.h"
#include "tests/crash/crash_domain.h"
#include "tests/crash/recording.h"
#include "tests/crash/replay_text.h"
#include "tests/crash/seen_states.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

constexpr size_t kMaxRecordedWeight = 8u << 20;  // words and candidates held before they are explored: 200 MB
constexpr uint64_t kOutcomeFailed = 1;           // outcomes are fingerprints; these two stand for none
constexpr uint64_t kOutcomeNoPool = 2;
constexpr uint64_t kProbeVariants = 4;
constexpr uint64_t kMinShare = 4;  // of each crash point, even when the budget is used up
constexpr uint64_t kNoDeadline = ~0ull;

/// What became of one image.
struct Outcome {
  uint64_t fingerprint = kOutcomeFailed;
  std::string finding;  ///< empty: the oracle is content
};

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
        sites_(owner.sites_),
        progress_(owner.progress_),
        replay_(replay),
        trace_(trace),
        main_(owner.client_.pool_bytes(), owner.client_.max_bytes()),
        depth_(replay ? static_cast<uint32_t>(replay->size()) : config_.depth),
        recordings_(depth_ + 1),
        positions_(depth_) {
    for (uint32_t d = 0; d < depth_; ++d) {
      levels_.push_back(std::make_unique<CrashMedium>(client_.pool_bytes(), client_.max_bytes()));
      levels_.back()->set_sites(sites_);
    }
    main_.set_sites(sites_);
    main_.set_sink(&recordings_[0]);
    previous_run_ = g_current_run;
    g_current_run = this;
    g_current_case = [](void* run) { return static_cast<Run*>(run)->current_line(); };
  }
  ~Run() { g_current_run = previous_run_; }

  void execute() {
    const auto start = std::chrono::steady_clock::now();
    report_.workloads = 1;
    if (prepare()) {
      for (const std::string& op : workload_.ops) {
        if (stopped_ || !step(op)) break;
        if (recordings_[0].weight() > kMaxRecordedWeight) explore_recorded();
      }
    }
    main_.set_blind(true);
    store_.reset();
    if (!stopped_) explore_recorded();
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
  // ---- the workload itself

  Recording& recording() { return recordings_[0]; }

  bool prepare() {
    current_ = add_model(client_.empty_model());
    const bool has_preparation =
        std::find(workload_.ops.begin(), workload_.ops.end(), "|") != workload_.ops.end();
    recording().set_active(workload_.explore_format);
    recording().begin_phase("format", {.states = {current_}, .no_pool = true});
    if (Status s = client_.format(std::make_unique<CrashDomain>(main_)); !s.ok())
      return fail_run("format says %s: %s", s.name(), s.message());
    end_phase("format returned");
    if (!open_main("open")) return false;
    recording().set_active(!has_preparation);
    return true;
  }

  bool open_main(const char* label) {
    recording().begin_phase(label, {.states = {current_}});
    auto store = client_.open(std::make_unique<CrashDomain>(main_));
    if (!store) return fail_run("%s says %s: %s", label, store.status().name(), store.status().message());
    store_ = std::move(*store);
    end_phase("open returned");
    return true;
  }

  // The moment after a call: what it acknowledged must be there, and nothing else.
  void end_phase(const char* reason) {
    recording().begin_phase(reason, {.states = {current_}});
    main_.observe();
    recording().on_crash_point(main_, reason);
    main_.clear_undo();
  }

  bool step(const std::string& op) {
    if (op == "|") return recording().set_active(true), true;
    if (op == "!reopen") return reopen_cleanly();
    if (op == "!kill") return kill_main() && open_main("open after kill");
    if (op.starts_with("!crash:"))
      return lose_power(std::stoull(op.substr(7))) && open_main("open after crash");
    return apply(op);
  }

  bool apply(const std::string& op) {
    const auto [after, expected] = derived(current_, op);
    const uint32_t phase = recording().begin_phase(op, {.states = {current_, after}});
    const Status status = store_->apply(op);
    if (status.code() == expected) {
      current_ = after;
    } else if (client_.may_refuse(op, status.code())) {
      recording().phase(phase).allowed.states = {current_};
    } else {
      return fail_run("%s says %s (%s), expected %s", op.c_str(), status.name(), status.message(),
                      code_name(expected));
    }
    end_phase("operation returned");
    return true;
  }

  bool reopen_cleanly() {
    recording().begin_phase("close", {.states = {current_}});
    if (Status s = store_->close(); !s.ok()) return fail_run("close says %s: %s", s.name(), s.message());
    main_.observe();
    main_.save_working();
    store_.reset();
    main_.restore_working();
    return open_main("open after close");
  }

  bool kill_main() {
    main_.observe();
    main_.save_working();
    main_.set_blind(true);
    store_.reset();
    main_.set_blind(false);
    main_.restore_working();
    main_.forget_captures();
    return true;
  }

  bool lose_power(uint64_t seed) {
    kill_main();
    Unsettled unsettled;
    main_.collect(&unsettled);
    Random random{seed};
    Selection selection;
    for (const auto& word : unsettled.words)
      selection.push_back(static_cast<uint16_t>(random.below(word.count)));
    main_.lose_power(unsettled, selection);
    main_.clear_undo();
    return true;
  }

  // ---- models

  const Known* add_model(std::unique_ptr<Model> model) {
    const uint64_t fingerprint = model->fingerprint();
    return &models_.emplace_back(Known{std::move(model), fingerprint});
  }

  struct Derived {
    const Known* state;
    Code expected;
  };
  /// What `op` makes of `from`, computed once.
  Derived derived(const Known* from, const std::string& op) {
    const auto key = std::make_pair(from, op);
    if (const auto it = derived_.find(key); it != derived_.end()) return it->second;
    auto model = from->model->clone();
    const Code expected = model->apply(op);
    return derived_.emplace(key, Derived{add_model(std::move(model)), expected}).first->second;
  }

  // ---- exploring what was recorded

  void explore_recorded() {
    if (depth_ == 0) return;
    trace_recording(0);
    explore_recording(0, main_.deltas(), config_.max_states == 0 ? kNoDeadline : config_.max_states);
    for (auto& level : levels_) level->clear_undo();
    recording().forget_points();
    main_.clear_deltas();
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
    limits.sampled = std::min(limits.sampled, left);
    const Coverage coverage =
        visit_selections(point.unsettled, limits, config_.seed ^ mix64(point.durable_hash), *this);
    report_.cut_points += coverage != Coverage::all;
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
    seen_.insert(key, 0);
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
    if (const uint64_t* outcome = seen_.find(hash); outcome != nullptr) {
      ++report_.seen_states;
      judge_seen(depth, point, selection, hash, *outcome);
      return !stopped_;
    }
    if (checked_states() >= positions_[depth].deadline) {
      positions_[depth].starved = true;
      return false;
    }
    run_state(depth, point, &selection, hash, false);
    if (depth + 1 == depth_ || *seen_.find(hash) == kOutcomeFailed) return !stopped_;
    if (mix64(hash) % config_.nested_every == 0)
      positions_[depth].to_nest.push_back(selection);
    else
      ++report_.not_nested;
    return !stopped_;
  }

  // The image is known; only what it may recover to can be new.
  void judge_seen(uint32_t depth, const CrashPoint& point, const Selection& selection, uint64_t hash,
                  uint64_t outcome) {
    if (outcome == kOutcomeFailed || allows(allowed_at(depth, point), outcome)) return;
    run_state(depth, point, &selection, hash, false);  // for its finding
  }

  const Allowed& allowed_at(uint32_t depth, const CrashPoint& point) const {
    return recordings_[depth].phase(point.phase).allowed;
  }

  static bool allows(const Allowed& allowed, uint64_t outcome) {
    if (outcome == kOutcomeNoPool) return allowed.no_pool;
    return std::any_of(allowed.states.begin(), allowed.states.end(),
                       [&](const Known* state) { return state->fingerprint == outcome; });
  }

  // Makes the image, recovers and checks it, and takes it back. `selection` null: the process was killed.
  void run_state(uint32_t depth, const CrashPoint& point, const Selection* selection, uint64_t hash,
                 bool nest) {
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
    const Outcome outcome = check_image(medium, allowed_at(depth, point), nested, hash);
    medium.rollback(mark);
    if (selection != nullptr) remember(depth, hash, outcome.fingerprint);
    if (trace_) *trace_ += outcome.finding.empty() ? "" : "finding: " + outcome.finding + "\n";
    if (!outcome.finding.empty()) found(outcome.finding);
    if (nested && depth + 1 < depth_ && !stopped_ && (outcome.finding.empty() || replay_)) {
      trace_recording(depth + 1);
      explore_recording(depth + 1, medium.deltas(), positions_[depth].deadline);
    }
    exploring_ = depth;
    show_progress();
  }

  void remember(uint32_t depth, uint64_t hash, uint64_t outcome) {
    if (seen_.find(hash) == nullptr) ++(depth == 0 ? report_.states : report_.nested_states);
    seen_.insert(hash, outcome);
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

  // A wrong answer of the workload itself, without any crash.
  [[gnu::format(printf, 2, 3)]] bool fail_run(const char* format, ...) {
    char text[600];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    exploring_ = 0;
    found(text);
    if (trace_) *trace_ += std::string("finding: ") + text + "\n";
    stopped_ = true;
    return false;
  }

  // ---- the oracle

  Outcome check_image(CrashMedium& medium, const Allowed& allowed, Recording* nested, uint64_t hash) {
    medium.set_blind(nested == nullptr);
    medium.set_sink(nested);
    if (nested) {
      nested->clear();
      nested->begin_phase("recovery", allowed);
    }
    Outcome outcome;
    try {
      outcome = recover_and_check(medium, allowed, nested, mix64(hash));
    } catch (const std::exception& e) {
      outcome.finding = std::string("exception: ") + e.what();
    }
    medium.set_sink(nullptr);
    if (!outcome.finding.empty()) outcome.fingerprint = kOutcomeFailed;
    return outcome;
  }

  Outcome recover_and_check(CrashMedium& medium, const Allowed& allowed, Recording* nested, uint64_t salt) {
    Outcome outcome;
    auto opened = client_.open(std::make_unique<CrashDomain>(medium));
    if (!opened) {
      if (allowed.no_pool && client_.says_no_pool(opened.status())) return {kOutcomeNoPool, {}};
      outcome.finding = std::string("open after the crash says ") + opened.status().name() + ": " +
                        opened.status().message();
      return outcome;
    }
    std::unique_ptr<Store> store = std::move(*opened);
    if (nested) medium.observe();
    const size_t stores_before = medium.store_count();
    const Known* state = look(*store, allowed, "after recovery", &outcome.finding);
    if (state == nullptr) return outcome;
    if (nested) medium.observe();
    if (medium.store_count() != stores_before) {
      outcome.finding = "after recovery: the check wrote to the pool";
      return outcome;
    }
    outcome.fingerprint = state->fingerprint;
    note_return(medium, nested, {{state}}, "recovery returned");
    state = probe(medium, *store, state, nested, salt, &outcome.finding);
    medium.set_blind(true);
    if (state == nullptr || look(*store, {{state}}, "after one more operation", &outcome.finding) == nullptr)
      return outcome;
    reopen_and_look(medium, std::move(store), state, salt, &outcome.finding);
    return outcome;
  }

  static void note_return(CrashMedium& medium, Recording* nested, Allowed allowed, const char* reason) {
    if (nested == nullptr) return;
    nested->begin_phase(reason, std::move(allowed));
    medium.observe();
    nested->on_crash_point(medium, reason);
  }

  const Known* probe(CrashMedium& medium, Store& store, const Known* state, Recording* nested, uint64_t salt,
                     std::string* finding) {
    const std::string op = client_.probe(*state->model, salt % kProbeVariants);
    const auto [after, expected] = derived(state, op);
    if (nested) nested->begin_phase(op, {.states = {state, after}});
    const Status status = store.apply(op);
    if (status.code() == expected) {
      state = after;
    } else if (!client_.may_refuse(op, status.code())) {
      *finding = "after recovery " + op + " says " + status.name() + " (" + status.message() +
                 "), expected " + code_name(expected);
      return nullptr;
    }
    note_return(medium, nested, {{state}}, "operation after recovery returned");
    return state;
  }

  void reopen_and_look(CrashMedium& medium, std::unique_ptr<Store> store, const Known* state, uint64_t salt,
                       std::string* finding) {
    const bool kill = (salt >> 8) & 1;
    if (kill) {
      medium.save_working();
    } else if (Status s = store->close(); !s.ok()) {
      *finding = std::string("close says ") + s.name() + ": " + s.message();
      return;
    }
    store.reset();
    if (kill) medium.restore_working();
    auto opened = client_.open(std::make_unique<CrashDomain>(medium));
    if (!opened) {
      *finding =
          std::string("the second open says ") + opened.status().name() + ": " + opened.status().message();
      return;
    }
    look(**opened, {{state}}, kill ? "after recovery and kill" : "after recovery and reopen", finding);
  }

  /// The allowed state that the store is in; null with a finding if none.
  const Known* look(Store& store, const Allowed& allowed, const char* when, std::string* finding) {
    const Observation seen = store.check();
    report_.leaked_bytes += seen.leaked_bytes;
    if (!seen.problem.empty()) {
      *finding = std::string(when) + ": " + seen.problem;
      return nullptr;
    }
    if (seen.leaked_bytes != 0) {
      *finding = std::string(when) + ": " + std::to_string(seen.leaked_bytes) + " bytes leaked";
      return nullptr;
    }
    for (const Known* state : allowed.states)
      if (state->fingerprint == seen.fingerprint) {
        if (trace_) *trace_ += std::string("  ") + when + ": " + store.text() + "\n";
        return state;
      }
    *finding = std::string(when) + ": holds " + store.text() + ", allowed";
    for (const Known* state : allowed.states) *finding += " [" + state->model->text() + "]";
    if (allowed.no_pool) *finding += " [no pool]";
    return nullptr;
  }

  // ---- the trace of a replay

  void trace_recording(uint32_t depth) {
    if (trace_ == nullptr || depth >= replay_->size()) return;
    const Recording& recorded = recordings_[depth];
    const std::string indent(2 * depth, ' ');
    uint32_t phase = ~0u;
    for (size_t i = 0; i < recorded.count(); ++i) {
      const CrashPoint& point = recorded[i];
      if (point.number > (*replay_)[depth].point) break;
      if (point.phase != phase) *trace_ += indent + recorded.phase(point.phase).label + "\n";
      phase = point.phase;
      char line[160];
      std::snprintf(line, sizeof line, "  %4" PRIu32 "  %-40s %zu words unsettled\n", point.number,
                    point.reason, point.unsettled.words.size());
      *trace_ += indent + line;
    }
  }

  static std::string trace_choice(uint32_t depth, const CrashPoint& point, const Selection* selection) {
    const std::string indent(2 * depth + 2, ' ');
    if (selection == nullptr) return indent + "the process dies here; its stores stay visible\n";
    std::string text = indent + "power loss here; survived or lost:\n";
    for (size_t i = 0; i < selection->size(); ++i) {
      const auto& word = point.unsettled.words[i];
      const uint16_t choice = (*selection)[i];
      char line[200];
      std::snprintf(line, sizeof line,
                    "  0x%-8" PRIx64 " %s %016" PRIx64 " (durable %016" PRIx64 ", latest %016" PRIx64
                    ", %u versions)\n",
                    word.word_idx * kWordBytes, choice == 0 ? "lost, is" : "has     ",
                    point.unsettled.candidate(word, choice).value, point.unsettled.candidate(word, 0).value,
                    point.unsettled.candidate(word, word.latest).value, word.count);
      text += indent + line;
    }
    return text;
  }

  Client& client_;
  const ExploreConfig& config_;
  const Workload& workload_;
  SiteTable* sites_;
  ProgressFn progress_;
  const std::vector<CrashStep>* replay_;
  std::string* trace_;

  CrashMedium main_;                                  // the workload runs here
  std::vector<std::unique_ptr<CrashMedium>> levels_;  // the recovery after the (d + 1)-th crash runs here
  uint32_t depth_;
  std::vector<Recording> recordings_;  // [0] of the workload, [d + 1] of the recovery at depth d
  std::vector<Position> positions_;
  std::unique_ptr<Store> store_;
  const Known* current_ = nullptr;  // everything acknowledged so far
  std::deque<Known> models_;
  std::map<std::pair<const Known*, std::string>, Derived> derived_;
  SeenStates seen_;
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

std::string Explorer::replay(const Workload& workload, const std::vector<CrashStep>& steps,
                             std::string* trace) {
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

void Report::add(const Report& other) {
  workloads += other.workloads;
  points += other.points;
  states += other.states;
  nested_points += other.nested_points;
  nested_states += other.nested_states;
  seen_states += other.seen_states;
  cut_points += other.cut_points;
  thinned_points += other.thinned_points;
  not_nested += other.not_nested;
  starved_points += other.starved_points;
  violations += other.violations;
  leaked_bytes += other.leaked_bytes;
  seconds += other.seconds;
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

std::string Report::summary() const {
  char text[600];
  const double rate = seconds > 0 ? static_cast<double>(states + nested_states) / seconds : 0;
  std::snprintf(text, sizeof text,
                "%" PRIu64 " workloads, %" PRIu64 " crash points, %" PRIu64 " distinct states, %" PRIu64
                " nested points, %" PRIu64 " nested states, %" PRIu64 " seen before; cut: %" PRIu64
                " points sampled (%" PRIu64 " thinned, %" PRIu64 " starved), %" PRIu64
                " recoveries not nested; %" PRIu64 " violations, %" PRIu64
                " leaked bytes, %.1f s, %.0f states/s",
                workloads, points, states, nested_points, nested_states, seen_states, cut_points,
                thinned_points, starved_points, not_nested, violations, leaked_bytes, seconds, rate);
  return text;
}

}  // namespace nacre::crash
