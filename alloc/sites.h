// Every flush and fence of this layer, by name. The crash explorer switches them off one at a time; a new site goes
// here, into `kAll`, and must be seen to be killed.
#pragma once

#include <array>

#include "pmem/site.h"

namespace nacre::alloc::site {

using pmem::Site;

inline constexpr Site kFormatFlush{"alloc.format.flush"};
inline constexpr Site kFormatFence{"alloc.format.fence"};
inline constexpr Site kMagicFlush{"alloc.format.magic_flush"};
inline constexpr Site kMagicFence{"alloc.format.magic_fence"};
inline constexpr Site kSuperblockFlush{"alloc.open.superblock_flush"};
inline constexpr Site kHealFlush{"alloc.heal.flush"};
inline constexpr Site kHealFence{"alloc.heal.fence"};
inline constexpr Site kBitmapFlush{"alloc.slab.bitmap_flush"};
inline constexpr Site kGrowTableFlush{"alloc.grow.table_flush"};
inline constexpr Site kGrowTableFence{"alloc.grow.table_fence"};
inline constexpr Site kShrinkRootsFlush{"alloc.shrink.roots_flush"};
inline constexpr Site kShrinkRootsFence{"alloc.shrink.roots_fence"};
inline constexpr Site kFreshFence{"alloc.commit.fresh_fence"};
inline constexpr Site kLogFlush{"alloc.commit.log_flush"};
inline constexpr Site kCommitFence{"alloc.commit.fence"};
inline constexpr Site kCommitWait{"alloc.commit.wait"};
inline constexpr Site kHomeFlush{"alloc.lane.home_flush"};
inline constexpr Site kSealFlush{"alloc.epoch.seal_flush"};
inline constexpr Site kSealFence{"alloc.epoch.seal_fence"};
inline constexpr Site kRetireHomeFlush{"alloc.retire.home_flush"};
inline constexpr Site kRetireHomeFence{"alloc.retire.home_fence"};
inline constexpr Site kRetireFlush{"alloc.retire.flush"};
inline constexpr Site kRetireFence{"alloc.retire.fence"};
inline constexpr Site kRecoverLogFlush{"alloc.recover.log_flush"};
inline constexpr Site kRecoverFreshFlush{"alloc.recover.fresh_flush"};
inline constexpr Site kRecoverRelyFence{"alloc.recover.rely_fence"};
inline constexpr Site kRecoverHomeFlush{"alloc.recover.home_flush"};
inline constexpr Site kRecoverHomeFence{"alloc.recover.home_fence"};
inline constexpr Site kRecoverRetireFlush{"alloc.recover.retire_flush"};
inline constexpr Site kRecoverRetireFence{"alloc.recover.retire_fence"};

inline constexpr std::array kAll{
    &kFormatFlush,       &kFormatFence,       &kMagicFlush,    &kMagicFence,    &kFreshFence,
    &kLogFlush,          &kCommitFence,       &kCommitWait,       &kHomeFlush,        &kSealFlush,
    &kSealFence,         &kRetireHomeFlush,   &kRetireHomeFence,  &kRetireFlush,      &kRetireFence,
    &kRecoverLogFlush,   &kRecoverFreshFlush, &kRecoverRelyFence, &kRecoverHomeFlush, &kRecoverHomeFence,
    &kRecoverRetireFlush, &kRecoverRetireFence, &kSuperblockFlush, &kHealFlush, &kHealFence,
    &kBitmapFlush, &kGrowTableFlush, &kGrowTableFence, &kShrinkRootsFlush, &kShrinkRootsFence,
};

}  // namespace nacre::alloc::site
