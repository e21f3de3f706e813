// Laying out an empty pool, and reading the superblock of an existing one.
#pragma once

#include <span>

#include "alloc/geometry.h"
#include "alloc/size_class.h"
#include "alloc/superblock_layout.h"
#include "pmem/base/result.h"
#include "pmem/domain.h"

namespace nacre::alloc {

struct FormatOptions {
  Geometry geometry;
  std::span<const ClassSpec> classes;  ///< further allocation classes
  uint64_t pool_bytes = 0;             ///< the pool's first size, if it is less than the domain's
  uint64_t max_bytes = 0;              ///< the pool grows no larger; 0: no bound
  uint64_t identity_lo = 0;            ///< 128 random bits name the pool
  uint64_t identity_hi = 0;
};

/// The salt of a pool with this identity.
inline Salt salt_of(uint64_t identity_lo, uint64_t identity_hi) noexcept {
  return crc32c_u64(crc32c_u64(0x6e616372, identity_lo), identity_hi);
}

/// Lays out an empty pool: one zone over the whole domain, or over its first pool_bytes. The magic word is written
/// last and alone, so a pool whose making was cut short is not a pool. invalid_argument, limit, io_error.
Status format_pool(pmem::Domain& domain, const FormatOptions& options);

struct SuperblockView {
  Geometry geometry;
  uint64_t identity_lo = 0, identity_hi = 0;
};

/// Reads and checks the lines that never change. not_a_pool, incompatible, corruption.
Result<SuperblockView> read_superblock(const pmem::Domain& domain, bool read_only);

/// Rewrites the lines of one superblock copy that are damaged while the other copy's are sound: after a format that was
/// cut short, or damage. After recovery, by a writer. Nothing is written when both copies are sound.
void heal_superblock(pmem::Domain& domain, Salt salt) noexcept;

/// corruption if a roots line says that the pool is larger than its file. Asked before recovery, which writes, and
/// again by read_roots.
Status refuse_truncated(const pmem::Domain& domain, Salt salt);

/// The offset of a sound copy of the roots line, after recovery, and the pool's size from it. corruption (both copies
/// damaged, or the file was truncated).
struct RootsView {
  uint64_t line_off = 0;
  uint64_t pool_bytes = 0;
};
Result<RootsView> read_roots(const pmem::Domain& domain, Salt salt);

}  // namespace nacre::alloc
