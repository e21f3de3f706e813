// Bugs that other stores for persistent memory once had, as variants of this layer's own structures. See
// alloc/historic_mutants.h.
#pragma once

#include <array>

#include "pmem/mutant.h"

namespace nacre::engine::site {

inline constinit pmem::Mutant kSplitInTwoCommits{"historic.fastfair.split_in_two_commits",
                                                 "the new half of a split is published before the old one is replaced, "
                                                 "and nothing finishes what a crash leaves"};
inline constinit pmem::Mutant kOverwriteNotLogged{
    "historic.pmdk.overwrite_not_logged", "the slot of an overwritten record changes in place, without the log"};
inline constinit pmem::Mutant kStoredAfterLink{"historic.memcached.stored_after_link",
                                               "the end of a record is stored after the commit that leads to it"};
inline constinit pmem::Mutant kCountBelieved{"historic.hashmap_atomic.count_believed",
                                             "the stored count is believed after a crash"};
inline constinit pmem::Mutant kCleanTooEarly{"historic.redb.clean_too_early",
                                             "a close says clean before it stores the counts"};

inline constexpr std::array kHistoricMutants{&kSplitInTwoCommits, &kOverwriteNotLogged, &kStoredAfterLink,
                                             &kCountBelieved, &kCleanTooEarly};

}  // namespace nacre::engine::site
