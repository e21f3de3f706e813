// One line on standard error that tells how far a load is; nothing at all unless that is a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace nacre::tools {

class Progress {
 public:
  /// `total_bytes` of input, 0 if unknown: then there is no bar, only figures.
  explicit Progress(uint64_t total_bytes);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Redraws at most ten times a second.
  void update(uint64_t pairs, uint64_t bytes);
  /// Removes the line, so that what follows begins at the left.
  void clear();
  double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  void draw(uint64_t pairs, uint64_t bytes) const;

  uint64_t total_bytes_;
  bool visible_;
  bool drawn_ = false;
  Clock::time_point begin_;
  Clock::time_point next_draw_;
};

/// The line itself, apart from the terminal: "[=====>     ]  43 %  1,234 pairs  5.6 MiB  12,345 pairs/s".
std::string progress_line(uint64_t pairs, uint64_t bytes, uint64_t total_bytes, double seconds);

}  // namespace nacre::tools
