// A child process that performs calls while its parent looks at every instruction (ptrace).
//
// step() runs a call one instruction at a time. Where the processor is a virtual one that costs tens of microseconds
// each. leap() runs from one known write-back or fence to the next: they carry a breakpoint each, and are skipped, for
// they change nothing that a program sees. What has never been stepped through has no breakpoint: unseen_code() tells.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>

#include "tests/machine/calls.h"
#include "tests/machine/decode.h"

namespace nacre::machine {

/// Write-backs and fences: their length in bytes, by address.
using SeenCode = std::map<uint64_t, uint8_t>;

/// An offset in the code of perform() that looks like a write-back or a fence and is not among them; -1: none.
int64_t unseen_code(const SeenCode& seen);

class Tracee {
 public:
  /// Nothing, with the reason, if this process may not trace. Copies are from `source`, in the memory of both.
  static std::unique_ptr<Tracee> start(pmem::Domain& domain, const std::byte* source, std::string& why_not);
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  /// Both throw std::runtime_error if the child ends or gets a signal.
  void step(const Call& call, Watcher& watcher);
  /// Only after set_breakpoints(), and then no more step(). Not for copies: stores past the cache are not skipped.
  void leap(const Call& call, Watcher& watcher);
  void set_breakpoints();
  /// Where the write-backs and fences are that were stepped through.
  const SeenCode& seen() const noexcept { return seen_; }

  uint64_t answer() const noexcept;  ///< of the last call
  uint64_t instructions() const noexcept { return instructions_; }
  uint64_t stops() const noexcept { return stops_; }

 private:
  struct Shared;
  Tracee(pid_t child, Shared* shared) : child_(child), shared_(shared) {}
  void resume(int request);

  const pid_t child_;
  Shared* const shared_;
  SeenCode seen_;
  uint64_t instructions_ = 0, stops_ = 0;
};

}  // namespace nacre::machine
