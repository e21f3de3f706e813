#include "tests/crash/pool_oracle.h"

#include <algorithm>

#include "alloc/superblock_layout.h"

namespace nacre::crash {

std::string pool_trouble(alloc::Pool& pool) {
  for (uint64_t at = 0; at < sizeof(alloc::SuperblockLayout); at += kLineBytes) {
    const alloc::GuardedLine* a = pool.line(alloc::kSuperblockAOff + at);
    const alloc::GuardedLine* b = pool.line(alloc::kSuperblockBOff + at);
    if (!std::equal(a->words, a->words + alloc::kLineWords, b->words))
      return "the copies of the superblock differ in line " + std::to_string(at / kLineBytes);
  }
  // A tail is what a growth or a shrink left behind: the next writer cuts it off.
  const uint64_t pool_bytes = align_up(pool.layout().pool_bytes(), kPageBytes);
  const uint64_t file_bytes = pool.domain().size_bytes();
  if (file_bytes == pool_bytes) return {};
  return "the file has " + std::to_string(file_bytes) + " bytes and the pool " + std::to_string(pool_bytes);
}

}  // namespace nacre::crash
