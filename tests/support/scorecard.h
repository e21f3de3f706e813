// What every proof program has: --tier, --seed and --json, a bar on a terminal, the case at hand printed when the
// process dies in it, and figures for the scorecard at the end.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::test {

struct ProofArguments {
  std::string program;
  enum class Tier : uint8_t { smoke, commit, nightly } tier = Tier::smoke;  ///< smoke: a few seconds, for ./dev test
  uint64_t seed = 20240229;
  std::string json;  ///< path; empty: none
  std::string only;  ///< --only=TEXT: cases whose line contains it
  bool verbose = false;

  /// How many of something that costs time: by tier.
  uint64_t pick(uint64_t smoke, uint64_t commit, uint64_t nightly) const noexcept {
    return tier == Tier::smoke ? smoke : tier == Tier::commit ? commit : nightly;
  }
};

/// Exits 2 on what it does not know.
inline ProofArguments parse_arguments(int argc, char** argv, const char* usage) {
  ProofArguments a;
  a.program = argv[0];
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&](std::string_view name) { return std::string(arg.substr(name.size())); };
    if (arg == "--tier=smoke")
      a.tier = ProofArguments::Tier::smoke;
    else if (arg == "--tier=commit")
      a.tier = ProofArguments::Tier::commit;
    else if (arg == "--tier=nightly")
      a.tier = ProofArguments::Tier::nightly;
    else if (arg.starts_with("--seed="))
      a.seed = std::strtoull(value("--seed=").c_str(), nullptr, 10);
    else if (arg.starts_with("--json="))
      a.json = value("--json=");
    else if (arg.starts_with("--only="))
      a.only = value("--only=");
    else if (arg == "--verbose")
      a.verbose = true;
    else {
      std::fprintf(stderr, "%s", usage);
      std::exit(arg == "--help" ? 0 : 2);
    }
  }
  return a;
}

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// One line of the scorecard. `cuts`: cases that exist and were not run.
struct ScoreFigure {
  std::string figure;
  uint64_t count = 0, violations = 0, cuts = 0;
  std::string model;
  double seconds = 0;
};

// ---- the case at hand

namespace detail {
inline char g_case[512] = "(none)";
inline pid_t g_case_process = 0;

inline void die_naming_the_case(int signal) {
  std::signal(signal, SIG_DFL);
  if (::getpid() == g_case_process) {
    char text[700];
    const int n = std::snprintf(text, sizeof text, "\nsignal %d in: %s\n", signal, g_case);
    if (::write(STDOUT_FILENO, text, static_cast<size_t>(n)) != n) ::_exit(3);
  }
  ::raise(signal);
}
}  // namespace detail

/// From here on a crash or a hang of this process prints the line that repeats its case. Not in forked children.
inline void watch_cases() {
  detail::g_case_process = ::getpid();
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM})
    std::signal(signal, detail::die_naming_the_case);
}

constexpr unsigned kHangSeconds = 60;

inline void begin_case(const std::string& line) {
  std::snprintf(detail::g_case, sizeof detail::g_case, "%s", line.c_str());
  ::alarm(kHangSeconds);
}

// ---- progress and the end

/// Drawn on a terminal only.
class ProgressBar {
 public:
  ProgressBar(std::string what, uint64_t total) : what_(std::move(what)), total_(total), shown_(::isatty(2) != 0) {}
  ~ProgressBar() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }
  ProgressBar(const ProgressBar&) = delete;
  void step() {
    ++done_;
    if (!shown_ || done_ % 16 != 0) return;
    const auto filled = static_cast<int>(total_ == 0 ? 0 : std::min<uint64_t>(40, done_ * 40 / total_));
    std::fprintf(stderr, "\r%-28s [%-40.*s] %llu", what_.c_str(), filled, "########################################",
                 static_cast<unsigned long long>(done_));
  }

 private:
  std::string what_;
  uint64_t total_, done_ = 0;
  bool shown_;
};

/// Prints the figures, writes the JSON; the exit status of the program.
inline int report(const ProofArguments& arguments, const std::vector<ScoreFigure>& figures) {
  using ull = unsigned long long;
  bool failed = false;
  std::string json = "[";
  for (const ScoreFigure& f : figures) {
    failed |= f.violations != 0 || f.count == 0;
    std::printf("%-52s %9llu  violations %llu  cuts %llu  %s  %.1f s\n", f.figure.c_str(), static_cast<ull>(f.count),
                static_cast<ull>(f.violations), static_cast<ull>(f.cuts), f.model.c_str(), f.seconds);
    char line[512];
    std::snprintf(line, sizeof line,
                  "%s\n  {\"figure\": \"%s\", \"count\": %llu, \"violations\": %llu, \"cuts\": %llu, "
                  "\"model\": \"%s\", \"seconds\": %.2f}",
                  json.size() == 1 ? "" : ",", f.figure.c_str(), static_cast<ull>(f.count),
                  static_cast<ull>(f.violations), static_cast<ull>(f.cuts), f.model.c_str(), f.seconds);
    json += line;
  }
  json += "\n]\n";
  if (!arguments.json.empty()) {
    std::FILE* file = std::fopen(arguments.json.c_str(), "w");
    if (file == nullptr || std::fputs(json.c_str(), file) < 0 || std::fclose(file) != 0) {
      std::fprintf(stderr, "cannot write %s\n", arguments.json.c_str());
      return 1;
    }
  }
  return failed ? 1 : 0;
}

}  // namespace nacre::test
