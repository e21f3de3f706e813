#include "tests/interleave/scheduler.h"

#include <bit>
#include <chrono>
#include <cstdlib>

#include "pmem/base/sync.h"
#include "tests/crash/replay_text.h"

namespace nacre::interleave {
namespace {

constexpr uint32_t kMaxSteps = 400'000;   // of one run: thousands of times what an operation takes
constexpr uint32_t kIdleRounds = 20'000;  // with all threads waiting
constexpr std::chrono::milliseconds kIdleNap{1};
constexpr uint32_t kNapEvery = 256;  // so that waits which are bounded by time come to their end

thread_local Scheduler* t_scheduler = nullptr;
thread_local uint8_t t_thread = 0;

Step step_of(sync::Event event) noexcept {
  switch (event) {
    case sync::Event::lock:
      return Step::lock;
    case sync::Event::unlock:
      return Step::unlock;
    case sync::Event::wait:
      return Step::wait;
    case sync::Event::load:
      return Step::load;
    case sync::Event::store:
      return Step::store;
  }
  std::abort();
}

bool changes_something(Step step) noexcept { return step != Step::load && step != Step::wait && step != Step::lock; }

uint8_t bit(uint8_t thread) noexcept { return static_cast<uint8_t>(1u << thread); }

}  // namespace

std::string schedule_text(const Schedule& schedule) {
  std::string text;
  for (const Switch& s : schedule)
    text += (text.empty() ? "" : ",") + std::to_string(s.thread) + "@" + std::to_string(s.step);
  return text;
}

bool parse_schedule(std::string_view text, Schedule* schedule) {
  schedule->clear();
  if (text.empty()) return true;
  for (const std::string& part : crash::split(text, ',')) {
    char* end = nullptr;
    const auto thread = std::strtoul(part.c_str(), &end, 10);
    if (*end != '@' || thread >= kMaxThreads) return false;
    const auto step = std::strtoul(end + 1, &end, 10);
    if (*end != '\0') return false;
    schedule->push_back({static_cast<uint32_t>(step), static_cast<uint8_t>(thread)});
  }
  return true;
}

uint8_t default_choice(const Moment& moment) noexcept {
  for (uint8_t n = 0; n < kMaxThreads; ++n)
    if (const auto thread = static_cast<uint8_t>((moment.thread + n) % kMaxThreads); moment.able & bit(thread))
      return thread;
  return moment.thread;
}

Scheduler::Scheduler(uint32_t thread_count) : threads_(thread_count) {
  sync::set_hook([](sync::Event event, const void* object) { reached(step_of(event), object); });
  for (uint8_t t = 0; t < thread_count; ++t) threads_[t].thread = std::thread([this, t] { live(t); });
}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  for (Thread& t : threads_) t.turn.notify_all();
  for (Thread& t : threads_) t.thread.join();
  sync::set_hook(nullptr);
}

void Scheduler::reached(Step step, const void* object) noexcept {
  if (t_scheduler != nullptr) t_scheduler->at_point(t_thread, step, object);
}

void Scheduler::live(uint8_t me) {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      threads_[me].turn.wait(lock, [&] { return ending_ || turn_ == me; });
      if (ending_) return;
    }
    t_scheduler = this;
    t_thread = me;
    (*tasks_)[me]();
    t_scheduler = nullptr;
    threads_[me].live = false;
    if (threads_[me].owes_change) ++changes_, ++threads_[me].own_changes;
    go_on(me, Step::end, nullptr);
  }
}

bool Scheduler::run(const std::vector<std::function<void()>>& tasks, Policy& policy) {
  tasks_ = &tasks;
  policy_ = &policy;
  moments_.clear();
  switches_.clear();
  changes_ = 0;
  idle_rounds_ = 0;
  for (Thread& t : threads_) {
    t.live = true;
    t.waiting = t.owes_change = false;
    t.own_changes = t.round_start = 0;
  }
  Moment first{.able = able(), .forced = true};
  first.chosen = policy.choose(first);
  moments_.push_back(first);
  if (first.chosen != default_choice(first)) switches_.push_back({0, first.chosen});
  std::unique_lock lock(mutex_);
  turn_ = first.chosen;
  threads_[turn_].turn.notify_all();
  done_.wait(lock, [&] { return turn_ == kNobody; });
  return stuck_.empty();
}

uint8_t Scheduler::able() const noexcept {
  uint8_t mask = 0;
  for (uint8_t t = 0; t < threads_.size(); ++t)
    if (threads_[t].live && (!threads_[t].waiting || changes_of_others(t) > threads_[t].waiting_since)) mask |= bit(t);
  return mask;
}

void Scheduler::at_point(uint8_t me, Step step, const void* object) {
  Thread& self = threads_[me];
  if (self.owes_change) {
    ++changes_;
    ++self.own_changes;
    idle_rounds_ = 0;
  }
  self.owes_change = changes_something(step);
  self.waiting = step == Step::wait;
  self.waiting_since = self.round_start;
  go_on(me, step, object);
  self.waiting = false;
  if (step != Step::load) self.round_start = changes_of_others(me);
}

void Scheduler::go_on(uint8_t me, Step step, const void* object) {
  Moment m{
      .number = static_cast<uint32_t>(moments_.size()), .step = step, .thread = me, .able = able(), .object = object};
  if (m.able == 0) return hand_over(me, idle_choice(me));
  if (m.number >= kMaxSteps) return give_up(me, "the operations do not end");
  m.forced = (m.able & bit(me)) == 0;
  m.chosen = std::popcount(m.able) == 1 ? default_choice(m) : policy_->choose(m);
  if (m.chosen != default_choice(m)) switches_.push_back({m.number, m.chosen});
  moments_.push_back(m);
  hand_over(me, m.chosen);
}

// All that live wait, and nothing has changed. Some waits are bounded by time or by rounds, so they go on in turns.
uint8_t Scheduler::idle_choice(uint8_t me) {
  uint8_t next = kNobody;
  for (uint8_t n = 1; n <= threads_.size() && next == kNobody; ++n)
    if (const auto t = static_cast<uint8_t>((me + n) % threads_.size()); threads_[t].live) next = t;
  if (next == kNobody) return kNobody;
  if (++idle_rounds_ % kNapEvery == 0) std::this_thread::sleep_for(kIdleNap);
  if (idle_rounds_ > kIdleRounds) give_up(me, "deadlock: all threads wait for each other");
  return next;
}

void Scheduler::hand_over(uint8_t me, uint8_t next) {
  if (next == me) return;
  std::unique_lock lock(mutex_);
  turn_ = next;
  if (next == kNobody)
    done_.notify_all();
  else
    threads_[next].turn.notify_all();
  if (threads_[me].live) threads_[me].turn.wait(lock, [&] { return turn_ == me; });
}

// The thread stays here for ever.
void Scheduler::give_up(uint8_t me, const char* what) {
  stuck_ = what;
  threads_[me].live = true;
  hand_over(me, kNobody);
}

}  // namespace nacre::interleave
