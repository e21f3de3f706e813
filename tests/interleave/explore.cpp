#include "tests/interleave/explore.h"

#include <algorithm>
#include <bit>
#include <ctime>
#include <unordered_set>

#include "tests/crash/zobrist.h"
#include "tests/interleave/crash_checker.h"
#include "tests/interleave/run.h"

namespace nacre::interleave {
namespace {

constexpr uint32_t kPriorityChanges = 3;
constexpr size_t kLastSteps = 100;     // of a trace
constexpr uint64_t kRepeatEvery = 64;  // schedules
constexpr uint64_t kLeastRandom = 4;
constexpr double kRandomShare = 0.1;    // of the time, where it is limited
constexpr double kScheduleShare = 0.4;  // with the former; then come the crash states of schedules chosen at random
constexpr uint32_t kFirstGuess = 400;   // steps of a run, before one was seen
constexpr const char* kStepNames[] = {"lock", "unlock", "wait", "load", "store", "flush", "fence", "begin", "end"};

class FixedPolicy final : public Policy {
 public:
  explicit FixedPolicy(const Schedule& schedule) : schedule_(schedule) {}
  uint8_t choose(const Moment& m) override {
    while (next_ < schedule_.size() && schedule_[next_].step < m.number) ++next_;
    if (next_ < schedule_.size() && schedule_[next_].step == m.number && (m.able >> schedule_[next_].thread & 1) != 0)
      return schedule_[next_].thread;
    return default_choice(m);
  }

 private:
  const Schedule& schedule_;
  size_t next_ = 0;
};

class RandomPolicy final : public Policy {
 public:
  RandomPolicy(uint64_t seed, uint64_t steps) : random_{seed} {
    for (uint32_t t = 0; t < kMaxThreads; ++t) priority_[t] = kPriorityChanges + 1 + random_.below(1000);
    for (uint32_t& at : changes_) at = static_cast<uint32_t>(random_.below(steps));
  }
  uint8_t choose(const Moment& m) override {
    uint8_t best = highest(m.able);
    for (uint32_t i = 0; i < kPriorityChanges; ++i)
      if (!used_[i] && changes_[i] <= m.number) {
        used_[i] = true;
        priority_[best] = i;
        best = highest(m.able);
      }
    return best;
  }

 private:
  uint8_t highest(uint8_t able) const {
    uint8_t best = static_cast<uint8_t>(std::countr_zero(able));
    for (uint8_t t = best; t < kMaxThreads; ++t)
      if ((able >> t & 1) != 0 && priority_[t] > priority_[best]) best = t;
    return best;
  }
  crash::Random random_;
  uint64_t priority_[kMaxThreads];
  uint32_t changes_[kPriorityChanges];
  bool used_[kPriorityChanges] = {};
};

class Exploration {
 public:
  Exploration(const Workload& workload, const ExploreConfig& config,
              const std::function<void(const std::string&)>& begin_case)
      : workload_(workload),
        config_(config),
        begin_case_(begin_case),
        run_(workload, config.selection.model == crash::CrashModel::E),
        deadline_(config.seconds),
        crashing_(config.seconds == 0) {}

  Tally explore() {
    if (!run_.prepare()) return found(run_.finding(), {}), tally_;
    checker_ = std::make_unique<CrashChecker>(run_, config_.selection, config_.seed);
    explore_random();
    const size_t words_before = published_.size();
    explore_systematically();
    crash_the_rest();
    tally_.late_words = published_.size() - words_before;
    const CrashChecker::Counts counts = checker_->counts();
    tally_.points = counts.points;
    tally_.states = counts.states;
    tally_.cut_points = counts.cut_points;
    tally_.leaked_bytes = counts.leaked_bytes;
    tally_.seconds = seconds() - start_;
    return tally_;
  }

 private:
  // Of the processor: a busy machine explores no less.
  static double seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
  bool over() const { return tally_.violations != 0 || (deadline_ != 0 && seconds() > start_ + deadline_); }

  void explore_random() {
    uint64_t steps = kFirstGuess;
    crash::Random random{config_.seed};
    deadline_ = config_.seconds * kRandomShare;
    for (uint64_t i = 0; i < config_.random_schedules && (i < kLeastRandom || !over()); ++i) {
      if (tally_.violations != 0) return;
      const uint64_t seed = random.next();
      begin_case_(arguments_of(workload_) + " --random=" + std::to_string(seed) + " --steps=" + std::to_string(steps));
      RandomPolicy policy(seed, steps);
      ++tally_.random;
      run_one(policy);
      steps = std::max<uint64_t>(run_.scheduler().moments().size(), 2);
    }
  }

  void explore_systematically() {
    deadline_ = config_.seconds * kScheduleShare;
    std::vector<Schedule> level;
    level.emplace_back();
    for (uint8_t t = 1; t < workload_.threads.size(); ++t) level.push_back({{0, t}});
    for (uint32_t preemptions = 0; preemptions <= config_.preemptions && !level.empty(); ++preemptions) {
      std::vector<Schedule> next;
      if (preemptions == config_.preemptions) shuffle(level);  // if not all of them are run: a fair sample
      for (size_t i = 0; i < level.size(); ++i) {              // grows: choices that cost no preemption
        const uint64_t done = tally_.all_schedules() - tally_.random;
        if (over() || (config_.max_schedules != 0 && done >= config_.max_schedules)) {
          tally_.cut_schedules += level.size() - i + next.size();
          return;
        }
        const Schedule schedule = level[i];
        FixedPolicy policy(schedule);
        begin_case_(case_line(workload_, schedule_text(schedule)));
        ++tally_.schedules[preemptions];
        run_one(policy);
        if (done % kRepeatEvery == 0 && tally_.violations == 0) repeat(schedule);
        if (tally_.violations == 0) add_children(schedule, preemptions < config_.preemptions, level, next);
      }
      level = std::move(next);
    }
  }

  // All of this rests on it: the same decisions make the same run.
  void repeat(const Schedule& schedule) {
    const std::vector<Moment> before = run_.scheduler().moments();
    FixedPolicy policy(schedule);
    run_one(policy);
    const auto& again = run_.scheduler().moments();
    const bool same =
        std::equal(before.begin(), before.end(), again.begin(), again.end(), [](const Moment& a, const Moment& b) {
          return a.step == b.step && a.thread == b.thread && a.chosen == b.chosen;
        });
    if (!same) found("the same schedule is another run the second time", case_line(workload_, schedule_text(schedule)));
  }

  void shuffle(std::vector<Schedule>& all) const {
    crash::Random random{config_.seed};
    for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
  }

  void add_children(const Schedule& schedule, bool may_preempt, std::vector<Schedule>& same,
                    std::vector<Schedule>& next) {
    const uint32_t from = schedule.empty() ? 1 : schedule.back().step + 1;
    const auto& moments = run_.scheduler().moments();
    for (size_t i = from; i < moments.size(); ++i) {
      const Moment& m = moments[i];
      if (!m.forced && (!may_preempt || !is_visible(m))) continue;
      for (uint8_t t = 0; t < workload_.threads.size(); ++t) {
        if ((m.able >> t & 1) == 0 || t == m.chosen) continue;
        Schedule child = schedule;
        child.push_back({m.number, t});
        (m.forced ? same : next).push_back(std::move(child));
      }
    }
  }

  uint64_t offset_of(const void* object) const {
    return static_cast<uint64_t>(static_cast<const std::byte*>(object) - run_.medium().working());
  }
  bool in_mapping(const void* object) const { return offset_of(object) < run_.medium().max_bytes(); }

  // To another thread. Between the end of an operation and the begin of the next nothing happens.
  bool is_visible(const Moment& m) const {
    if (m.step == Step::end) return false;
    return m.step != Step::load || !in_mapping(m.object) || published_.contains(offset_of(m.object));
  }

  void run_one(Policy& policy) {
    std::string what = run_.run(policy);
    for (const Moment& m : run_.scheduler().moments())
      if (m.step == Step::store && in_mapping(m.object)) published_.insert(offset_of(m.object));
    const std::string line = case_line(workload_, schedule_text(run_.scheduler().switches()));
    if (!what.empty()) return found(what, line);
    if (!crashing_) return uncrashed_.push_back(run_.scheduler().switches());
    if (checker_->check()) return;
    const CrashFinding& f = checker_->finding();
    found(f.what + " | history at the end: " + run_.history().text(),
          line + " --point=" + std::to_string(f.point) + " --pick=" + f.pick);
  }

  // With the time that is left. (The schedules alone are fast, and find most.)
  void crash_the_rest() {
    deadline_ = config_.seconds;
    crashing_ = true;
    shuffle(uncrashed_);
    size_t i = 0;
    for (; i < uncrashed_.size() && !over(); ++i) {
      const Schedule schedule = uncrashed_[i];
      begin_case_(case_line(workload_, schedule_text(schedule)));
      FixedPolicy policy(schedule);
      run_one(policy);
    }
    tally_.uncrashed = uncrashed_.size() - i;
  }

  void found(const std::string& what, const std::string& line) {
    if (tally_.violations++ != 0) return;
    tally_.what = what;
    tally_.line = line;
  }

  const Workload& workload_;
  const ExploreConfig& config_;
  const std::function<void(const std::string&)>& begin_case_;
  ConcurrentRun run_;
  std::unique_ptr<CrashChecker> checker_;
  std::unordered_set<uint64_t> published_;  // offsets of words
  Tally tally_;
  double start_ = seconds();
  double deadline_;
  bool crashing_;
  std::vector<Schedule> uncrashed_;
};

std::string trace_of(const ConcurrentRun& run) {
  std::string text = "history: " + run.history().text() + "\n";
  uint8_t last = 0xff;
  for (const Moment& m : run.scheduler().moments()) {
    if (m.chosen == last) continue;
    text += "step " + std::to_string(m.number) + ": thread " + std::to_string(m.thread) + " before " +
            kStepNames[static_cast<size_t>(m.step)] + (m.forced ? " cannot go on" : "") + ", thread " +
            std::to_string(m.chosen) + " goes on\n";
    last = m.chosen;
  }
  const auto& all = run.scheduler().moments();
  text += "the last steps:";
  for (size_t i = all.size() - std::min<size_t>(all.size(), kLastSteps); i < all.size(); ++i)
    text += " " + std::to_string(all[i].thread) + ":" + kStepNames[static_cast<size_t>(all[i].step)];
  return text + "\n";
}

}  // namespace

uint64_t Tally::all_schedules() const noexcept {
  uint64_t all = random;
  for (uint64_t n : schedules) all += n;
  return all;
}

void Tally::add(const Tally& other) {
  for (uint32_t p = 0; p <= kMaxPreemptions; ++p) schedules[p] += other.schedules[p];
  random += other.random;
  cut_schedules += other.cut_schedules;
  uncrashed += other.uncrashed;
  late_words += other.late_words;
  points += other.points;
  states += other.states;
  cut_points += other.cut_points;
  leaked_bytes += other.leaked_bytes;
  violations += other.violations;
  seconds += other.seconds;
}

std::string case_line(const Workload& workload, const std::string& schedule) {
  return arguments_of(workload) + " --schedule=" + schedule;
}

Tally explore(const Workload& workload, const ExploreConfig& config,
              const std::function<void(const std::string&)>& begin_case) {
  // Never destroyed after a deadlock: its threads hang.
  auto exploration = std::make_unique<Exploration>(workload, config, begin_case);
  Tally tally = exploration->explore();
  if (tally.violations != 0) (void)exploration.release();
  return tally;
}

std::string replay(const Workload& workload, const ReplayRequest& request, const ExploreConfig& config,
                   std::string* trace) {
  Schedule schedule;
  if (!parse_schedule(request.schedule, &schedule)) return "the schedule makes no sense";
  auto run = std::make_unique<ConcurrentRun>(workload, config.selection.model == crash::CrashModel::E);
  if (!run->prepare()) return run->finding();
  CrashChecker checker(*run, config.selection, config.seed);
  FixedPolicy fixed(schedule);
  RandomPolicy random(request.random_seed, std::max<uint64_t>(request.random_steps, 1));
  std::string what = request.random_steps != 0 ? run->run(random) : run->run(fixed);
  *trace = trace_of(*run);
  if (run->stuck()) return (void)run.release(), what;
  if (!what.empty()) return what;
  if (request.point >= 0) return checker.replay(static_cast<uint32_t>(request.point), request.pick, trace);
  return checker.check() ? std::string() : checker.finding().what;
}

}  // namespace nacre::interleave
