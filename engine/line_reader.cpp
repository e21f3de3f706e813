#include "engine/line_reader.h"

#include <cstring>

namespace nacre::engine {
namespace {

// Some seconds of yielding: no commit holds a line that long, so a line that was damaged under its lock ends here.
constexpr uint32_t kMaxRounds = 1u << 22;

/// A mutant waits for the lock on the medium; not for so long as to be taken for a program that hangs.
[[maybe_unused]] bool waits_for_a_lock_that_stays(const alloc::GuardedLine& line, uint32_t round) noexcept {
  constexpr uint32_t kRounds = 1u << 10;
  const bool busy = (sync::load_acquire(&line.guard) & alloc::kBusyBit) != 0;
  return broken(alloc::site::kLockSurvives) && busy && round > kRounds;
}

}  // namespace

Status read_line_patiently(alloc::Pool& pool, uint64_t line_off, LineView& out) noexcept {
  const alloc::LineLocks& locks = pool.index_locks();
  const uint32_t stripe = locks.stripe_of(line_off);
  sync::Backoff backoff;
  for (uint32_t round = 0; round < kMaxRounds; ++round) {
    if (try_read_line(pool, line_off, out)) return Code::ok;
    if constexpr (pmem::kMutants)
      if (waits_for_a_lock_that_stays(*pool.line(line_off), round)) break;
    // Bad: being changed, or damaged. It is damage only if the very same bytes are there while nobody holds it.
    if (locks.state(stripe) == alloc::LineLocks::kFree) {
      LineView again;
      const alloc::GuardedLine* line = pool.line(line_off);
      again.guard = sync::load_acquire(&line->guard);
      for (uint64_t i = 0; i < alloc::kLineWords; ++i) again.words[i] = sync::load_acquire(&line->words[i]);
      if (locks.state(stripe) == alloc::LineLocks::kFree && sync::load_acquire(&line->guard) == again.guard &&
          !alloc::guard_matches(pool.salt(), line_off, again.words, again.guard))
        return Status::error(Code::corruption, "index line at offset %llu fails its check; run nacre check",
                             static_cast<unsigned long long>(line_off));
    }
    backoff.wait(pool.line(line_off));
  }
  return Status::error(Code::corruption, "index line at offset %llu fails its check and stays locked; run nacre check",
                       static_cast<unsigned long long>(line_off));
}

}  // namespace nacre::engine
