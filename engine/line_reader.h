// Reading guarded lines without a lock, while others may be changing them.
#pragma once

#include "alloc/historic_mutants.h"
#include "alloc/pool.h"
#include "engine/mutants.h"
#include "pmem/base/status.h"

namespace nacre::engine {

/// A line as it was at one instant.
struct LineView {
  uint64_t words[alloc::kLineWords];
  uint64_t guard;  // busy cleared
};

/// Copies the line as some commit left it, its check verified. Waits while a commit that changes several words is
/// being applied to it. corruption if the check stays bad while nobody holds the line.
Status read_line(alloc::Pool& pool, uint64_t line_off, LineView& out) noexcept;

/// read_line after a first try failed.
Status read_line_patiently(alloc::Pool& pool, uint64_t line_off, LineView& out) noexcept;

/// One try: false if the line is being changed, or damaged. Then the words may be anything, and nothing may be found in
/// them: one bit turned around in a slot, and it led to another table's record of the same key.
inline bool try_read_line(alloc::Pool& pool, uint64_t line_off, LineView& out) noexcept {
  const alloc::GuardedLine* line = pool.line(line_off);
  const uint64_t before = sync::load_acquire(&line->guard);
#pragma GCC unroll 7
  for (uint64_t i = 0; i < alloc::kLineWords; ++i) out.words[i] = sync::load_acquire(&line->words[i]);
  // Busy, then the state, then the guard again, in this order: whoever stored one of the words above had set busy
  // before it, and writes the new guard before it leaves the state.
  if ((before & alloc::kBusyBit) != 0 &&
      pool.index_locks().state(pool.index_locks().stripe_of(line_off)) == alloc::LineLocks::kApplying)
    return false;
  if ((before & alloc::kBusyBit) != 0 && broken(alloc::site::kLockSurvives)) return false;
  const uint64_t after = sync::load_acquire(&line->guard);
  if (before != after && !broken(site::kTornRead)) return false;
  out.guard = after & ~alloc::kBusyBit;
  return alloc::guard_matches(pool.salt(), line_off, out.words, after) || broken(site::kTornRead) ||
         broken(site::kReadLineUnchecked);
}

inline Status read_line(alloc::Pool& pool, uint64_t line_off, LineView& out) noexcept {
  if (try_read_line(pool, line_off, out)) [[likely]]
    return Code::ok;
  return read_line_patiently(pool, line_off, out);
}

}  // namespace nacre::engine
