#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "tools/text.h"

namespace nacre::tools {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr uint64_t kBarCells = 24;

std::string bar(uint64_t bytes, uint64_t total_bytes) {
  const double part = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(total_bytes));
  const auto cells = static_cast<size_t>(part * kBarCells);
  std::string drawn(cells, '=');
  if (cells < kBarCells) drawn += '>';
  drawn.resize(kBarCells, ' ');
  return fmt::format("[{}] {:3.0f} %  ", drawn, part * 100);
}

}  // namespace

std::string progress_line(uint64_t pairs, uint64_t bytes, uint64_t total_bytes, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(pairs) / seconds : 0;
  return fmt::format("{}{} pairs  {}  {} pairs/s", total_bytes > 0 ? bar(bytes, total_bytes) : "",
                     grouped(pairs), human_bytes(bytes), grouped(static_cast<uint64_t>(rate)));
}

Progress::Progress(uint64_t total_bytes)
    : total_bytes_(total_bytes),
      visible_(::isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      next_draw_(begin_ + kRedraw) {}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

void Progress::update(uint64_t pairs, uint64_t bytes) {
  if (!visible_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kRedraw;
  drawn_ = true;
  draw(pairs, bytes);
}

void Progress::draw(uint64_t pairs, uint64_t bytes) const {
  // \033[K clears what a longer line left.
  std::fprintf(stderr, "\r%s\033[K", progress_line(pairs, bytes, total_bytes_, seconds()).c_str());
  std::fflush(stderr);
}

void Progress::clear() {
  if (!drawn_) return;
  drawn_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace nacre::tools
