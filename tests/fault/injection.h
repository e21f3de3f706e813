// What can be made to fail, one at a time or from there on: allocations and system calls.
//
// Both are counted, and fail, only while an Injecting is alive: around what the product does, not the test.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "pmem/base/os.h"

namespace nacre::fault_test {

enum class What : uint8_t { nothing, allocation, call };
enum class Mode : uint8_t {
  once,
  sticky,       ///< and everything after it
  sticky_kind,  ///< and every later call of the same kind
};

struct Fault {
  What what = What::nothing;
  uint64_t k = 0;  ///< which one, counted from 0
  Mode mode = Mode::once;
  int error = 0;  ///< of a call; EINTR: the call is interrupted a hundred times, then it is made
};

/// Starts counting anew, with this fault to come.
void arm(const Fault& fault) noexcept;
/// Nothing fails any more.
void disarm() noexcept;
bool struck() noexcept;
uint64_t allocations_seen() noexcept;
/// The system calls since arm(), in order.
std::span<const os::Call> calls_seen() noexcept;
/// Allocations that were not freed yet.
int64_t allocations_alive() noexcept;

class Injecting {
 public:
  Injecting() noexcept;
  ~Injecting();
  Injecting(const Injecting&) = delete;
};

/// The errors that the manual pages know for this call.
std::span<const int> errors_of(os::Call call) noexcept;
std::string describe(const Fault& fault);

}  // namespace nacre::fault_test
