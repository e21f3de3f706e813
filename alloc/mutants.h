// Steps of this layer that the mutation test breaks: what is done wrong, by name. See pmem/mutant.h. A new point goes
// here, into `kMutants`, or into `kInterleavingMutants` if only two threads at once can tell it from the product, and
// must be seen to be killed (docs/CRASH.md).
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
inline constinit Mutant kCommitSeqOwn{"alloc.commit.seq_own",
                                      "a commit is above its own lane's past, but not above the lines it touches"};
inline constinit Mutant kCommitSeqLines{"alloc.commit.seq_lines",
                                        "a commit is above the lines it touches, but not above its own lane's past"};
inline constinit Mutant kCommitGuardsAnew{"alloc.commit.guards_anew",
                                          "a line's new check is made from its words, not from its old check"};
inline constinit Mutant kCommitUncheckedLines{"alloc.commit.unchecked_lines",
                                              "a line with a bad check is changed all the same"};
inline constinit Mutant kCommitUncheckedBits{"alloc.commit.unchecked_bits", "a unit's bit is changed whatever it is"};
inline constinit Mutant kCommitUncheckedWords{"alloc.commit.unchecked_words",
                                              "a word of the chunk table is changed whatever it is"};
inline constinit Mutant kCommitApplyFirst{"alloc.commit.apply_first", "words are applied before the fence"};
inline constinit Mutant kCommitGuardFirst{"alloc.commit.guard_first",
                                          "the first guard of a commit is applied before the fence"};
inline constinit Mutant kCommitDurableUntold{"alloc.commit.durable_untold", "no seal ever covers a commit"};
inline constinit Mutant kCommitDurableBehind{"alloc.commit.durable_behind",
                                             "a seal covers all commits of a lane but the last"};
inline constinit Mutant kCommitAppliedUntold{"alloc.commit.applied_untold",
                                             "no retire advance ever dismisses a commit"};
inline constinit Mutant kCommitOwedFirst{"alloc.commit.owed_first",
                                         "of several ranges whose flush is owed only the first is flushed"};
inline constinit Mutant kCommitOwedAtStrict{"alloc.commit.owed_at_strict",
                                            "a commit that becomes strict on its way forgets what it owes"};
inline constinit Mutant kCommitLinesNotStrict{"alloc.commit.lines_not_strict",
                                              "a commit with fresh guarded lines is not strict"};
inline constinit Mutant kCommitOpsNotMoved{
    "alloc.commit.ops_not_moved", "an operation put in for one line leaves those of the next where they were counted"};
inline constinit Mutant kCommitKindsMerged{"alloc.commit.kinds_merged",
                                           "bits to be set and bits to be cleared become one operation"};
inline constinit Mutant kCommitBitsUnsorted{"alloc.commit.bits_unsorted",
                                            "the bits of a commit are not brought into the order of their lines"};
inline constinit Mutant kCommitCrossesHalf{"alloc.commit.crosses_half",
                                           "a log record may cross from one half of its ring to the other"};
inline constinit Mutant kCommitKeepsUnits{"alloc.commit.keeps_units",
                                          "a commit that is given up keeps the units it reserved"};
inline constinit Mutant kCommitLinesForgotten{"alloc.commit.lines_forgotten",
                                              "lines named by a log record are not noted to be brought home"};
inline constinit Mutant kCommitBitsForgotten{"alloc.commit.bits_forgotten",
                                             "only index lines are noted to be brought home, not those of the heap"};
inline constinit Mutant kCommitFreedAtOnce{"alloc.commit.freed_at_once",
                                           "what a commit frees can be reserved before the commit is durable"};
inline constinit Mutant kCommitInFlightFreed{"alloc.commit.allocated_given_back",
                                             "what a commit published is given back when it ends"};
inline constinit Mutant kExtentRoundedDown{"alloc.extent.rounded_down",
                                           "an extent has room for all but the last part of a chunk"};
inline constinit Mutant kExtentUnlogged{"alloc.extent.unlogged",
                                        "the chunks of an extent are reserved, but no word of the chunk table says so"};
inline constinit Mutant kSlabBitmapAssumed{"alloc.slab.bitmap_assumed",
                                           "the bitmap of a new slab is believed to be there"};
inline constinit Mutant kSlabOuterScratch{"alloc.slab.outer_scratch",
                                          "a commit inside another one loses what the outer one has freshly written"};
inline constinit Mutant kLaneFilterStays{"alloc.lane.filter_stays",
                                         "a half that is begun again takes the lines of its last turn for noted"};
inline constinit Mutant kLaneForgetStays{"alloc.lane.forget_stays",
                                         "lines forgotten by a shrink are still taken for noted"};
inline constinit Mutant kLogCrcIgnored{"alloc.log.crc_ignored", "a log record counts whatever its crc"};
inline constinit Mutant kLogCrcFirstCell{"alloc.log.crc_first_cell",
                                         "the crc of a log record covers its first cell only"};
inline constinit Mutant kLogRangeLost{
    "alloc.log.range_lost", "a slot that leads to a later fresh range is read as one that leads to the first"};
inline constinit Mutant kLogPrevLost{"alloc.log.prev_lost",
                                     "each log record says that it follows the commit just below it"};
inline constinit Mutant kLogMaxLow{"alloc.log.max_low", "the room for a log record is reckoned without its operations"};
inline constinit Mutant kRecoverFirstHalf{"alloc.recover.first_half", "only the first half of each ring is read"};
inline constinit Mutant kRecoverStopsAtHole{"alloc.recover.stops_at_hole",
                                            "the reading of a lane ends at the first cell without a record"};
inline constinit Mutant kRecoverFirstLaneOnly{"alloc.recover.first_lane_only", "only the first lane is read"};
inline constinit Mutant kRecoverGuardMade{
    "alloc.recover.guard_made", "the check of an applied line is made from its words, not taken from the log"};
inline constinit Mutant kRecoverTornRefused{"alloc.recover.torn_refused",
                                            "a torn line is taken for one that lost a record to damage"};
inline constinit Mutant kRecoverOldestWins{"alloc.recover.oldest_wins",
                                           "the links of a chain are applied from the newest to the oldest"};
inline constinit Mutant kRecoverFirstOp{"alloc.recover.first_op",
                                        "of the operations on a line only the first is applied"};
inline constinit Mutant kHeapSetBitsAvailable{"alloc.heap.set_bits_available",
                                              "units whose bit is set are available after an open"};
inline constinit Mutant kHeapUsedClaimed{"alloc.heap.used_claimed",
                                         "a slab with allocated units is taken for an empty one"};
inline constinit Mutant kHeapPointerKept{"alloc.heap.pointer_kept",
                                         "the chunks of a slab that was freed still lead to it"};
inline constinit Mutant kHeapHeldKept{"alloc.heap.held_kept",
                                      "an extent that was located ahead of the cursor stays known as used"};
inline constinit Mutant kHeapHeldMissing{"alloc.heap.held_missing",
                                         "an extent that was located ahead of the cursor is found free by it at once"};
inline constinit Mutant kHeapTailUntold{"alloc.shrink.cursor_ahead",
                                        "the cursor stays behind the end of a pool that was cut"};
inline constinit Mutant kRunsOverlap{"alloc.free_runs.overlap",
                                     "the rest of a run that is split begins with a chunk that was taken"};
inline constinit Mutant kRunsRestLost{"alloc.free_runs.rest_lost", "the rest of a run that is split is lost"};
inline constinit Mutant kRunsApartHigh{"alloc.free_runs.apart_high", "a run is not joined with the one behind it"};
inline constinit Mutant kRunsApartLow{"alloc.free_runs.apart_low", "a run is not joined with the one before it"};
inline constinit Mutant kRunsTailLost{"alloc.free_runs.front_lost", "of a run whose end is taken the front is lost"};
inline constinit Mutant kGrowFileLast{"alloc.grow.file_last", "the file grows after the commit that counts on it"};
inline constinit Mutant kGrowHeapUntold{"alloc.grow.heap_untold", "the heap does not hear of a growth"};
inline constinit Mutant kShrinkTailBack{"alloc.shrink.tail_back", "chunks that were cut off go back to the free ones"};
inline constinit Mutant kClassRetiredGone{"alloc.class.retired_gone",
                                          "a class that is retired is struck out, though slabs name it"};
inline constinit Mutant kClassHeapFirst{"alloc.class.unpublished",
                                        "a class changes in this process and not on the medium"};
inline constinit Mutant kRetireOneLane{"alloc.retire.home_first_lane",
                                       "only the lines of the first lane are brought home"};
inline constinit Mutant kLaneHeaderUnchecked{"alloc.recover.header_unchecked",
                                             "a lane's retired word is believed without its check"};
inline constinit Mutant kRecoverHoleIgnored{"alloc.recover.hole_ignored",
                                            "a damaged log record between two others is passed over"};
inline constinit Mutant kRecoverLostIgnored{"alloc.recover.lost_ignored",
                                            "a chain that does not reach back to its line is applied"};
inline constinit Mutant kHeapTableUnchecked{"alloc.heap.table_unchecked",
                                            "a line of the chunk table is read without its check"};
inline constinit Mutant kHeapBitmapUnchecked{"alloc.heap.bitmap_unchecked", "a bitmap is read without its check"};
inline constinit Mutant kHeapClassesUnchecked{"alloc.heap.classes_unchecked",
                                              "the class table is read without its check"};
inline constinit Mutant kZoneUnchecked{"alloc.zone.unchecked", "the zone table is read without its check"};
inline constinit Mutant kCommitSameHalf{"alloc.commit.same_half",
                                        "a ring that has no room left in its half begins that half again"};

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
    &kCommitSeqOwn,
    &kCommitSeqLines,
    &kCommitGuardsAnew,
    &kCommitUncheckedLines,
    &kCommitUncheckedBits,
    &kCommitUncheckedWords,
    &kCommitApplyFirst,
    &kCommitGuardFirst,
    &kCommitDurableUntold,
    &kCommitDurableBehind,
    &kCommitAppliedUntold,
    &kCommitOwedFirst,
    &kCommitOwedAtStrict,
    &kCommitLinesNotStrict,
    &kCommitOpsNotMoved,
    &kCommitKindsMerged,
    &kCommitBitsUnsorted,
    &kCommitCrossesHalf,
    &kCommitKeepsUnits,
    &kCommitLinesForgotten,
    &kCommitBitsForgotten,
    &kCommitFreedAtOnce,
    &kCommitInFlightFreed,
    &kExtentRoundedDown,
    &kExtentUnlogged,
    &kSlabBitmapAssumed,
    &kSlabOuterScratch,
    &kLaneFilterStays,
    &kLaneForgetStays,
    &kLogCrcIgnored,
    &kLogCrcFirstCell,
    &kLogRangeLost,
    &kLogPrevLost,
    &kLogMaxLow,
    &kRecoverFirstHalf,
    &kRecoverStopsAtHole,
    &kRecoverFirstLaneOnly,
    &kRecoverGuardMade,
    &kRecoverTornRefused,
    &kRecoverOldestWins,
    &kRecoverFirstOp,
    &kHeapSetBitsAvailable,
    &kHeapUsedClaimed,
    &kHeapPointerKept,
    &kHeapHeldKept,
    &kHeapHeldMissing,
    &kHeapTailUntold,
    &kRunsOverlap,
    &kRunsRestLost,
    &kRunsApartHigh,
    &kRunsApartLow,
    &kRunsTailLost,
    &kGrowFileLast,
    &kGrowHeapUntold,
    &kShrinkTailBack,
    &kClassRetiredGone,
    &kClassHeapFirst,
    &kRetireOneLane,
    &kLaneHeaderUnchecked,
    &kRecoverHoleIgnored,
    &kRecoverLostIgnored,
    &kHeapTableUnchecked,
    &kHeapBitmapUnchecked,
    &kHeapClassesUnchecked,
    &kZoneUnchecked,
    &kCommitSameHalf,
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
