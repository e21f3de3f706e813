// Runs a function in a forked process and gets its answer, whatever becomes of that process.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <string>

namespace nacre::crash {

struct Answer {
  std::string text;  ///< what the function returned, if it did
  int signal = 0;    ///< what ended it otherwise
};

class Subprocess {
 public:
  /// Starts `work`, which returns a text. After so many seconds of the processor it is ended; 0: never.
  template <class Work>
  explicit Subprocess(const Work& work, unsigned seconds) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    process_ = fork();
    if (process_ < 0) std::abort();
    if (process_ == 0) {
      close(ends[0]);
      const rlimit processor{seconds, seconds + 1};  // of the processor: a busy machine is no hang
      if (seconds != 0) setrlimit(RLIMIT_CPU, &processor);
      alarm(seconds * kPatience);
      send(ends[1], work());
      _exit(0);
    }
    close(ends[1]);
    reading_ = ends[0];
  }
  Subprocess(Subprocess&& other) noexcept : process_(other.process_), reading_(other.reading_) { other.process_ = -1; }
  Subprocess& operator=(Subprocess&&) = delete;
  ~Subprocess() {
    if (process_ > 0) wait();
  }

  int reading() const noexcept { return reading_; }  ///< readable when it has ended, or nearly so

  Answer wait() {
    Answer answer;
    char part[4096];
    for (ssize_t n; (n = read(reading_, part, sizeof part)) > 0;) answer.text.append(part, static_cast<size_t>(n));
    close(reading_);
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    if (WIFSIGNALED(status)) answer.signal = WTERMSIG(status);
    return answer;
  }

 private:
  static void send(int fd, const std::string& text) {
    for (size_t done = 0; done < text.size();) {
      const ssize_t n = write(fd, text.data() + done, text.size() - done);
      if (n <= 0) return;
      done += static_cast<size_t>(n);
    }
  }

  static constexpr unsigned kPatience = 30;  // waiting takes no time of the processor, and ends as well

  pid_t process_ = -1;
  int reading_ = -1;
};

}  // namespace nacre::crash
