#include "pmem/media/mapped_domain.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "pmem/base/os.h"

namespace nacre::pmem {
namespace {

constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

}  // namespace

Result<AddressRange> AddressRange::reserve(uint64_t want_bytes, uint64_t least_bytes) {
  AddressRange range;
  int error = 0;
  for (uint64_t bytes = std::max(want_bytes, least_bytes);; bytes = std::max(bytes / 2, least_bytes)) {
    const uint64_t total_bytes = align_up(bytes, kHugePageBytes) + kHugePageBytes;  // room to align the start
    error = os::mmap(nullptr, total_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
                     &range.start_);
    if (error == 0) {
      range.total_bytes_ = total_bytes;
      return range;
    }
    range.start_ = nullptr;
    if (bytes == least_bytes) break;
  }
  return Status::system_error(Code::out_of_memory, error, "open: cannot reserve %llu bytes of address space",
                              static_cast<unsigned long long>(least_bytes));
}

AddressRange::~AddressRange() {
  if (start_ != nullptr) (void)os::munmap(start_, total_bytes_);
}

std::byte* AddressRange::base() const noexcept {
  return reinterpret_cast<std::byte*>(align_up(reinterpret_cast<uintptr_t>(start_), kHugePageBytes));
}

Status AddressRange::map_file(int fd, uint64_t size_bytes, int flags) noexcept {
  return map(fd, size_bytes, flags);
}

Status AddressRange::map_memory(uint64_t size_bytes) noexcept {
  return map(-1, size_bytes, MAP_PRIVATE | MAP_ANONYMOUS);
}

Status AddressRange::map(int fd, uint64_t size_bytes, int flags) noexcept {
  void* at = nullptr;
  const int error = os::mmap(base(), size_bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0, &at);
  if (error == 0) return Code::ok;
  return Status::system_error(error == ENOMEM ? Code::out_of_memory : Code::io_error, error,
                              "open: mmap of %llu bytes", static_cast<unsigned long long>(size_bytes));
}

}  // namespace nacre::pmem
