// A thread that runs one task at a time while its owner waits: operations of several threads, one after the
// other, in an order that a workload fixes. A fence drains only its own thread's flushes, so this alone shows
// whatever relies on another thread's fence.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace nacre::crash {

class Worker {
 public:
  Worker() : thread_([this] { loop(); }) {}
  ~Worker() {
    run(nullptr);
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Returns when the task is done. A null task ends the thread.
  void run(std::function<void()> task) {
    std::unique_lock lock(mutex_);
    task_ = std::move(task);
    busy_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !busy_; });
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    for (bool more = true; more;) {
      changed_.wait(lock, [this] { return busy_; });
      more = task_ != nullptr;
      if (more) task_();
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> task_;
  bool busy_ = false;
  std::thread thread_;
};

}  // namespace nacre::crash
