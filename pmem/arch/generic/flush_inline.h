// For CPUs whose own folder does not exist yet: no dax, only media that need no cache-line write-back.
#pragma once

#include <cstdint>

namespace nacre::pmem {

inline void flush_lines(FlushKind, const void*, uint64_t) noexcept { asm volatile("" ::: "memory"); }
inline void store_fence(FlushKind) noexcept { asm volatile("" ::: "memory"); }

}  // namespace nacre::pmem
