#include "tests/damage/victim.h"

#include <sys/mman.h>

#include <new>

namespace nacre::damage {

Victim::Victim(uint64_t capacity_bytes) : capacity_bytes_(align_up(capacity_bytes, kPageBytes)) {
  void* map =
      ::mmap(nullptr, 2 * kGuardBytes + capacity_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) throw std::bad_alloc();
  map_ = static_cast<std::byte*>(map);
  data_ = map_ + kGuardBytes;
  if (::mprotect(data_, capacity_bytes_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
}

Victim::~Victim() { ::munmap(map_, 2 * kGuardBytes + capacity_bytes_); }

Status VictimDomain::grow(uint64_t new_bytes) noexcept {
  new_bytes = align_up(new_bytes, kPageBytes);
  if (new_bytes > reserved_bytes()) return Code::limit;
  if (new_bytes <= size_bytes()) return Code::ok;
  victim_.resize_file(new_bytes);
  publish_size(new_bytes);
  return Code::ok;
}

Status VictimDomain::shrink(uint64_t new_bytes) noexcept {
  new_bytes = align_up(new_bytes, kPageBytes);
  if (new_bytes >= size_bytes()) return Code::ok;
  victim_.resize_file(new_bytes);
  publish_size(new_bytes);
  return Code::ok;
}

}  // namespace nacre::damage
