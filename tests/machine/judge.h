// What the instructions of one call must be: each line of its range exactly once and no other, by the instruction that
// was asked for, and a fence behind them where one is promised.
#pragma once

#include <array>
#include <string>

#include "tests/machine/calls.h"
#include "tests/machine/decode.h"

namespace nacre::machine {

inline constexpr uint64_t kMaxCallBytes = 4200;

/// An unoptimized build asks for the order of an atomic store at run time, and takes a locked instruction.
#if defined(__OPTIMIZE__)
inline constexpr bool kMayLock = false;
#else
inline constexpr bool kMayLock = true;
#endif

class Judge final : public Watcher {
 public:
  /// Before the call begins: overwrites the target of a copy, and the line on each side of it.
  Judge(const Call& call, const pmem::Domain& domain, const std::byte* source);
  void see(const Instruction& instruction) override;
  /// Of the whole call, when it has ended. Empty: as promised.
  std::string verdict();

 private:
  void see_write_back(const Instruction& instruction);
  void see_stream(const Instruction& instruction);
  void wrong(const std::string& what);
  bool copied(uint64_t off, uint64_t bytes) const;
  uint64_t first_line() const noexcept { return call_.off / kLineBytes; }
  uint64_t line_count() const noexcept;
  bool in_range(uint64_t line) const noexcept { return line - first_line() < line_count(); }

  struct Line {
    uint64_t streamed = 0;  // which of its bytes, by stores past the cache
    bool written_back = false;
  };

  const Call call_;
  const Op promise_;
  const pmem::Domain& domain_;
  const std::byte* const source_;
  std::array<Line, kMaxCallBytes / kLineBytes + 3> lines_{};
  uint64_t fences_ = 0;
  std::string wrong_;
};

}  // namespace nacre::machine
