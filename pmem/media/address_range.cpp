#include "pmem/media/address_range.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "pmem/base/os.h"
#include "pmem/base/units.h"

namespace nacre::pmem {
namespace {

constexpr int kReserved = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

Status map_error(int error, const char* what, uint64_t bytes) noexcept {
  return Status::system_error(error == ENOMEM ? Code::out_of_memory : Code::io_error, error, "%s of %llu bytes", what,
                              static_cast<unsigned long long>(bytes));
}

}  // namespace

Result<AddressRange> AddressRange::reserve(uint64_t want_bytes, uint64_t least_bytes) {
  AddressRange range;
  int error = 0;
  for (uint64_t bytes = std::max(want_bytes, least_bytes);; bytes = std::max(bytes / 2, least_bytes)) {
    const uint64_t total_bytes = align_up(bytes, kHugePageBytes) + kHugePageBytes;  // room to align the start
    error = os::mmap(nullptr, total_bytes, PROT_NONE, kReserved, -1, 0, &range.start_);
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

uint64_t AddressRange::reserved_bytes() const noexcept {
  const auto lost_bytes = static_cast<uint64_t>(base() - static_cast<std::byte*>(start_));
  return align_down(total_bytes_ - lost_bytes, kPageBytes);
}

Status AddressRange::map_file(int fd, uint64_t off, uint64_t bytes, int flags) noexcept {
  return map(fd, off, bytes, flags);
}

Status AddressRange::map_memory(uint64_t off, uint64_t bytes) noexcept {
  return map(-1, off, bytes, MAP_PRIVATE | MAP_ANONYMOUS);
}

Status AddressRange::map(int fd, uint64_t off, uint64_t bytes, int flags) noexcept {
  void* at = nullptr;
  const uint64_t file_off = fd < 0 ? 0 : off;
  const int error = os::mmap(base() + off, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, file_off, &at);
  if (error != 0) {
    (void)unmap(off, bytes);  // a refused MAP_FIXED may leave a hole, into which somebody else could map
    return map_error(error, "mmap", bytes);
  }
#ifdef MADV_HUGEPAGE
  (void)os::madvise(base() + off, bytes, MADV_HUGEPAGE);  // a wish: most media refuse, and nothing depends on it
#endif
  return Code::ok;
}

Status AddressRange::unmap(uint64_t off, uint64_t bytes) noexcept {
  void* at = nullptr;
  const int error = os::mmap(base() + off, bytes, PROT_NONE, kReserved | MAP_FIXED, -1, 0, &at);
  return error == 0 ? Status() : map_error(error, "munmap", bytes);
}

}  // namespace nacre::pmem
