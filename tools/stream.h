// Buffered reading and writing of descriptors; every failure is a Failure that names the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/failure.h"

namespace nacre::tools {

/// A descriptor that is closed at the end, unless it is one of the three standard ones.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { close(); }
  int get() const noexcept { return fd_; }
  /// The error number of close(), 0 if it went well.
  int close() noexcept;

 private:
  int fd_;
};

/// Bytes reach the descriptor at flush() or when the buffer is full. Throws Failure(io), or ClosedPipe.
class Output {
 public:
  Output(Descriptor fd, std::string name);
  /// Standard output.
  static Output standard();
  /// Makes or empties the file; "-" is standard output.
  static Output file(const std::string& path);

  void write(std::string_view bytes);
  /// As write(), then a newline.
  void line(std::string_view bytes);
  void flush();
  /// Flushes, and closes a file of our own: some file systems report a full disk only there.
  void finish();
  /// Flushes and waits until the file is on its medium.
  void sync();

 private:
  void write_out(std::string_view bytes);

  Descriptor fd_;
  std::string name_;
  std::string buffer_;
};

class Input {
 public:
  /// "-" is standard input.
  static Input file(const std::string& path);

  /// The next line without its newline, valid until the next call; false at the end. A last line without a
  /// newline is a line; had_newline() tells.
  bool read_line(std::string_view& line);
  bool had_newline() const noexcept { return had_newline_; }
  /// Appends the next `count` bytes, in steps, so that a false count costs no memory; false if the input ends
  /// before.
  bool read_bytes(uint64_t count, std::string& out);
  /// What the input begins with: at most `count` bytes, less if a newline or the end comes before. Consumes
  /// nothing.
  std::string_view peek(size_t count);
  bool at_end();

  /// Of a regular file: the bytes from where we began to its end; 0 if unknown.
  uint64_t total_bytes() const noexcept { return total_bytes_; }
  uint64_t consumed_bytes() const noexcept { return consumed_bytes_; }
  /// True for a regular file, which rewind() can read once more.
  bool can_rewind() const noexcept { return regular_; }
  void rewind();
  const std::string& name() const noexcept { return name_; }

 private:
  Input(Descriptor fd, std::string name);
  size_t available() const noexcept { return end_ - begin_; }
  /// Reads more behind what is there; false at the end.
  bool fill();

  Descriptor fd_;
  std::string name_;
  std::unique_ptr<char[]> buffer_;
  std::string long_line_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t consumed_bytes_ = 0;
  uint64_t total_bytes_ = 0;
  uint64_t start_off_ = 0;
  bool regular_ = false;
  bool ended_ = false;
  bool had_newline_ = true;
};

/// The whole file; "-" is standard input.
std::string read_whole(const std::string& path);

}  // namespace nacre::tools
