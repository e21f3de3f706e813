#include "pmem/media/mapped_domain.h"

#include <algorithm>
#include <cerrno>

#include "pmem/base/os.h"

namespace nacre::pmem {
namespace {

using ull = unsigned long long;

}  // namespace

Status MappedDomain::refuse_growth(const char* operation, uint64_t new_bytes) const noexcept {
  if (!plan_.may_grow)
    return Status::error(Code::not_supported, "%s: the medium was opened read-only", operation);
  if (new_bytes > reserved_bytes())
    return Status::error(Code::limit, "%s: %llu bytes are wanted, %llu bytes of address space were reserved at the "
                         "open; open the pool again, or give max_size, which reserves as much", operation,
                         static_cast<ull>(new_bytes), static_cast<ull>(reserved_bytes()));
  return Code::ok;
}

Status MappedDomain::grow(uint64_t new_bytes) noexcept {
  const uint64_t old_bytes = size_bytes();
  if (new_bytes <= old_bytes) return Code::ok;
  NACRE_TRY(refuse_growth("grow", new_bytes));
  new_bytes = align_up(new_bytes, kPageBytes);
  if (has_file()) NACRE_TRY(file_.extend(new_bytes));  // 1. blocks, and a length that is durable
  if (Status mapped = map_added(old_bytes, new_bytes - old_bytes); !mapped.ok()) {  // 2. addresses
    if (has_file()) file_.undo_extend(old_bytes);
    return mapped;
  }
  publish_size(new_bytes);  // 3. for everybody
  return Code::ok;
}

Status MappedDomain::map_added(uint64_t off, uint64_t bytes) noexcept {
  return has_file() ? range_.map_file(file_.fd(), off, bytes, plan_.map_flags) : range_.map_memory(off, bytes);
}

Status MappedDomain::shrink(uint64_t new_bytes) noexcept {
  const uint64_t old_bytes = size_bytes();
  new_bytes = align_up(new_bytes, kPageBytes);
  if (new_bytes >= old_bytes) return Code::ok;
  NACRE_TRY(refuse_growth("shrink", new_bytes));
  NACRE_TRY(range_.unmap(new_bytes, old_bytes - new_bytes));  // first: a load behind the end of a file is SIGBUS
  publish_size(new_bytes);
  return has_file() ? file_.cut(new_bytes) : Status();
}

// An ordinary file would only have its clean pages made dirty by this, and written for nothing.
bool MappedDomain::prefault(uint64_t off, uint64_t bytes) noexcept {
  if (!plan_.may_grow || medium() == Medium::msync) return false;
  const uint64_t begin = align_down(off, kPageBytes);
  const uint64_t end = std::min(align_up(off + bytes, kPageBytes), size_bytes());
  return begin >= end || os::populate(base() + begin, end - begin) != EINVAL;  // EINVAL: the kernel has no such call
}

}  // namespace nacre::pmem
