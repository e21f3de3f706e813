// A sealed range: fresh bytes that begin with the CRC32C of all their other bytes, salted with the pool's identity
// and their own offset. A log record of the one-fence form names that crc, so recovery can tell these bytes from
// whatever the unit held before: the unit's previous content may be sealed as well, but with another crc.
#pragma once

#include <cstring>

#include "alloc/guarded_line.h"
#include "pmem/domain.h"

namespace nacre::alloc {

inline constexpr uint64_t kSealBytes = sizeof(uint32_t);

/// The seed of a range's crc: salt and place.
inline uint32_t range_seed(Salt salt, uint64_t off) noexcept { return crc32c_u64(salt, off); }

/// The crc that a sealed range at `off` with these bytes must begin with. `bytes` >= kSealBytes.
inline uint32_t range_crc(Salt salt, uint64_t off, const std::byte* p, uint64_t bytes) noexcept {
  return crc32c(range_seed(salt, off), p + kSealBytes, bytes - kSealBytes);
}

inline uint32_t stored_range_crc(const std::byte* p) noexcept {
  uint32_t crc;
  std::memcpy(&crc, p, sizeof crc);
  return crc;
}

inline bool range_intact(Salt salt, uint64_t off, const std::byte* p, uint64_t bytes) noexcept {
  return bytes >= kSealBytes && stored_range_crc(p) == range_crc(salt, off, p, bytes);
}

}  // namespace nacre::alloc
