// A pool image as a fuzz input: only the lines that are not zero, so that a mutation hits something.
//
//   byte 0    bit 0: one-fence commits, bit 1: read-only, bit 2: the file may grow
//   byte 1    pages of 4 KiB, less one
//   then      lines: number u16, 64 bytes; a later one of the same number wins; an incomplete one is ignored
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pmem/base/units.h"

namespace nacre::fuzz {

inline constexpr size_t kMaxPages = 64;
inline constexpr size_t kHeaderBytes = 2;
inline constexpr size_t kEntryBytes = 2 + kLineBytes;

struct SparseImage {
  uint8_t flags = 0;
  std::vector<std::byte> bytes;  ///< whole pages, at most kMaxPages

  bool one_fence() const noexcept { return (flags & 1) != 0; }
  bool read_only() const noexcept { return (flags & 2) != 0; }
  bool may_grow() const noexcept { return (flags & 4) != 0; }
};

SparseImage expand(const uint8_t* data, size_t size);
/// The least input that expands to this image, cut after `max_bytes`.
std::string compress(const SparseImage& image, size_t max_bytes);

/// Changes something in an image and repairs the check that stood over it, so that what reads it goes on: words of
/// guarded lines, cells of log records, headers of lanes, records. Some changes are left without a repair.
void mutate(SparseImage& image, uint64_t seed);

}  // namespace nacre::fuzz
