// Bugs that other stores for persistent memory once had, as variants of this layer's own structures: what happened,
// where it was published and what finds it here is in docs/proofs/historic.md. See pmem/mutant.h; a new point goes
// here, into `kHistoricMutants` and into the list in tests/crash/historic.cpp, and must be seen to be killed.
#pragma once

#include <array>

#include "pmem/mutant.h"

namespace nacre::alloc::site {

inline constinit pmem::Mutant kAllocatedThenLinked{"historic.pmdk.allocated_then_linked",
                                                   "a unit's bit is set by a commit before the one that leads to it"};
inline constinit pmem::Mutant kFreedThenUnlinked{"historic.pclht.freed_then_unlinked",
                                                 "a unit's bit is cleared by a commit before the one that unlinks it"};
inline constinit pmem::Mutant kUnlinkedThenFreed{"historic.kvdk.unlinked_then_freed",
                                                 "a unit's bit is cleared by a commit after the one that unlinks it"};
inline constinit pmem::Mutant kGivenAheadOfCursor{"historic.pmdk.given_ahead_of_cursor",
                                                  "chunks freed before their zone is read are offered, and once more "
                                                  "when it is read"};

inline constinit pmem::Mutant kLockSurvives{"historic.pclht.lock_survives",
                                            "a busy bit that a crash left behind is taken for a lock"};

inline constexpr std::array kHistoricMutants{&kAllocatedThenLinked, &kFreedThenUnlinked, &kUnlinkedThenFreed,
                                             &kGivenAheadOfCursor, &kLockSurvives};

}  // namespace nacre::alloc::site
