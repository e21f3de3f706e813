// Steps of this layer that the mutation test breaks: what is done wrong, by name. See pmem/mutant.h; a new point goes
// here, into `kMutants`, and must be seen to be killed (docs/CRASH.md).
#pragma once

#include <array>

#include "pmem/mutant.h"

namespace nacre::alloc::site {

using pmem::Mutant;

inline constinit Mutant kFormatMagicFirst{"alloc.format.magic_first",
                                          "the magic words are durable before the superblock"};
inline constinit Mutant kFormatMagicWithRest{"alloc.format.magic_with_rest",
                                             "the magic words are stored and flushed together with all the rest"};
inline constinit Mutant kFormatOneMagic{"alloc.format.one_magic",
                                        "only the first copy of the superblock gets its magic word"};
inline constinit Mutant kFormatNoLanes{"alloc.format.no_lanes", "the headers of the lanes are not written"};
inline constinit Mutant kOpenFirstCopyOnly{"alloc.open.first_copy_only",
                                           "a pool whose first magic word is lost is taken for no pool"};
inline constinit Mutant kOpenReadsRootsFirst{"alloc.open.reads_roots_first",
                                             "sizes, zones and classes are read before recovery has set them"};
inline constinit Mutant kOpenKeepsTail{"alloc.open.keeps_tail",
                                       "the tail that a growth or a shrink left behind stays in the file"};
inline constinit Mutant kRecoverRetiredCounts{"alloc.recover.retired_counts",
                                              "records that the retired word dismissed count again"};
inline constinit Mutant kRecoverStrict{"alloc.recover.strict", "a strict record does not count for being strict"};
inline constinit Mutant kRecoverSeal{"alloc.recover.seal", "a sealed record does not count for being sealed"};
inline constinit Mutant kRecoverFollowed{"alloc.recover.followed",
                                         "a record with a later one in its lane does not count for that"};
inline constinit Mutant kRecoverFreshRefused{"alloc.recover.fresh_refused",
                                             "a last record does not count although its fresh bytes match"};
inline constinit Mutant kRecoverFreshTrusted{"alloc.recover.fresh_trusted",
                                             "a last record counts without a look at its fresh bytes"};
inline constinit Mutant kRecoverFreshOwnCrc{"alloc.recover.fresh_own_crc",
                                            "fresh bytes are compared with their own crc, not with that of the log"};
inline constinit Mutant kRecoverFreshHead{"alloc.recover.fresh_head", "of fresh bytes only the crc word is compared"};
inline constinit Mutant kRecoverFreshFirst{"alloc.recover.fresh_first",
                                           "of several fresh ranges only the first is compared"};
inline constinit Mutant kRecoverApplyFirst{"alloc.recover.apply_first",
                                           "chains are applied before the log they come from is durable"};
inline constinit Mutant kRecoverLastLink{"alloc.recover.last_link", "of a chain only the newest link is applied"};
inline constinit Mutant kRecoverGaps{"alloc.recover.gaps", "chains reach back beyond gaps"};
inline constinit Mutant kRecoverSkipNone{"alloc.recover.skip_none",
                                         "a line that is newer than its chain is changed all the same"};
inline constinit Mutant kRecoverSkipEqual{"alloc.recover.skip_equal",
                                          "a line whose guard is that of its chain's end is believed to be whole"};
inline constinit Mutant kRecoverNoGuard{"alloc.recover.no_guard", "words are applied without their guard"};
inline constinit Mutant kRecoverFlushChanged{"alloc.recover.flush_changed",
                                             "lines that look right already are not flushed"};
inline constinit Mutant kRecoverRetireFirst{"alloc.recover.retire_first",
                                            "records are dismissed before their lines are home"};
inline constinit Mutant kRecoverRetireSome{"alloc.recover.retire_some", "nothing is retired when no record counts"};
inline constinit Mutant kRecoverRetireBusy{"alloc.recover.retire_busy", "only lanes with records in them are retired"};
inline constinit Mutant kRecoverRetireFirstLane{"alloc.recover.retire_first_lane", "only the first lane is retired"};
inline constinit Mutant kRecoverFloorLow{"alloc.recover.floor_low",
                                         "lanes are retired up to the highest seq, not one above"};
inline constinit Mutant kRecoverFloorOwn{"alloc.recover.floor_own", "each lane is retired up to its own highest seq"};
inline constinit Mutant kRecoverSeqRestarts{"alloc.recover.seq_restarts", "lanes go on below their retired word"};
inline constinit Mutant kLimboAtOnce{"alloc.limbo.at_once", "records come back from limbo before the epoch moved"};
inline constinit Mutant kLimboEpochEarly{"alloc.limbo.epoch_early", "records come back from limbo one epoch early"};
inline constinit Mutant kLimboLinesAtOnce{"alloc.limbo.lines_at_once",
                                          "line memory comes back from limbo before anything else happened"};
inline constinit Mutant kLimboLinesUnretired{"alloc.limbo.lines_unretired",
                                             "line memory waits for two epochs, not for a retire advance"};
inline constinit Mutant kLimboLinesEarly{"alloc.limbo.lines_early", "line memory comes back one epoch early"};
inline constinit Mutant kPinNone{"alloc.epoch.pin_none", "a pin does not hold the epoch"};
inline constinit Mutant kUnlinkEpoch{"alloc.epoch.unlink_epoch",
                                     "what is unlinked belongs to the pinned epoch, not to the next"};
inline constinit Mutant kEpochQuiescent{"alloc.epoch.quiescent",
                                        "the epoch moves on while somebody is pinned to an older one"};
inline constinit Mutant kSealNone{"alloc.epoch.seal_none", "the epoch moves on without seals"};
inline constinit Mutant kSealFirstLane{"alloc.epoch.seal_first_lane", "only the first lane is sealed"};
inline constinit Mutant kSealAhead{"alloc.epoch.seal_ahead", "the seal covers a record that is not there yet"};
inline constinit Mutant kSealAfterOpen{"alloc.epoch.seal_after_open",
                                       "lanes of a recovered pool are believed to be sealed"};
inline constinit Mutant kRetireFirst{"alloc.retire.first", "records are dismissed before their lines are home"};
inline constinit Mutant kRetireHalf{"alloc.retire.half", "only the lines of one half of each ring are brought home"};
inline constinit Mutant kRetireFirstLane{"alloc.retire.first_lane", "only the records of the first lane are dismissed"};
inline constinit Mutant kRetireAhead{"alloc.retire.ahead", "the retired word dismisses a record that is not there yet"};
inline constinit Mutant kRetireEpochAhead{"alloc.retire.epoch_ahead",
                                          "a retire advance counts for the next epoch, too"};
inline constinit Mutant kGrowTableLate{
    "alloc.grow.table_late", "the new lines of the chunk table are written after the commit that counts them in"};
inline constinit Mutant kGrowTableZoneOnly{"alloc.grow.table_zone_only",
                                           "the chunk table's new lines of the last zone are not written"};
inline constinit Mutant kGrowSeqLow{"alloc.grow.seq_low",
                                    "new lines of the chunk table begin below stale records of them"};
inline constinit Mutant kGrowSeqNotRaised{"alloc.grow.seq_not_raised",
                                          "the commit of a growth may be older than the lines it publishes"};
inline constinit Mutant kGrowOneCopy{"alloc.grow.one_copy", "a growth changes one copy of the size"};
inline constinit Mutant kGrowNoZone{"alloc.grow.no_zone", "a growth into a new zone does not name the zone"};
inline constinit Mutant kShrinkUnretired{"alloc.shrink.unretired", "the log still names lines behind the pool's end"};
inline constinit Mutant kShrinkOneCopy{"alloc.shrink.one_copy", "a shrink changes one copy of the size"};
inline constinit Mutant kShrinkKeepsZone{"alloc.shrink.keeps_zone", "a zone that is gone is still named"};
inline constinit Mutant kShrinkKeepsLines{"alloc.shrink.keeps_lines", "lanes flush lines behind the pool's end"};
inline constinit Mutant kShrinkFileFirst{"alloc.shrink.file_first", "the file is cut before the roots lines are home"};

inline constexpr std::array kMutants{
    &kFormatMagicFirst,
    &kFormatMagicWithRest,
    &kFormatOneMagic,
    &kFormatNoLanes,
    &kOpenFirstCopyOnly,
    &kOpenReadsRootsFirst,
    &kOpenKeepsTail,
    &kRecoverRetiredCounts,
    &kRecoverStrict,
    &kRecoverSeal,
    &kRecoverFollowed,
    &kRecoverFreshRefused,
    &kRecoverFreshTrusted,
    &kRecoverFreshOwnCrc,
    &kRecoverFreshHead,
    &kRecoverFreshFirst,
    &kRecoverApplyFirst,
    &kRecoverLastLink,
    &kRecoverGaps,
    &kRecoverSkipNone,
    &kRecoverSkipEqual,
    &kRecoverNoGuard,
    &kRecoverFlushChanged,
    &kRecoverRetireFirst,
    &kRecoverRetireSome,
    &kRecoverRetireBusy,
    &kRecoverRetireFirstLane,
    &kRecoverFloorLow,
    &kRecoverFloorOwn,
    &kRecoverSeqRestarts,
    &kLimboAtOnce,
    &kLimboEpochEarly,
    &kLimboLinesAtOnce,
    &kLimboLinesUnretired,
    &kLimboLinesEarly,
    &kPinNone,
    &kUnlinkEpoch,
    &kEpochQuiescent,
    &kSealNone,
    &kSealFirstLane,
    &kSealAhead,
    &kSealAfterOpen,
    &kRetireFirst,
    &kRetireHalf,
    &kRetireFirstLane,
    &kRetireAhead,
    &kRetireEpochAhead,
    &kGrowTableLate,
    &kGrowTableZoneOnly,
    &kGrowSeqLow,
    &kGrowSeqNotRaised,
    &kGrowOneCopy,
    &kGrowNoZone,
    &kShrinkUnretired,
    &kShrinkOneCopy,
    &kShrinkKeepsZone,
    &kShrinkKeepsLines,
    &kShrinkFileFirst,
};

// Killed by the interleaving explorer (tests/interleave), for only two threads at once can notice them.
inline constinit Mutant kUnlockFirst{"alloc.commit.unlock_first", "lines are unlocked before they are changed"};
inline constinit Mutant kDurableLate{"alloc.commit.durable_late",
                                     "the seal hears of a commit when its lines are unlocked and its pin is gone"};
inline constinit Mutant kLocksUnordered{"alloc.commit.locks_unordered",
                                        "lines are locked in the order in which they were named"};
inline constinit Mutant kSlabUnlocked{"alloc.commit.slab_unlocked", "the lines of bitmaps are not locked"};
inline constinit Mutant kPinUnchecked{"alloc.epoch.pin_unchecked",
                                      "a pin is of the epoch that was current before it was visible"};
inline constinit Mutant kLaneEarly{"alloc.lane.released_early", "a lane is released before its commit is applied"};
inline constinit Mutant kRetireLanesFree{"alloc.retire.lanes_free",
                                         "a retire advance flushes the lines of lanes that commits hold"};
inline constinit Mutant kStopLanesFree{"alloc.pool.stop_lanes_free", "who stops the writers waits for none of them"};
inline constinit Mutant kClaimTakesSome{"alloc.heap.claim_takes_some",
                                        "a slab of which a unit was just taken becomes something else"};
inline constinit Mutant kGrowSizeFirst{"alloc.grow.size_first",
                                       "others see that the pool has grown before the commit that says so"};

inline constexpr std::array kInterleavingMutants{
    &kUnlockFirst,     &kDurableLate,   &kLocksUnordered, &kSlabUnlocked,  &kPinUnchecked, &kLaneEarly,
    &kRetireLanesFree, &kStopLanesFree, &kClaimTakesSome, &kGrowSizeFirst,
};

}  // namespace nacre::alloc::site
