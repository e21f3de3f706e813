// Reading one guarded line as some commit left it, while others may be changing it: for lines whose writers hold a
// stripe of `locks`.
#pragma once

#include <algorithm>

#include "alloc/guarded_line.h"
#include "alloc/line_locks.h"

namespace nacre::alloc {

/// Copies the words. False if the line fails its check while nobody is changing it: it is damaged. Waits for the apply
/// of a commit, never for its fence.
inline bool read_steady_line(const LineLocks& locks, Salt salt, uint64_t line_off, const GuardedLine& line,
                             uint64_t (&words)[kLineWords]) noexcept {
  const uint32_t stripe = locks.stripe_of(line_off);
  sync::Backoff backoff;
  for (;;) {
    const bool was_free = locks.state(stripe) == LineLocks::kFree;
    const uint64_t before = sync::load_acquire(&line.guard);
    for (uint64_t i = 0; i < kLineWords; ++i) words[i] = sync::load_acquire(&line.words[i]);
    const uint64_t after = sync::load_acquire(&line.guard);
    if (before == after && guard_matches(salt, line_off, words, after)) return true;
    // The stripe was free, is free, and no commit came and went in between: the guard would show it.
    if (was_free && before == after && locks.state(stripe) == LineLocks::kFree &&
        sync::load_acquire(&line.guard) == after)
      return false;
    backoff.wait(&line);
  }
}

}  // namespace nacre::alloc
