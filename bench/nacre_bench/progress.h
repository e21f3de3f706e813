// What goes on, on a terminal only: nothing of it reaches a file or a pipe.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace nacre::bench {

/// Says `text` on the line that the next call overwrites; the empty text clears it.
void progress(const std::string& text);

/// While it lives, a thread of its own asks `percent` five times a second and says "text, 37 %". Without a
/// terminal it starts no thread.
class ProgressTicker {
 public:
  ProgressTicker(std::string text, std::function<unsigned()> percent);
  ~ProgressTicker();
  ProgressTicker(const ProgressTicker&) = delete;
  ProgressTicker& operator=(const ProgressTicker&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace nacre::bench
