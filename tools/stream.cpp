#include "tools/stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nacre::tools {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr mode_t kFileMode = 0666;  // less the umask, as for any tool

[[noreturn]] void fail(const std::string& name, const char* action, int error) {
  throw Failure(Exit::io, fmt::format("{}: {}: {}", name, action, std::strerror(error)));
}

int open_or_fail(const std::string& path, int flags, const char* action) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  if (fd < 0) fail(path, action, errno);
  return fd;
}

}  // namespace

int Descriptor::close() noexcept {
  const int fd = std::exchange(fd_, -1);
  return fd > STDERR_FILENO && ::close(fd) != 0 && errno != EINTR ? errno : 0;
}

Output::Output(Descriptor fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

Output Output::standard() { return {Descriptor(STDOUT_FILENO), "standard output"}; }

Output Output::file(const std::string& path) {
  if (path == "-") return standard();
  return {Descriptor(open_or_fail(path, O_WRONLY | O_CREAT | O_TRUNC, "cannot write")), path};
}

void Output::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes) return write_out(bytes);
  buffer_ += bytes;
}

void Output::line(std::string_view bytes) {
  write(bytes);
  write("\n");
}

void Output::flush() {
  const std::string pending = std::exchange(buffer_, {});  // a failure must not write it again
  write_out(pending);
}

void Output::write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EPIPE) throw ClosedPipe();
    if (done < 0) fail(name_, "cannot write", errno);
    bytes.remove_prefix(static_cast<size_t>(done));
  }
}

void Output::finish() {
  flush();
  if (const int error = fd_.close(); error != 0) fail(name_, "cannot write", error);
}

void Output::sync() {
  flush();
  // Pipes and devices have nothing to wait for and say EINVAL or EROFS.
  if (::fsync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) fail(name_, "cannot sync", errno);
}

Input::Input(Descriptor fd, std::string name)
    : fd_(std::move(fd)), name_(std::move(name)), buffer_(new char[kBufferBytes]) {
  struct stat info = {};
  if (::fstat(fd_.get(), &info) != 0) fail(name_, "cannot read", errno);
  if (S_ISDIR(info.st_mode)) fail(name_, "cannot read", EISDIR);
  const off_t start = S_ISREG(info.st_mode) ? ::lseek(fd_.get(), 0, SEEK_CUR) : -1;
  if (start < 0) return;
  regular_ = true;
  start_off_ = static_cast<uint64_t>(start);
  total_bytes_ = info.st_size > start ? static_cast<uint64_t>(info.st_size - start) : 0;
}

Input Input::file(const std::string& path) {
  if (path == "-") return {Descriptor(STDIN_FILENO), "standard input"};
  return {Descriptor(open_or_fail(path, O_RDONLY, "cannot read")), path};
}

bool Input::fill() {
  if (ended_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, available());
    end_ -= begin_;
    begin_ = 0;
  }
  ssize_t got;
  do {
    got = ::read(fd_.get(), buffer_.get() + end_, kBufferBytes - end_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) fail(name_, "cannot read", errno);
  ended_ = got == 0;
  end_ += static_cast<size_t>(got);
  return got > 0;
}

bool Input::read_line(std::string_view& line) {
  long_line_.clear();
  size_t searched = 0;
  for (;;) {
    const char* from = buffer_.get() + begin_;
    const void* newline = std::memchr(from + searched, '\n', available() - searched);
    if (newline != nullptr) {
      const auto length = static_cast<size_t>(static_cast<const char*>(newline) - from);
      line = {from, length};
      if (!long_line_.empty()) line = long_line_.append(line);
      begin_ += length + 1;
      consumed_bytes_ += length + 1;
      return had_newline_ = true;
    }
    searched = available();
    if (searched == kBufferBytes) {
      long_line_.append(from, searched);
      consumed_bytes_ += searched;
      begin_ = end_ = searched = 0;
    }
    if (fill()) continue;
    had_newline_ = false;
    line = {buffer_.get() + begin_, available()};
    consumed_bytes_ += available();
    begin_ = end_ = 0;
    if (!long_line_.empty()) line = long_line_.append(line);
    return !line.empty();
  }
}

bool Input::read_bytes(uint64_t count, std::string& out) {
  while (count > 0) {
    if (available() == 0 && !fill()) return false;
    const auto step = static_cast<size_t>(std::min<uint64_t>(count, available()));
    out.append(buffer_.get() + begin_, step);
    begin_ += step;
    consumed_bytes_ += step;
    count -= step;
  }
  return true;
}

std::string_view Input::peek(size_t count) {
  for (;;) {
    const std::string_view seen(buffer_.get() + begin_, std::min(available(), count));
    if (seen.size() == count || seen.find('\n') != std::string_view::npos || !fill()) {
      return {buffer_.get() + begin_, std::min(available(), count)};
    }
  }
}

bool Input::at_end() { return available() == 0 && !fill(); }

void Input::rewind() {
  if (::lseek(fd_.get(), static_cast<off_t>(start_off_), SEEK_SET) < 0)
    fail(name_, "cannot read again", errno);
  begin_ = end_ = 0;
  consumed_bytes_ = 0;
  ended_ = false;
}

std::string read_whole(const std::string& path) {
  Input input = Input::file(path);
  std::string bytes;
  while (input.read_bytes(kBufferBytes, bytes)) {
  }
  return bytes;
}

}  // namespace nacre::tools
