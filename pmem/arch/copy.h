// Copying past the cache, for fresh bytes that nobody reads soon.
#pragma once

#include <cstdint>

namespace nacre::pmem {

/// Copies whole cache lines with non-temporal stores: `to` is 64-byte aligned, `bytes` a multiple of 64. They
/// reach the persistence domain by the next store_fence of a kind other than `none`, without a flush.
/// False if this CPU has no such stores: nothing was copied.
bool stream_lines(void* to, const void* from, uint64_t bytes) noexcept;

}  // namespace nacre::pmem
