// Says of one x86-64 instruction whether it has to do with durability: a write-back, a fence, a store past the cache, a
// locked instruction; and which address it is about. Source: Intel SDM volume 2, chapter 2 and the pages of the
// instructions.
//
// It knows these instructions and no others: everything else is `plain`. An encoding of such an opcode that it cannot
// read is `unknown`, which a caller must take for a failure.
#pragma once

#include <sys/user.h>

#include <cstdint>

namespace nacre::machine {

enum class Kind : uint8_t {
  plain,    ///< none of those below
  clflush,  ///< write-backs: of the line that holds `address`
  clflushopt,
  clwb,
  sfence,
  mfence,
  stream,  ///< a non-temporal store of `store_bytes` at `address`
  locked,  ///< a lock prefix, xchg with memory, or a serializing instruction: waits for the thread's write-backs
  unknown,
};

const char* kind_name(Kind kind) noexcept;

struct Instruction {
  Kind kind = Kind::plain;
  uint8_t length_bytes = 0;  ///< of write-backs, fences and stream stores; else 0
  uint8_t store_bytes = 0;
  uint64_t address = 0;
};

/// The instruction at `code`, about to run with `registers` (whose rip is its address). Reads no byte behind it.
Instruction decode(const uint8_t* code, const user_regs_struct& registers) noexcept;

/// Whoever is shown the instructions of a call that are not plain, each before it runs.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void see(const Instruction& instruction) = 0;
};

}  // namespace nacre::machine
