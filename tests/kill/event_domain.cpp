#include "tests/kill/event_domain.h"

#include <signal.h>
#include <unistd.h>

#include "pmem/base/os.h"

namespace nacre::kill_test {
namespace {

std::atomic<uint64_t> g_events{0};
uint64_t g_die_at = UINT64_MAX;

}  // namespace

void arm_events(uint64_t at) noexcept {
  g_events = 0;
  g_die_at = at;
  os::set_fault_hook([](os::Call) {
    count_event();
    return 0;
  });
}

uint64_t events_seen() noexcept { return g_events.load(std::memory_order_relaxed); }

void count_event() noexcept {
  if (g_events.fetch_add(1, std::memory_order_relaxed) == g_die_at) (void)::kill(::getpid(), SIGKILL);
}

}  // namespace nacre::kill_test
