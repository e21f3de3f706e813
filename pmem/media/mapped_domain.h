// The domain of a file or of plain memory that is mapped into a range of addresses with room to grow.
#pragma once

#include <cstdint>
#include <utility>

#include "pmem/base/result.h"
#include "pmem/domain.h"
#include "pmem/media/address_range.h"
#include "pmem/media/pool_file.h"

namespace nacre::pmem {

/// What a mapping is made of: needed again for each piece that growth adds.
struct MappingPlan {
  Medium medium = Medium::memory;
  FlushKind flush_kind = FlushKind::none;
  int map_flags = 0;       ///< of mmap, for a file
  bool forced = false;
  bool may_grow = false;   ///< false for a read-only image
};

/// Bytes that need no more than the CPU's own instructions: dax, memory, and every read-only image.
class MappedDomain : public Domain {
 public:
  /// [0, size_bytes) of `range` is mapped as `plan` says.
  MappedDomain(AddressRange range, PoolFile file, uint64_t size_bytes, const MappingPlan& plan)
      : Domain(range.base(), size_bytes, plan.medium, plan.flush_kind, plan.forced,
               plan.may_grow ? range.reserved_bytes() : size_bytes),
        file_(std::move(file)),
        range_(std::move(range)),
        plan_(plan) {}

  void keep_created() noexcept override { file_.keep(); }
  Status fill_holes() noexcept override { return file_.fill_holes(); }
  Status grow(uint64_t new_bytes) noexcept override;
  Status shrink(uint64_t new_bytes) noexcept override;
  bool prefault(uint64_t off, uint64_t bytes) noexcept override;

 protected:
  const PoolFile& file() const noexcept { return file_; }

 private:
  Status refuse_growth(const char* operation, uint64_t new_bytes) const noexcept;
  Status map_added(uint64_t off, uint64_t bytes) noexcept;
  bool has_file() const noexcept { return plan_.medium != Medium::memory; }

  PoolFile file_;  // destroyed last: the lock goes when nothing is mapped any more
  AddressRange range_;
  MappingPlan plan_;
};

}  // namespace nacre::pmem
