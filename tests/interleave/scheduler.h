// Real threads, of which one runs at a time: at each point (pmem/base/sync.h, flushes, fences, begins and ends of
// operations) a policy says who goes on. The same decisions make the same run.
//
// A thread that says it waits is not chosen before another thread has changed something. If all wait and nothing
// changes, that is a deadlock.
//
//   step    0   1   2   3 ...       one number for each point that a thread reaches
//   switch  "1@57": at step 57 thread 1 goes on, and not the one that would (the same as before, if it can)
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace nacre::interleave {

inline constexpr uint32_t kMaxThreads = 4;

enum class Step : uint8_t { lock, unlock, wait, load, store, flush, fence, begin, end };

/// One point of a run.
struct Moment {
  uint32_t number = 0;
  Step step = Step::begin;
  uint8_t thread = 0;  ///< that reached it
  uint8_t able = 0;    ///< threads that could go on, as bits
  uint8_t chosen = 0;
  bool forced = false;  ///< the thread cannot go on itself
  const void* object = nullptr;
};

struct Switch {
  uint32_t step;
  uint8_t thread;
};
using Schedule = std::vector<Switch>;
std::string schedule_text(const Schedule& schedule);
/// False if it makes no sense.
bool parse_schedule(std::string_view text, Schedule* schedule);

/// Who goes on where nobody says otherwise: the same thread, else the next one that can.
uint8_t default_choice(const Moment& moment) noexcept;

class Policy {
 public:
  /// One of moment.able.
  virtual uint8_t choose(const Moment& moment) = 0;

 protected:
  ~Policy() = default;
};

class Scheduler {
 public:
  explicit Scheduler(uint32_t thread_count);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Runs one task on each thread, to the end of all. False: they never end (see stuck()), and nothing but the end of
  /// the process gets rid of the threads.
  bool run(const std::vector<std::function<void()>>& tasks, Policy& policy);
  const std::string& stuck() const noexcept { return stuck_; }
  /// All points of the last run, and where the choice was not the default.
  const std::vector<Moment>& moments() const noexcept { return moments_; }
  const Schedule& switches() const noexcept { return switches_; }

  /// The calling thread is at a point. Nothing happens on a thread that no scheduler runs.
  static void reached(Step step, const void* object) noexcept;

 private:
  struct Thread {
    std::thread thread;
    std::condition_variable turn;
    bool live = false;
    bool waiting = false;
    bool owes_change = false;  // what it does after its last point may set others free
    uint64_t own_changes = 0;
    uint64_t round_start = 0;  // changes of others when it began to look at what it waits for
    uint64_t waiting_since = 0;
  };

  void live(uint8_t me);
  void at_point(uint8_t me, Step step, const void* object);
  void go_on(uint8_t me, Step step, const void* object);
  uint8_t able() const noexcept;
  uint64_t changes_of_others(uint8_t me) const noexcept { return changes_ - threads_[me].own_changes; }
  uint8_t idle_choice(uint8_t me);
  void hand_over(uint8_t me, uint8_t next);
  void give_up(uint8_t me, const char* what);

  static constexpr uint8_t kNobody = 0xff;
  std::vector<Thread> threads_;
  std::mutex mutex_;
  std::condition_variable done_;
  uint8_t turn_ = kNobody;  // who runs
  bool ending_ = false;
  const std::vector<std::function<void()>>* tasks_ = nullptr;
  Policy* policy_ = nullptr;
  uint64_t changes_ = 0;
  uint32_t idle_rounds_ = 0;
  std::vector<Moment> moments_;
  Schedule switches_;
  std::string stuck_;
};

}  // namespace nacre::interleave
