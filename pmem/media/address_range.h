// A range of addresses kept free for growth: what is mapped never moves, so a pointer into a pool stays good.
//
//   base()                       size                               reserved_bytes()
//   | mapped: a file or memory   | no memory, no access             |
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "pmem/base/result.h"

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
  uint64_t reserved_bytes() const noexcept;  ///< from base() on, whole pages

  /// Maps [off, off + bytes) of the file, or fresh zero memory, at base() + off; both in whole pages inside the range.
  /// Huge pages are asked for where the medium has them. On failure the range is reserved as before: out_of_memory, or
  /// io_error with errno.
  Status map_file(int fd, uint64_t off, uint64_t bytes, int flags) noexcept;
  Status map_memory(uint64_t off, uint64_t bytes) noexcept;
  /// Takes what is mapped there away and keeps the addresses. Errors as map_file; then it is still mapped.
  Status unmap(uint64_t off, uint64_t bytes) noexcept;

 private:
  AddressRange() = default;
  Status map(int fd, uint64_t off, uint64_t bytes, int flags) noexcept;

  void* start_ = nullptr;
  uint64_t total_bytes_ = 0;
};

}  // namespace nacre::pmem
