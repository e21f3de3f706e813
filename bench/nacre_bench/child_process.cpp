#include "bench/nacre_bench/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bench/nacre_bench/store.h"

namespace nacre::bench {

namespace {

constexpr const char* kThisProgram = "/proc/self/exe";

[[noreturn]] void fail(const char* what, int error) {
  throw BenchError{"a process for the benchmark: " + std::string(what) + ": " + std::strerror(error)};
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  std::vector<char*> argv = {const_cast<char*>("nacre_bench")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe", errno);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const int error = posix_spawn(&pid_, kThisProgram, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  (void)close(ends[1]);
  pipe_ = ends[0];
  if (error == 0) return;
  (void)close(pipe_);
  fail("spawn", error);
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    (void)::kill(pid_, SIGKILL);
    (void)wait();
  }
  (void)close(pipe_);
}

void ChildProcess::read(void* out, size_t bytes) {
  auto* at = static_cast<char*>(out);
  while (bytes != 0) {
    const ssize_t got = ::read(pipe_, at, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", errno);
    if (got == 0) {
      expect_success();
      throw BenchError{"a process for the benchmark said less than it must"};
    }
    at += got;
    bytes -= static_cast<size_t>(got);
  }
}

int ChildProcess::wait() {
  int status = 0;
  pid_t got;
  do got = waitpid(pid_, &status, 0);
  while (got < 0 && errno == EINTR);
  pid_ = -1;
  if (got < 0) fail("waitpid", errno);
  return status;
}

void ChildProcess::expect_success() {
  const int status = wait();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw BenchError{"a process for the benchmark ended with wait status " + std::to_string(status)};
}

void ChildProcess::kill() {
  (void)::kill(pid_, SIGKILL);
  const int status = wait();
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
    throw BenchError{"a process that should have been killed while it wrote had ended with wait status " +
                     std::to_string(status)};
}

}  // namespace nacre::bench
