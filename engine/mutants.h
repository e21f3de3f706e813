// Steps of this layer that the mutation test breaks: what is done wrong, by name. See pmem/mutant.h; a new point goes
// here, into `kMutants`, and must be seen to be killed (docs/CRASH.md).
#pragma once

#include <array>

#include "pmem/mutant.h"

namespace nacre::engine::site {

using pmem::Mutant;

inline constinit Mutant kCatalogueOneRoot{"engine.catalogue.one_root",
                                          "the catalogue is named by one copy of the superblock"};
inline constinit Mutant kCatalogueSeqLow{"engine.catalogue.seq_low",
                                         "the lines of a new node begin below stale records of them"};
inline constinit Mutant kCreateUnfenced{"engine.catalogue.create_unfenced",
                                        "a table is published before its first segment is durable"};
inline constinit Mutant kCreateKeepsId{"engine.catalogue.create_keeps_id", "two tables get the same number"};
inline constinit Mutant kClearForgetsOld{"engine.catalogue.clear_forgets_old",
                                         "a clear does not note the tree that is to be freed"};
inline constinit Mutant kClearKeepsCount{"engine.catalogue.clear_keeps_count", "a clear leaves the last known count"};
inline constinit Mutant kDropUnmarked{"engine.catalogue.drop_unmarked", "a drop frees a table that still has its name"};
inline constinit Mutant kForgetKeepsName{"engine.catalogue.forget_keeps_name",
                                         "the name of a dropped table is not freed"};

inline constexpr std::array kMutants{
    &kCatalogueOneRoot, &kCatalogueSeqLow, &kCreateUnfenced, &kCreateKeepsId,
    &kClearForgetsOld,  &kClearKeepsCount, &kDropUnmarked,   &kForgetKeepsName,
};

// Killed by the interleaving explorer (tests/interleave), for only two threads at once can notice them.
inline constinit Mutant kPlanUnchecked{"engine.hash.plan_unchecked",
                                       "what was planned is not validated under the locks"};
inline constinit Mutant kSplitUnchecked{"engine.hash.split_unchecked",
                                        "what a split saw of a segment is not validated under the locks"};
inline constinit Mutant kTornRead{"engine.line.torn_read", "a line that changes while it is read is not read again"};
inline constinit Mutant kPinLate{"engine.hash.pin_late", "a reader is pinned when it knows its segment already"};
inline constinit Mutant kClosedOnce{"engine.hash.closed_once",
                                    "a writer does not look again whether its tree is closed when it has its lane"};
inline constinit Mutant kDirectoryLate{"engine.hash.directory_late",
                                       "the flat directory hears of a split when its lines are unlocked"};
inline constinit Mutant kResolveOverwrites{"engine.hash.resolve_overwrites",
                                           "who looks a segment up overwrites what a split has stored"};
inline constinit Mutant kKeyUnlocked{"engine.hash.key_unlocked", "a put does not lock the home line of its key"};
inline constinit Mutant kFullSpins{"engine.hash.full_spins",
                                   "a put does not wait for who is making room, but tries again and again"};

inline constexpr std::array kInterleavingMutants{
    &kPlanUnchecked, &kSplitUnchecked,    &kTornRead,    &kPinLate,   &kClosedOnce,
    &kDirectoryLate, &kResolveOverwrites, &kKeyUnlocked, &kFullSpins,
};

}  // namespace nacre::engine::site
