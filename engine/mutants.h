// Steps of this layer that the mutation test breaks: what is done wrong, by name. See pmem/mutant.h. A new point goes
// here, into `kMutants`, or into `kInterleavingMutants` if only two threads at once can tell it from the product, and
// must be seen to be killed (docs/CRASH.md).
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
inline constinit Mutant kHashTagIsKey{"engine.hash.tag_is_key",
                                      "a writer takes another key of the same tag for its own"};
inline constinit Mutant kHashGetByTag{"engine.hash.get_by_tag",
                                      "a reader takes another key of the same tag for its own"};
inline constinit Mutant kHashStopsAtFree{"engine.hash.stops_at_free",
                                         "a writer takes the first free slot and does not look for its key behind it"};
inline constinit Mutant kHashNoTombstone{"engine.hash.no_tombstone", "a remove from a full line leaves a zero word"};
inline constinit Mutant kHashUnmarked{"engine.hash.displaced_unmarked",
                                      "a key in a line that is not its home is not marked"};
inline constinit Mutant kHashOldKept{"engine.hash.old_kept", "the record that is overwritten is not freed"};
inline constinit Mutant kHashUncounted{"engine.hash.uncounted", "a new key is not counted"};
inline constinit Mutant kHashGetHomeOnly{"engine.hash.get_home_only", "a reader looks into the home line only"};
inline constinit Mutant kSplitRightLost{"engine.split.right_lost",
                                        "of the two halves of a split only the left one is written"};
inline constinit Mutant kSplitWrongBit{"engine.split.wrong_bit",
                                       "the side of a key is taken from the bit behind the one that splits"};
inline constinit Mutant kSplitAllLeft{"engine.split.all_left", "all entries of the segment lead to its left half"};
inline constinit Mutant kSplitOldKept{"engine.split.old_kept", "the segment that was split is not freed"};
inline constinit Mutant kSplitUnsettled{"engine.split.unsettled",
                                        "displaced keys stay where they were though their home has room"};
inline constinit Mutant kSplitMarksKept{"engine.split.marks_kept",
                                        "a slot that comes home is still marked as displaced"};
inline constinit Mutant kSplitStashLoose{"engine.split.stash_loose", "the lines of the stash are not packed"};
inline constinit Mutant kSplitDirectoryStale{"engine.split.directory_stale",
                                             "the directory in memory does not hear of the right half"};
inline constinit Mutant kSplitDepthKept{"engine.split.depth_kept",
                                        "the halves of a split say that they are as deep as the whole was"};
inline constinit Mutant kSplitNodeAllLeft{"engine.split.node_all_left",
                                          "a new directory node leads to the left half only"};
inline constinit Mutant kDropSkipsRecords{"engine.drop.skips_records", "a segment is freed with the records in it"};
inline constinit Mutant kDropOneEntry{"engine.drop.one_entry",
                                      "of the entries that lead to a freed segment only the first is emptied"};
inline constinit Mutant kDropNodeKept{"engine.drop.node_kept", "segments and nodes of a dropped table are not freed"};
inline constinit Mutant kDropsForgotten{"engine.db.drops_forgotten",
                                        "an open does not go on with drops that a crash cut short"};
inline constinit Mutant kDirtyUnsaid{"engine.db.dirty_unsaid", "an open does not say that the pool is being written"};
inline constinit Mutant kCountsStay{"engine.db.counts_stay", "a close does not store the counts"};
inline constinit Mutant kReadLineUnchecked{"engine.read.line_unchecked",
                                           "a reader believes an index line without its check"};
inline constinit Mutant kReadRecordUnchecked{"engine.read.record_unchecked",
                                             "a reader believes a record without its crc"};
inline constinit Mutant kReadKeyUnchecked{"engine.read.key_unchecked",
                                          "a record with a damaged key is taken for that of another key"};
inline constinit Mutant kScanRecordUnchecked{"engine.scan.record_unchecked",
                                             "a scan believes a record without its crc"};

inline constexpr std::array kMutants{
    &kCatalogueOneRoot, &kCatalogueSeqLow,     &kCreateUnfenced,  &kCreateKeepsId,       &kClearForgetsOld,
    &kClearKeepsCount,  &kDropUnmarked,        &kForgetKeepsName, &kHashTagIsKey,        &kHashGetByTag,
    &kHashStopsAtFree,  &kHashNoTombstone,     &kHashUnmarked,    &kHashOldKept,         &kHashUncounted,
    &kHashGetHomeOnly,  &kSplitRightLost,      &kSplitWrongBit,   &kSplitAllLeft,        &kSplitOldKept,
    &kSplitUnsettled,   &kSplitMarksKept,      &kSplitStashLoose, &kSplitDirectoryStale, &kSplitDepthKept,
    &kSplitNodeAllLeft, &kDropSkipsRecords,    &kDropOneEntry,    &kDropNodeKept,        &kDropsForgotten,
    &kDirtyUnsaid,      &kCountsStay,      &kReadLineUnchecked,   &kReadRecordUnchecked,
    &kReadKeyUnchecked, &kScanRecordUnchecked,
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
