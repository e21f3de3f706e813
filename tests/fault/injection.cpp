#include "tests/fault/injection.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "tests/support/failing_new.h"

namespace nacre::fault_test {
namespace {

constexpr uint64_t kMostCalls = 1 << 16;
constexpr int kInterruptions = 100;
constexpr int64_t kFar = int64_t{1} << 60;  // counts, and does not come

Fault g_fault;
bool g_injecting = false;
std::array<os::Call, kMostCalls> g_calls;
std::atomic<uint64_t> g_call_count{0};
int g_interruptions_left = 0;
bool g_call_struck = false;
os::Call g_struck_kind{};
int64_t g_allocations_left_then = kFar;  // while no Injecting is alive
int64_t g_allocations_start = kFar;

bool fails(uint64_t n, os::Call call) noexcept {
  if (g_fault.what != What::call || n < g_fault.k) return false;
  if (n == g_fault.k) {
    g_call_struck = true;
    g_struck_kind = call;
    return true;
  }
  return g_fault.mode == Mode::sticky || (g_fault.mode == Mode::sticky_kind && call == g_struck_kind);
}

int on_call(os::Call call) {
  if (!g_injecting) return 0;
  if (g_interruptions_left > 0) return --g_interruptions_left > 0 ? EINTR : 0;  // asked again for the same call
  const uint64_t n = g_call_count.fetch_add(1);
  if (n < kMostCalls) g_calls[n] = call;
  if (!fails(n, call)) return 0;
  if (g_fault.error == EINTR) g_interruptions_left = kInterruptions;
  return g_fault.error;
}

}  // namespace

void arm(const Fault& fault) noexcept {
  g_fault = fault;
  g_call_count = 0;
  g_call_struck = false;
  g_interruptions_left = 0;
  g_allocations_start = fault.what == What::allocation ? static_cast<int64_t>(fault.k) : kFar;
  g_allocations_left_then = g_allocations_start;
  test::g_allocations_stay_failed = fault.what == What::allocation && fault.mode != Mode::once;
  os::set_fault_hook(on_call);
}

void disarm() noexcept {
  g_fault = {};
  g_allocations_left_then = kFar;
  test::g_allocations_stay_failed = false;
  g_interruptions_left = 0;
}

bool struck() noexcept {
  return g_call_struck || g_allocations_left_then <= (test::g_allocations_stay_failed ? 0 : -1);
}

uint64_t allocations_seen() noexcept { return static_cast<uint64_t>(g_allocations_start - g_allocations_left_then); }

std::span<const os::Call> calls_seen() noexcept {
  return std::span(g_calls).first(std::min(kMostCalls, g_call_count.load()));
}

int64_t allocations_alive() noexcept { return test::g_allocations_alive.load(); }

Injecting::Injecting() noexcept {
  g_injecting = true;
  test::g_allocations_left = g_allocations_left_then;
}

Injecting::~Injecting() {
  g_allocations_left_then = test::g_allocations_left;
  test::g_allocations_left = -1;
  g_injecting = false;
}

std::span<const int> errors_of(os::Call call) noexcept {
  static constexpr int kOpen[] = {EIO, EMFILE, ENFILE, ENOMEM, EACCES, ENOSPC, EROFS, EINTR};
  static constexpr int kClose[] = {EIO, ENOSPC, EDQUOT, EINTR};
  static constexpr int kStat[] = {EIO, ENOMEM, EOVERFLOW, EINTR};
  static constexpr int kTruncate[] = {EIO, EPERM, EFBIG, EINTR};
  static constexpr int kAllocate[] = {ENOSPC, EIO, EFBIG, EDQUOT, EOPNOTSUPP, EINTR};
  static constexpr int kUnlink[] = {EIO, EROFS, EACCES, EINTR};
  static constexpr int kSync[] = {EIO, ENOSPC, EDQUOT, EINTR};
  static constexpr int kMap[] = {ENOMEM, ENODEV, ENFILE, EAGAIN, EINTR};
  static constexpr int kUnmap[] = {ENOMEM, EINVAL};
  static constexpr int kMsync[] = {EIO, ENOMEM, EBUSY, EINTR};
  static constexpr int kAdvise[] = {ENOMEM, EINVAL, EIO, EAGAIN, EINTR};
  static constexpr int kLock[] = {EAGAIN, EACCES, ENOLCK, EINTR};
  static constexpr int kRandom[] = {ENOSYS, EAGAIN, EINTR};
  static constexpr int kLimit[] = {EINVAL, EFAULT};
  switch (call) {
    case os::Call::open:
      return kOpen;
    case os::Call::close:
      return kClose;
    case os::Call::stat:
    case os::Call::fstat:
    case os::Call::statvfs:
      return kStat;
    case os::Call::ftruncate:
      return kTruncate;
    case os::Call::fallocate:
      return kAllocate;
    case os::Call::unlink:
    case os::Call::rename:
      return kUnlink;
    case os::Call::fsync:
    case os::Call::fdatasync:
    case os::Call::pread:
    case os::Call::pwrite:
      return kSync;
    case os::Call::mmap:
      return kMap;
    case os::Call::munmap:
      return kUnmap;
    case os::Call::msync:
      return kMsync;
    case os::Call::madvise:
    case os::Call::huge_pages:
      return kAdvise;
    case os::Call::lock:
      return kLock;
    case os::Call::getrandom:
      return kRandom;
    case os::Call::getrlimit:
      return kLimit;
    case os::Call::count_:
      break;
  }
  return {};
}

std::string describe(const Fault& fault) {
  const char* mode = fault.mode == Mode::once ? "once" : fault.mode == Mode::sticky ? "sticky" : "kind";
  const std::string at = "=" + std::to_string(fault.k) + " " + mode;
  if (fault.what == What::allocation) return "allocation" + at + ".";
  return "call" + at + " " + ::strerrorname_np(fault.error) + ".";
}

}  // namespace nacre::fault_test
