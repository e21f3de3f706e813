// clwb, clflushopt and clflush, written as instructions so that one binary carries all three and no
// compiler flag is needed. The line size of every x86-64 CPU is 64 bytes.
#pragma once

#include <cstdint>

#include "pmem/base/units.h"

namespace nacre::pmem {

inline void flush_lines(FlushKind kind, const void* p, uint64_t bytes) noexcept {
  if (bytes == 0) return;  // else an unaligned pointer would have its line written back
  const uintptr_t first = reinterpret_cast<uintptr_t>(p) & ~(kLineBytes - 1);
  const uintptr_t end = reinterpret_cast<uintptr_t>(p) + bytes;
  switch (kind) {
    case FlushKind::clwb:
      for (uintptr_t a = first; a < end; a += kLineBytes)
        asm volatile("clwb %0" : "+m"(*reinterpret_cast<volatile char*>(a))::"memory");
      break;
    case FlushKind::clflushopt:
      for (uintptr_t a = first; a < end; a += kLineBytes)
        asm volatile("clflushopt %0" : "+m"(*reinterpret_cast<volatile char*>(a))::"memory");
      break;
    case FlushKind::clflush:
      for (uintptr_t a = first; a < end; a += kLineBytes)
        asm volatile("clflush %0" : "+m"(*reinterpret_cast<volatile char*>(a))::"memory");
      break;
    case FlushKind::none:
    case FlushKind::hooked: asm volatile("" ::: "memory"); break;
  }
}

inline void store_fence(FlushKind kind) noexcept {
  if (kind == FlushKind::none)
    asm volatile("" ::: "memory");
  else
    asm volatile("sfence" ::: "memory");
}

}  // namespace nacre::pmem
