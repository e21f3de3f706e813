#include "bench/nacre_bench/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace nacre::bench {

namespace {

constexpr std::chrono::milliseconds kTick(200);

bool on_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  return terminal;
}

}  // namespace

void progress(const std::string& text) {
  if (on_terminal()) std::fprintf(stderr, "\r\033[K%s%s", text.c_str(), text.empty() ? "" : " ...");
}

ProgressTicker::ProgressTicker(std::string text, std::function<unsigned()> percent) {
  progress(text);
  if (!on_terminal()) return;
  thread_ = std::thread([this, text = std::move(text), percent = std::move(percent)] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kTick, [this] { return over_; }))
      progress(text + ", " + std::to_string(percent()) + " %");
  });
}

ProgressTicker::~ProgressTicker() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

}  // namespace nacre::bench
