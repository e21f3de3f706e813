// The bytes of one pool that is about to be damaged, between pages nobody may touch, and a domain over them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "pmem/domain.h"

namespace nacre::damage {

/// One mapping that is filled anew for each case: a load or store outside of the pool is SIGSEGV.
class Victim {
 public:
  explicit Victim(uint64_t capacity_bytes);
  ~Victim();
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  /// The file becomes these bytes; what lies behind them, up to the capacity, is zero when the file grows into it.
  void load(std::span<const std::byte> bytes) noexcept {
    std::memcpy(data_, bytes.data(), bytes.size());
    file_bytes_ = bytes.size();
  }
  std::byte* data() const noexcept { return data_; }
  std::span<std::byte> bytes() const noexcept { return {data_, file_bytes_}; }
  uint64_t capacity_bytes() const noexcept { return capacity_bytes_; }
  void resize_file(uint64_t file_bytes) noexcept {
    if (file_bytes > file_bytes_) std::memset(data_ + file_bytes_, 0, file_bytes - file_bytes_);
    file_bytes_ = file_bytes;
  }

 private:
  static constexpr uint64_t kGuardBytes = uint64_t{1} << 30;
  std::byte* map_;
  std::byte* data_;
  uint64_t capacity_bytes_;
  uint64_t file_bytes_ = 0;
};

/// Flushes nothing. Grows within the victim's capacity. The victim outlives it.
class VictimDomain final : public pmem::Domain {
 public:
  explicit VictimDomain(Victim& victim)
      : Domain(victim.data(), victim.bytes().size(), pmem::Medium::test, pmem::FlushKind::none, false,
               victim.capacity_bytes()),
        victim_(victim) {}
  Status grow(uint64_t new_bytes) noexcept override;
  Status shrink(uint64_t new_bytes) noexcept override;

 private:
  Victim& victim_;
};

}  // namespace nacre::damage
