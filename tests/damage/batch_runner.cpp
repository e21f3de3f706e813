#include "tests/damage/batch_runner.h"

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <new>

namespace nacre::damage {
namespace {

constexpr int kHungExit = 77;
constexpr uint32_t kMaxFindings = 20;

/// What parent and children share.
struct Board {
  std::atomic<uint64_t> next{0};  // the case that is being judged, or the first that was not
  uint64_t cases = 0, violations = 0, no_change = 0;
  uint32_t finding_count = 0;
  Finding findings[kMaxFindings];
  Tally tally{};

  void count(const Damage& damage, Region region, uint32_t write, const Verdict& v) noexcept {
    ++cases;
    const Family family = family_of(damage);
    Cell& cell = tally[static_cast<size_t>(family)][static_cast<size_t>(region)];
    ++cell.outcomes[static_cast<size_t>(v.outcome)];
    cell.check_disagrees += v.check_disagrees;
    cell.odd_errors += v.odd_error;
    if (!is_violation(family, region, v)) return;
    ++violations;
    ++cell.violations;
    if (finding_count < kMaxFindings)
      findings[finding_count++] = {damage, write, v.outcome, v.check_disagrees, v.odd_error};
  }
};

// ---- the child: its own clock tells when a case does not end

Board* g_board = nullptr;
uint64_t g_seen_case = 0;
uint32_t g_idle_s = 0, g_hang_s = 0;

void on_tick(int) {
  const uint64_t now = g_board->next.load(std::memory_order_relaxed);
  if (now != g_seen_case) g_idle_s = 0;
  g_seen_case = now;
  if (++g_idle_s >= g_hang_s) _exit(kHungExit);
}

void misbehave(uint64_t index, const BatchOptions& options) {
  if (options.self_crash != 0 && index == options.self_crash) std::raise(SIGSEGV);
  while (options.self_hang != 0 && index == options.self_hang) ::usleep(1000);
}

[[noreturn]] void run_child(Board& board, Judge& judge, const Plan& plan, const BatchOptions& options) {
  g_board = &board;
  g_hang_s = options.hang_s;
  std::signal(SIGALRM, on_tick);
  const itimerval second{.it_interval = {1, 0}, .it_value = {1, 0}};
  ::setitimer(ITIMER_REAL, &second, nullptr);
  for (uint64_t i = board.next.load(); i < plan.size(); board.next.store(++i)) {
    misbehave(i, options);
    const Damage& damage = plan[i];
    const auto write = static_cast<uint32_t>(i % Judge::kWrites);
    if (damage.kind != DamageKind::bits && !judge.changes_anything(damage))
      ++board.no_change;
    else
      board.count(damage, judge.region_of(damage), write, judge.judge(damage, write));
  }
  _exit(0);
}

// ---- the parent

/// How the child ended; -1: it still runs.
int poll_child(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, WNOHANG) == child ? status : -1;
}

}  // namespace

BatchReport run_plan(Judge& judge, const Plan& plan, const BatchOptions& options) {
  void* shared = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::bad_alloc();
  Board& board = *new (shared) Board;
  BatchReport report;
  while (board.next.load() < plan.size()) {
    const pid_t child = ::fork();
    if (child < 0) std::abort();
    if (child == 0) run_child(board, judge, plan, options);
    int status;
    while ((status = poll_child(child)) == -1) {
      ::usleep(20'000);
      if (options.progress) options.progress(board.next.load(), board.violations);
    }
    const uint64_t at = board.next.load();
    if (at >= plan.size()) break;
    const bool hung = WIFEXITED(status) && WEXITSTATUS(status) == kHungExit;
    Verdict v;
    v.outcome = hung ? Outcome::hang : Outcome::crash;
    ++(hung ? report.hangs : report.crashes);
    board.count(plan[at], judge.region_of(plan[at]), static_cast<uint32_t>(at % Judge::kWrites), v);
    board.next.store(at + 1);
  }
  report.tally = board.tally;
  report.cases = board.cases;
  report.violations = board.violations;
  report.no_change = board.no_change;
  report.findings.assign(board.findings, board.findings + board.finding_count);
  ::munmap(shared, sizeof(Board));
  return report;
}

}  // namespace nacre::damage
