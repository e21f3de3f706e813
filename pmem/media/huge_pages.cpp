#include "pmem/media/huge_pages.h"

#include <sys/mman.h>

#include "pmem/base/os.h"
#include "pmem/base/units.h"

namespace nacre::pmem {
namespace {

/// A place of one huge page among the addresses, through which pages of a file are joined one after the other.
class Window {
 public:
  Window() noexcept {
    if (os::mmap(nullptr, kTotalBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &start_) != 0)
      start_ = nullptr;
  }
  ~Window() {
    if (start_ != nullptr) (void)os::munmap(start_, kTotalBytes);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // The first small page has to be there: a page that is a hole altogether is not looked at.
  bool join(int fd, uint64_t off) noexcept {
    if (start_ == nullptr || os::fallocate(fd, off, kPageBytes) != 0) return false;
    void* at = reinterpret_cast<void*>(align_up(reinterpret_cast<uintptr_t>(start_), kHugePageBytes));
    if (os::mmap(at, kHugePageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, off, &at) != 0) return false;
    return os::collapse(at, kHugePageBytes) == 0;
  }

 private:
  static constexpr uint64_t kTotalBytes = 2 * kHugePageBytes;  // room to align
  void* start_ = nullptr;
};

}  // namespace

void allocate_huge_pages(int fd, uint64_t off, uint64_t bytes) noexcept {
  const uint64_t end = align_down(off + bytes, kHugePageBytes);
  uint64_t at = align_up(off, kHugePageBytes);
  if (at >= end || !os::is_tmpfs(fd)) return;
  if (os::ftruncate(fd, off + bytes) != 0) return;  // pages are joined only inside the file
  Window window;
  while (at < end && window.join(fd, at)) at += kHugePageBytes;
}

}  // namespace nacre::pmem
