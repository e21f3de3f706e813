// nacre_kill_test: processes that work on real pool files are killed by SIGKILL; whatever they had been told is done
// must be there afterwards.
//
//   nacre_kill_test [--tier=smoke|commit|nightly] [--seed=N] [--only=TEXT] [--json=FILE] [--verbose]
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "tests/kill/rounds.h"

namespace nacre::kill_test {

void violation(Tally& tally, const test::ProofArguments& arguments, const std::string& line, const std::string& what) {
  constexpr uint64_t kMostPrinted = 20;
  if (++tally.violations > kMostPrinted) return;
  std::printf("VIOLATION %s\n  repeat: nacre_kill_test --tier=nightly --seed=%llu --only='%s'\n", what.c_str(),
              static_cast<unsigned long long>(arguments.seed), line.c_str());
  std::fflush(stdout);
}

pid_t spawn(const std::function<void()>& body) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(0);
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) (void)::signal(signal, SIG_DFL);
    body();
    ::_exit(0);
  }
  if (child < 0) std::abort();
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) != child) {
  }
  return status;
}

namespace {

test::ScoreFigure figure_of(const char* name, const Tally& t, const char* model) {
  std::printf("# %s: %llu operations acknowledged, %llu in flight of which %llu had happened\n", name,
              static_cast<unsigned long long>(t.acknowledged), static_cast<unsigned long long>(t.in_flight),
              static_cast<unsigned long long>(t.kept));
  return {name, t.rounds, t.violations, t.cuts, model, t.seconds};
}

int run(const test::ProofArguments& arguments) {
  test::watch_cases();
  Tally scripted, random;
  scripted_kills(arguments, scripted);
  random_kills(arguments, random);
  std::vector<test::ScoreFigure> figures;
  if (arguments.only.empty() || scripted.rounds != 0)
    figures.push_back(figure_of("kill -9 at every event of a script", scripted, "K: all stores survive, real files"));
  if (arguments.only.empty() || random.rounds != 0)
    figures.push_back(figure_of("kill -9 at random, 4 writers", random, "K: all stores survive, real files"));
  return test::report(arguments, figures);
}

}  // namespace
}  // namespace nacre::kill_test

int main(int argc, char** argv) {
  return nacre::kill_test::run(nacre::test::parse_arguments(
      argc, argv,
      "nacre_kill_test [--tier=smoke|commit|nightly] [--seed=N] [--only=TEXT] [--json=FILE] [--verbose]\n"));
}
