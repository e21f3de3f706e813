// Huge pages under a file: one entry of the processor's address cache then leads to 2 MiB instead of 4 KiB, and a random
// access to a large pool waits for one miss instead of two or more.
//
// Where they come from:
//   plain memory      madvise(MADV_HUGEPAGE), see address_range.h
//   DAX file systems  by themselves, where a file's blocks are aligned as the mapping is
//   tmpfs             here; a mount option (huge=) would do, but the usual mounts do not have it
#pragma once

#include <cstdint>

namespace nacre::pmem {

/// Gives the whole huge pages of [off, off + bytes) of an open tmpfs file memory of their own, each in one piece. The
/// range lies behind the file's end, and the file is `off + bytes` long afterwards, perhaps with holes: the caller
/// allocates the range as if this had not been called, or truncates the file. A wish: where the system or the file
/// system has no such thing, nothing happens. Linux 6.1 has MADV_COLLAPSE, which this rests on. 0.3 ms for each page,
/// about as much as its small pages would cost.
void allocate_huge_pages(int fd, uint64_t off, uint64_t bytes) noexcept;

}  // namespace nacre::pmem
