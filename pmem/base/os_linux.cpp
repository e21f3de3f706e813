#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstring>

#include "pmem/base/os.h"
#include "pmem/base/units.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; part of the kernel's interface
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1; part of the kernel's interface
#endif

namespace nacre::os {
namespace {

std::atomic<FaultHook> g_fault_hook{nullptr};

// The open-file-description lock covers all bytes a pool can have; the classic lock that tells a process id
// lies beyond it, for the two kinds conflict with each other even inside one process.
constexpr off_t kLockedBytes = off_t{1} << 62;
constexpr off_t kHolderByte = kLockedBytes;

int injected(Call call) noexcept {
  const FaultHook hook = g_fault_hook.load(std::memory_order_relaxed);
  return hook == nullptr ? 0 : hook(call);
}

// Runs `attempt` (which returns negative on failure and sets errno) until it is not interrupted.
template <class Attempt>
int run(Call call, Attempt attempt) noexcept {
  for (;;) {
    const int fault = injected(call);
    if (fault == EINTR) continue;
    if (fault != 0) return fault;
    if (attempt() >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

// Repeats `move(done)` until `bytes` are moved, it returns 0 (end of file), or it fails.
template <class Move>
int run_io(Call call, uint64_t bytes, uint64_t* done, Move move) noexcept {
  *done = 0;
  while (*done < bytes) {
    ssize_t moved = 0;
    const int error =
        run(call, [&] { return moved = move(*done, std::min<uint64_t>(bytes - *done, INT_MAX)); });
    if (error != 0) return error;
    if (moved == 0) return 0;
    *done += static_cast<uint64_t>(moved);
  }
  return 0;
}

FileInfo to_info(const struct stat& st) noexcept {
  return {.size_bytes = static_cast<uint64_t>(st.st_size),
          .allocated_bytes = static_cast<uint64_t>(st.st_blocks) * 512,
          .link_count = static_cast<uint64_t>(st.st_nlink),
          .regular = S_ISREG(st.st_mode),
          .directory = S_ISDIR(st.st_mode)};
}

struct flock lock_record(LockKind kind, off_t start, off_t bytes) noexcept {
  struct flock record = {};
  record.l_type = kind == LockKind::exclusive ? F_WRLCK : F_RDLCK;
  record.l_whence = SEEK_SET;
  record.l_start = start;
  record.l_len = bytes;
  return record;
}

/// A place of one huge page among the addresses, through which pages of a file are joined one after the other.
class Window {
 public:
  Window() noexcept
      : start_(::mmap(nullptr, kTotalBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  ~Window() {
    if (start_ != MAP_FAILED) ::munmap(start_, kTotalBytes);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // The first small page has to be there: a page that is a hole altogether is not looked at.
  int join(int fd, uint64_t off) noexcept {
    if (start_ == MAP_FAILED) return -1;
    errno = ::posix_fallocate(fd, static_cast<off_t>(off), kPageBytes);
    if (errno != 0) return -1;
    void* page = reinterpret_cast<void*>(align_up(reinterpret_cast<uintptr_t>(start_), kHugePageBytes));
    page = ::mmap(page, kHugePageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(off));
    return page == MAP_FAILED ? -1 : ::madvise(page, kHugePageBytes, MADV_COLLAPSE);
  }

 private:
  static constexpr uint64_t kTotalBytes = 2 * kHugePageBytes;  // room to align
  void* start_;
};

// Negative with errno, as a system call.
int join_huge_pages(int fd, uint64_t off, uint64_t bytes, uint64_t patience_us) noexcept {
  const uint64_t end = align_down(off + bytes, kHugePageBytes);
  struct statfs info;
  if (align_up(off, kHugePageBytes) >= end) return 0;
  if (::fstatfs(fd, &info) != 0) return -1;
  if (info.f_type != TMPFS_MAGIC) return 0;
  if (::ftruncate(fd, static_cast<off_t>(off + bytes)) != 0) return -1;  // pages are joined only inside the file
  using Clock = std::chrono::steady_clock;
  Window window;
  for (uint64_t at = align_up(off, kHugePageBytes); at < end; at += kHugePageBytes) {
    const auto begin = Clock::now();
    if (window.join(fd, at) != 0) return -1;
    if (patience_us != 0 && Clock::now() - begin > std::chrono::microseconds(patience_us)) return 0;
  }
  return 0;
}

}  // namespace

const char* call_name(Call call) noexcept {
  static constexpr const char* kNames[] = {"open",      "close",     "stat",      "fstat",    "statvfs",
                                           "ftruncate", "fallocate", "unlink",    "rename",   "pread",
                                           "pwrite",    "fsync",     "fdatasync", "mmap",     "munmap",
                                           "msync",     "madvise",   "huge_pages", "lock",     "getrandom",
                                           "getrlimit"};
  static_assert(std::size(kNames) == static_cast<size_t>(Call::count_));
  return call < Call::count_ ? kNames[static_cast<size_t>(call)] : "unknown";
}

void set_fault_hook(FaultHook hook) noexcept { g_fault_hook.store(hook, std::memory_order_relaxed); }

int open(const char* path, int flags, unsigned mode, int* fd) noexcept {
  return run(Call::open, [&] { return *fd = ::open(path, flags | O_CLOEXEC, mode); });
}

int close(int fd) noexcept {
  // Linux has released the descriptor even when close was interrupted: a second call could close another one.
  const int fault = injected(Call::close);
  const int failed = ::close(fd);
  const int error = fault != 0 ? fault : failed < 0 ? errno : 0;
  return error == EINTR ? 0 : error;
}

int stat(const char* path, FileInfo* info) noexcept {
  struct stat st;
  const int error = run(Call::stat, [&] { return ::stat(path, &st); });
  if (error == 0) *info = to_info(st);
  return error;
}

int fstat(int fd, FileInfo* info) noexcept {
  struct stat st;
  const int error = run(Call::fstat, [&] { return ::fstat(fd, &st); });
  if (error == 0) *info = to_info(st);
  return error;
}

int free_space(int fd, uint64_t* free_bytes) noexcept {
  struct statvfs vfs;
  const int error = run(Call::statvfs, [&] { return ::fstatvfs(fd, &vfs); });
  if (error == 0) *free_bytes = static_cast<uint64_t>(vfs.f_bavail) * vfs.f_frsize;
  return error;
}

int ftruncate(int fd, uint64_t size_bytes) noexcept {
  return run(Call::ftruncate, [&] { return ::ftruncate(fd, static_cast<off_t>(size_bytes)); });
}

int file_size_limit(uint64_t* bytes) noexcept {
  struct rlimit limit;
  const int error = run(Call::getrlimit, [&] { return ::getrlimit(RLIMIT_FSIZE, &limit); });
  if (error == 0) *bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : static_cast<uint64_t>(limit.rlim_cur);
  return error;
}

int fallocate(int fd, uint64_t off, uint64_t bytes) noexcept {
  if (off > LLONG_MAX || bytes > LLONG_MAX - off) return EFBIG;
  return run(Call::fallocate, [&] {
    errno = ::posix_fallocate(fd, static_cast<off_t>(off), static_cast<off_t>(bytes));
    return errno == 0 ? 0 : -1;
  });
}

int unlink(const char* path) noexcept {
  return run(Call::unlink, [&] { return ::unlink(path); });
}

int rename(const char* from, const char* to) noexcept {
  return run(Call::rename, [&] { return ::rename(from, to); });
}

int pread(int fd, void* buffer, uint64_t bytes, uint64_t off, uint64_t* done) noexcept {
  return run_io(Call::pread, bytes, done, [&](uint64_t at, uint64_t n) {
    return ::pread(fd, static_cast<char*>(buffer) + at, n, static_cast<off_t>(off + at));
  });
}

int pwrite(int fd, const void* buffer, uint64_t bytes, uint64_t off, uint64_t* done) noexcept {
  return run_io(Call::pwrite, bytes, done, [&](uint64_t at, uint64_t n) {
    return ::pwrite(fd, static_cast<const char*>(buffer) + at, n, static_cast<off_t>(off + at));
  });
}

int fsync(int fd) noexcept {
  return run(Call::fsync, [&] { return ::fsync(fd); });
}

int fdatasync(int fd) noexcept {
  return run(Call::fdatasync, [&] { return ::fdatasync(fd); });
}

int fsync_parent(const char* path) noexcept {
  char folder[PATH_MAX] = ".";
  if (const char* slash = std::strrchr(path, '/'); slash != nullptr) {
    const auto length = static_cast<size_t>(std::max<ptrdiff_t>(slash - path, 1));  // "/pool" lies in "/"
    if (length >= sizeof folder) return ENAMETOOLONG;
    std::memcpy(folder, path, length);
    folder[length] = '\0';
  }
  int fd = -1;
  if (const int error = open(folder, O_RDONLY | O_DIRECTORY, 0, &fd); error != 0) return error;
  const int error = fsync(fd);
  const int close_error = close(fd);
  return error != 0 ? error : close_error;
}

int mmap(void* address, uint64_t bytes, int protection, int flags, int fd, uint64_t off,
         void** out) noexcept {
  return run(Call::mmap, [&] {
    *out = ::mmap(address, bytes, protection, flags, fd, static_cast<off_t>(off));
    return *out == MAP_FAILED ? -1 : 0;
  });
}

int munmap(void* address, uint64_t bytes) noexcept {
  return run(Call::munmap, [&] { return ::munmap(address, bytes); });
}

int msync(void* address, uint64_t bytes) noexcept {
  return run(Call::msync, [&] { return ::msync(address, bytes, MS_SYNC); });
}

int madvise(void* address, uint64_t bytes, int advice) noexcept {
  return run(Call::madvise, [&] { return ::madvise(address, bytes, advice); });
}

int populate(void* address, uint64_t bytes) noexcept { return madvise(address, bytes, MADV_POPULATE_WRITE); }

int allocate_huge_pages(int fd, uint64_t off, uint64_t bytes, uint64_t patience_us) noexcept {
  return run(Call::huge_pages, [&] { return join_huge_pages(fd, off, bytes, patience_us); });
}

int lock_file(int fd, LockKind kind) noexcept {
  const int error = run(Call::lock, [&] {
    struct flock record = lock_record(kind, 0, kLockedBytes);
    return ::fcntl(fd, F_OFD_SETLK, &record);
  });
  return error == EACCES ? EAGAIN : error;
}

void unlock_file(int fd) noexcept {
  struct flock record = lock_record(LockKind::exclusive, 0, kLockedBytes);
  record.l_type = F_UNLCK;
  (void)::fcntl(fd, F_OFD_SETLK, &record);
}

void announce_holder(int fd, LockKind kind) noexcept {
  struct flock record = lock_record(kind, kHolderByte, 1);
  (void)::fcntl(fd, F_SETLK, &record);
}

int lock_holder(int fd) noexcept {
  struct flock record = lock_record(LockKind::exclusive, kHolderByte, 1);
  if (::fcntl(fd, F_GETLK, &record) != 0 || record.l_type == F_UNLCK) return 0;
  return record.l_pid > 0 ? record.l_pid : 0;
}

int getrandom(void* buffer, uint64_t bytes) noexcept {
  uint64_t done = 0;
  return run_io(Call::getrandom, bytes, &done,
                [&](uint64_t at, uint64_t n) { return ::getrandom(static_cast<char*>(buffer) + at, n, 0); });
}

int process_id() noexcept { return ::getpid(); }

int prepare_fence_all_threads() noexcept {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 ? 0 : errno;
}
int fence_all_threads() noexcept {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0 ? 0 : errno;
}

uint64_t page_bytes() noexcept { return static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace nacre::os
