// nacre_interleave_test: two or three threads, one schedule after the other, a power failure at every crash point of
// each, and what recovery finds against what the history allows (durable linearizability).
//
//   nacre_interleave_test                           some seconds; --tier=commit|nightly for more
//                --only=TEXT                        workloads, or with --mutants points, whose names contain TEXT
//                --mutants                          only the points that interleavings have to notice
//                --list
//   --workload=NAME --schedule=1@57,0@90 [--point=N --pick=...] [--broken=POINT]     repeats one case
//   --config=... --prepare='op;op' --setup='op;op' --threads='op;op|op;op'    a workload of one's own
//   --model=W|L|E  --preemptions=N  --seconds=N (of each workload)  --states=N (of each crash point)  --seed=N
//   --json=FILE
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "tests/crash/replay_text.h"
#include "tests/crash/subprocess.h"
#include "tests/interleave/explore.h"
#include "tests/interleave/mutants.h"
#include "tests/support/scorecard.h"

namespace nacre::interleave {
namespace {

constexpr char kField = '\x1f';
constexpr unsigned kHangSeconds = 120;
constexpr uint64_t kFewStates = 24;
constexpr double kSecondsToKill = 30;  // a mutant whose workload is known; most take less than one
constexpr size_t kLineBytesMax = 512;
constexpr const char* kUsage =
    "usage: nacre_interleave_test [--tier=smoke|commit|nightly] [--only=TEXT] [--mutants] [--list] [--seed=N]\n"
    "         [--json=FILE] [--model=W|L|E] [--preemptions=N] [--seconds=N] [--verbose]\n"
    "       nacre_interleave_test --workload=NAME --schedule=T@STEP,... [--point=N --pick=...] [--broken=POINT]\n";

struct Arguments {
  test::ProofArguments common;
  ExploreConfig explore;
  std::string workload, broken;
  Workload given{kGiven, {}, {}, {}, {}};
  ReplayRequest replay;
  bool smoke() const noexcept { return common.tier == test::ProofArguments::Tier::smoke; }
  bool replays = false, mutants = false, list = false, preemptions_given = false;
};

bool take(std::string_view argument, std::string_view name, std::string* value) {
  if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return false;
  *value = argument.substr(name.size() + 1);
  return true;
}

bool parse_model(const std::string& text, Arguments* a) {
  for (const auto model : {crash::CrashModel::W, crash::CrashModel::L, crash::CrashModel::E})
    if (text == crash::model_name(model)) return a->explore.selection.model = model, true;
  return false;
}

/// False if it is none of this program's own.
bool parse_own(std::string_view argument, Arguments* a) {
  std::string v;
  if (argument == "--mutants") return a->mutants = true;
  if (argument == "--list") return a->list = true;
  if (take(argument, "--workload", &a->workload) || take(argument, "--broken", &a->broken) ||
      take(argument, "--pick", &a->replay.pick))
    return true;
  if (take(argument, "--config", &a->given.config)) return true;
  if (take(argument, "--prepare", &v)) return a->given.prepare = crash::split(v, ';'), true;
  if (take(argument, "--setup", &v)) return a->given.setup = crash::split(v, ';'), true;
  if (take(argument, "--threads", &v)) {
    for (const std::string& thread : crash::split(v, '|')) a->given.threads.push_back(crash::split(thread, ';'));
    return a->given.threads.size() <= kMaxThreads;
  }
  if (take(argument, "--schedule", &a->replay.schedule)) return a->replays = true;
  if (take(argument, "--random", &v)) return a->replay.random_seed = std::stoull(v), a->replays = true;
  if (take(argument, "--steps", &v)) return a->replay.random_steps = std::stoull(v), true;
  if (take(argument, "--point", &v)) return a->replay.point = std::stoi(v), true;
  if (take(argument, "--model", &v)) return parse_model(v, a);
  if (take(argument, "--states", &v)) {
    a->explore.selection.exhaustive = a->explore.selection.sampled = std::stoull(v);
    return true;
  }
  if (take(argument, "--seconds", &v)) return a->explore.seconds = std::stod(v), true;
  if (take(argument, "--preemptions", &v)) {
    a->explore.preemptions = std::min(static_cast<uint32_t>(std::stoul(v)), kMaxPreemptions);
    return a->preemptions_given = true;
  }
  return false;
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  std::vector<char*> rest = {argv[0]};
  for (int i = 1; i < argc; ++i) {
    bool own = false;
    try {
      own = parse_own(argv[i], &a);
    } catch (const std::exception&) {  // a number that is none: said below
    }
    if (!own) rest.push_back(argv[i]);
  }
  a.common = test::parse_arguments(static_cast<int>(rest.size()), rest.data(), kUsage);
  a.explore.seed = a.common.seed;
  return a;
}

// ---- each workload in a process of its own: it may die, or its threads may hang

class CaseLine {
 public:
  CaseLine()
      : text_(static_cast<char*>(
            mmap(nullptr, kLineBytesMax, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (text_ == MAP_FAILED) std::abort();
  }
  void set(const std::string& line) { std::snprintf(text_, kLineBytesMax, "%s", line.c_str()); }
  const char* get() const { return text_; }

 private:
  char* text_;  // shared with the processes
};

CaseLine& case_at_hand() {
  static CaseLine line;
  return line;
}

std::string packed(const Tally& t) {
  std::string text;
  const auto add = [&](uint64_t n) { text += std::to_string(n) + kField; };
  for (uint64_t n : t.schedules) add(n);
  for (uint64_t n : {t.random, t.cut_schedules, t.uncrashed, t.late_words, t.points, t.states, t.cut_points,
                     t.leaked_bytes, t.violations})
    add(n);
  return text + t.line + " " + kField + t.what + " ";  // split() drops what is empty
}

Tally unpacked(const crash::Answer& answer) {
  Tally t;
  const std::vector<std::string> f = crash::split(answer.text, kField);
  if (answer.signal != 0 || f.size() < kMaxPreemptions + 12) {
    t.violations = 1;
    t.what = answer.signal == SIGXCPU || answer.signal == SIGKILL ? "the program hangs"
             : answer.signal != 0 ? std::string("the program dies: ") + strsignal(answer.signal)
                                  : "the program ends early";
    t.line = case_at_hand().get();
    return t;
  }
  size_t i = 0;
  for (uint64_t& n : t.schedules) n = std::stoull(f[i++]);
  for (uint64_t* n : {&t.random, &t.cut_schedules, &t.uncrashed, &t.late_words, &t.points, &t.states, &t.cut_points,
                      &t.leaked_bytes, &t.violations})
    *n = std::stoull(f[i++]);
  t.line = f[i].substr(0, f[i].size() - 1);
  t.what = f[i + 1].substr(0, f[i + 1].size() - 1);
  return t;
}

Tally explore_apart(const Workload& workload, const ExploreConfig& config, std::string_view broken) {
  const test::Stopwatch watch;
  crash::Subprocess process(
      [&] {
        for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGALRM}) std::signal(signal, SIG_DFL);
        if (!broken.empty() && !break_point(broken)) return std::string();
        return packed(explore(workload, config, [](const std::string& line) { case_at_hand().set(line); }));
      },
      kHangSeconds + static_cast<unsigned>(config.seconds));
  Tally t = unpacked(process.wait());
  t.seconds = watch.seconds();
  return t;
}

// ---- the workloads as they are

void show(const Workload& w, const Tally& t) {
  using ull = unsigned long long;
  std::printf(
      "%-78s %6llu+%llu+%llu schedules (%llu random, %llu cut, %llu not crashed, %llu late words), %llu points, %llu "
      "states, %.1f s\n",
      w.name.c_str(), static_cast<ull>(t.schedules[0]), static_cast<ull>(t.schedules[1]),
      static_cast<ull>(t.schedules[2] + t.schedules[3]), static_cast<ull>(t.random), static_cast<ull>(t.cut_schedules),
      static_cast<ull>(t.uncrashed), static_cast<ull>(t.late_words), static_cast<ull>(t.points),
      static_cast<ull>(t.states), t.seconds);
}

Tally run_workloads(const Arguments& a, const ExploreConfig& config) {
  Tally all;
  for (const Workload& w : a.given.threads.empty() ? workloads() : std::vector{a.given}) {
    if (w.name != kGiven && w.name.find(a.common.only) == std::string::npos) continue;
    if (a.smoke() && a.common.only.empty() && w.name.starts_with("strict")) continue;
    const Tally t = explore_apart(w, config, a.broken);
    all.add(t);
    if (a.common.verbose) show(w, t);
    if (t.violations != 0)
      std::printf("VIOLATION: %s\n  nacre_interleave_test %s --model=%s\n", t.what.c_str(), t.line.c_str(),
                  crash::model_name(config.selection.model));
    std::fflush(stdout);
  }
  return all;
}

// ---- with a point broken

struct Kill {
  std::string workload;
  Tally tally;
};

std::optional<Kill> kill(const Point& point, const Arguments& a, const ExploreConfig& config, bool search) {
  const auto attempt = [&](const Workload& w, const ExploreConfig& c) -> std::optional<Kill> {
    Tally t = explore_apart(w, c, point.name);
    if (t.violations == 0) return std::nullopt;
    return Kill{w.name, std::move(t)};
  };
  ExploreConfig known = config;  // more time, but for this one only
  known.seconds = kSecondsToKill;
  known.preemptions = point.preemptions;
  known.selection.exhaustive = known.selection.sampled = point.states;
  if (const Workload* first = find_workload(point.killed_by))
    if (auto k = attempt(*first, known)) return k;
  if (!search) return std::nullopt;
  for (const Workload& w : workloads())
    if (w.name.find(a.workload) != std::string::npos)
      if (auto k = attempt(w, config)) return k;
  return std::nullopt;
}

test::ScoreFigure run_mutants(const Arguments& a, const ExploreConfig& config, bool search) {
  const test::Stopwatch watch;
  test::ScoreFigure score{"interleaving mutants killed", 0, 0, 0, crash::model_name(config.selection.model), 0};
  for (const Point& p : points()) {
    if (a.mutants && p.name.find(a.common.only) == std::string::npos) continue;
    if (a.smoke() && !a.mutants && (p.preemptions > 1 || p.states > kFewStates)) continue;
    const bool look_everywhere = search && p.equivalent.empty();
    const auto k = kill(p, a, config, look_everywhere);
    const char* verdict = k                      ? (p.equivalent.empty() ? "killed" : "NOT EQUIVALENT")
                          : p.equivalent.empty() ? "SURVIVED"
                                                 : "equivalent";
    (k && p.equivalent.empty() ? score.count : p.equivalent.empty() || k ? score.violations : score.cuts) += 1;
    if (a.common.verbose || std::isupper(static_cast<unsigned char>(verdict[0])) != 0) {
      std::printf("%-14s %-34s %s\n", verdict, p.name.c_str(), k ? k->workload.c_str() : p.equivalent.c_str());
      if (k)
        std::printf("    %s\n    nacre_interleave_test %s --broken=%s\n", k->tally.what.substr(0, 300).c_str(),
                    k->tally.line.c_str(), p.name.c_str());
      std::fflush(stdout);
    }
  }
  score.seconds = watch.seconds();
  std::printf("interleaving mutants: %llu killed, %llu survived, %llu equivalent\n",
              static_cast<unsigned long long>(score.count), static_cast<unsigned long long>(score.violations),
              static_cast<unsigned long long>(score.cuts));
  return score;
}

// ---- all together

int repeat(const Arguments& a) {
  const Workload* w = a.given.threads.empty() ? find_workload(a.workload) : &a.given;
  if (w == nullptr) return std::fprintf(stderr, "there is no workload '%s'; see --list\n", a.workload.c_str()), 2;
  if (!a.broken.empty() && !break_point(a.broken)) return std::fprintf(stderr, "no point %s\n", a.broken.c_str()), 2;
  std::string trace;
  const std::string what = replay(*w, a.replay, a.explore, &trace);
  std::printf("%s%s\n", trace.c_str(), what.empty() ? "right" : what.c_str());
  std::fflush(stdout);
  _exit(what.empty() ? 0 : 1);  // threads may hang
}

int list() {
  for (const Workload& w : workloads()) std::printf("%s\n", w.name.c_str());
  for (const Point& p : points()) std::printf("point %s: %s\n", p.name.c_str(), p.harm.c_str());
  return 0;
}

std::vector<test::ScoreFigure> figures(const Tally& t, const std::string& model) {
  return {
      {"schedules of concurrent operations", t.all_schedules(), t.violations, t.cut_schedules, model, t.seconds},
      {"crash states of concurrent operations", t.states, t.violations, t.cut_points + t.uncrashed, model, t.seconds}};
}

int run(int argc, char** argv) {
  Arguments a = parse(argc, argv);
  if (a.list) return list();
  if (a.replays) return repeat(a);
  const auto by_tier = [&](double smoke, double commit, double nightly) {
    return a.common.tier == test::ProofArguments::Tier::smoke    ? smoke
           : a.common.tier == test::ProofArguments::Tier::commit ? commit
                                                                 : nightly;
  };
  if (!a.preemptions_given && a.smoke()) a.explore.preemptions = 1;
  const bool seconds_given = a.explore.seconds != 0;
  if (!seconds_given) a.explore.seconds = by_tier(0.05, 0.4, 60);
  a.explore.random_schedules = a.common.pick(10, 50, 2000);
  std::vector<test::ScoreFigure> all;
  if (!a.mutants) {
    const std::string model = std::string(crash::model_name(a.explore.selection.model)) + ", up to " +
                              std::to_string(a.explore.preemptions) + " preemptions";
    all = figures(run_workloads(a, a.explore), model);
  }
  if (a.mutants || (a.common.only.empty() && a.given.threads.empty())) {
    ExploreConfig config = a.explore;
    if (!seconds_given) config.seconds = by_tier(0.3, 0.4, 10);
    config.preemptions = a.preemptions_given ? a.explore.preemptions : 2;
    all.push_back(run_mutants(a, config, !a.smoke() || a.mutants));
  }
  return test::report(a.common, all);
}

}  // namespace
}  // namespace nacre::interleave

int main(int argc, char** argv) { return nacre::interleave::run(argc, argv); }
