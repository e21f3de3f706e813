// A process of this very program with another command line, whose standard output comes back through a pipe.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace nacre::bench {

class ChildProcess {
 public:
  /// Starts it; throws BenchError.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  /// Kills what still runs, and waits for it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Waits until it has written `bytes` bytes; throws BenchError when it ends before.
  void read(void* out, size_t bytes);
  /// Waits for its end; throws BenchError unless it exits with 0.
  void expect_success();
  /// SIGKILL, and waits; throws BenchError when it had ended already.
  void kill();

 private:
  int wait();

  pid_t pid_ = -1;
  int pipe_ = -1;
};

}  // namespace nacre::bench
