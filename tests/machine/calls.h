// What the traced process can be told to do, between two int3 instructions: a call of the flush layer, or one of the
// wrong ones that the test must find.
#pragma once

#include <cstdint>

#include "pmem/domain.h"

namespace nacre::machine {

enum class Op : uint8_t {
  flush_lines,  ///< pmem/arch/flush.h
  store_fence,
  flush,  ///< pmem/domain.h
  fence,
  order,
  wait,
  dirty,
  flush_fence,
  flush_order,
  copy_fence,
  form,  ///< an instruction of forms.h, number `bytes`
  // Planted errors. The first ones stand for flush_fence:
  plant_from_pointer,  ///< goes by lines from the pointer itself: misses the last of an unaligned range
  plant_by_length,     ///< as many lines as the length has, whatever the alignment
  plant_one_more,      ///< a range that ends with a line gets the next one too
  plant_twice,         ///< the first line twice
  plant_no_fence,
  plant_fence_first,
  plant_locked,  ///< a locked instruction between write-back and fence
  plant_weaker,  ///< another write-back than the one asked for
  // and these for copy_fence:
  plant_copy_early,     ///< written back before it is copied
  plant_copy_no_tail,   ///< what follows the last whole line is not written back
  plant_copy_short,     ///< the last whole line is not copied
  plant_copy_unfenced,  ///< stores past the cache without a fence
};

inline constexpr Op kFirstPlant = Op::plant_from_pointer, kFirstCopyPlant = Op::plant_copy_early,
                    kLastPlant = Op::plant_copy_unfenced;

const char* op_name(Op op) noexcept;
/// What `op` is, or what a planted one stands for.
Op promise_of(Op op) noexcept;

struct Call {
  Op op = Op::wait;
  uint64_t off = 0;
  uint64_t bytes = 0;
};

/// Runs int3, the call, int3. A copy is from `source`; `answer` is what a form returned.
void perform(const Call& call, pmem::Domain& domain, const std::byte* source, uint64_t& answer);

/// Where the code of perform() is, and of what the compiler made a part of it.
struct CodeRange {
  const uint8_t* begin;
  const uint8_t* end;
};
CodeRange code_of_perform() noexcept;

}  // namespace nacre::machine
