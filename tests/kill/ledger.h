// What a child tells its parent, in memory that both map: it survives the child's SIGKILL to the last store.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace nacre::kill_test {

inline constexpr uint32_t kWriters = 4;
inline constexpr uint32_t kMaxOps = 1 << 15;  // of one writer in one round

/// Operation n is in flight while started == n + 1 and done == n. `codes` holds the outcome of each that is done.
struct alignas(64) WriterLog {
  std::atomic<uint32_t> started{0}, done{0};
  std::atomic<uint8_t> codes[kMaxOps];
};

struct Ledger {
  std::atomic<uint64_t> events{0};  ///< of a child that came to its end
  std::atomic<uint32_t> ended{0};   ///< 1: the child did all it was to do
  std::atomic<uint32_t> opened{0};  ///< 1: the pool is open
  std::atomic<uint32_t> complaints{0};
  char complaint[400];  ///< the first thing a child found to be wrong
  WriterLog writers[kWriters];

  /// From a child; the first one is kept.
  template <class... Args>
  void complain(const char* format, Args... args) noexcept {
    if (complaints.fetch_add(1) == 0) std::snprintf(complaint, sizeof complaint, format, args...);
  }
  void clear() noexcept {
    events = 0;
    ended = opened = complaints = 0;
    for (WriterLog& w : writers) w.started = w.done = 0;
  }
};

class SharedLedger {
 public:
  SharedLedger() {
    void* at = ::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    ledger_ = new (at) Ledger;
  }
  ~SharedLedger() { ::munmap(ledger_, sizeof(Ledger)); }
  SharedLedger(const SharedLedger&) = delete;
  Ledger* operator->() const noexcept { return ledger_; }
  Ledger& operator*() const noexcept { return *ledger_; }

 private:
  Ledger* ledger_;
};

}  // namespace nacre::kill_test
