// A range of addresses kept free for growth, and the domain of a file or of plain memory mapped into it.
#pragma once

#include <cstdint>
#include <utility>

#include "pmem/base/result.h"
#include "pmem/domain.h"
#include "pmem/media/pool_file.h"

namespace nacre::pmem {

/// Owns addresses: reserved without memory behind them, then mapped from the start on. Movable.
class AddressRange {
 public:
  /// Reserves `want_bytes`, or half of that, and so on down to `least_bytes`. Starts at a multiple of 2 MiB,
  /// so that the system can use huge pages. Errors: out_of_memory.
  static Result<AddressRange> reserve(uint64_t want_bytes, uint64_t least_bytes);

  AddressRange(AddressRange&& other) noexcept { *this = std::move(other); }
  AddressRange& operator=(AddressRange&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(total_bytes_, other.total_bytes_);
    return *this;
  }
  ~AddressRange();

  std::byte* base() const noexcept;

  /// How map_file and map_memory may be told to fail: out_of_memory, or io_error with errno.
  Status map_file(int fd, uint64_t size_bytes, int flags) noexcept;
  Status map_memory(uint64_t size_bytes) noexcept;

 private:
  AddressRange() = default;
  Status map(int fd, uint64_t size_bytes, int flags) noexcept;

  void* start_ = nullptr;
  uint64_t total_bytes_ = 0;
};

/// Bytes that need no more than the CPU's own instructions: dax, memory, and every read-only image.
class MappedDomain : public Domain {
 public:
  MappedDomain(AddressRange range, PoolFile file, uint64_t size_bytes, Medium medium, FlushKind kind,
               bool forced)
      : Domain(range.base(), size_bytes, medium, kind, forced),
        file_(std::move(file)),
        range_(std::move(range)) {}

  void keep_created() noexcept override { file_.keep(); }
  Status fill_holes() noexcept override { return file_.fill_holes(); }

 protected:
  const PoolFile& file() const noexcept { return file_; }

 private:
  PoolFile file_;  // destroyed last: the lock goes when nothing is mapped any more
  AddressRange range_;
};

}  // namespace nacre::pmem
