// Every system call the product makes, as thin functions: one file per system implements them, and a test can
// make any of them fail.
//
// Each returns 0 or an errno. EINTR is retried here and never seen by a caller.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace nacre::os {

enum class Call : uint8_t {
  open,
  close,
  stat,
  fstat,
  statvfs,
  ftruncate,
  fallocate,
  unlink,
  rename,
  pread,
  pwrite,
  fsync,
  fdatasync,
  mmap,
  munmap,
  msync,
  madvise,
  huge_pages,
  lock,
  getrandom,
  getrlimit,
  count_  // not a call
};
const char* call_name(Call call) noexcept;

/// Asked before each system call; a non-zero answer is the errno to fail with instead of making the call.
/// Null removes it. For tests; the hook must be callable from any thread.
using FaultHook = int (*)(Call call);
void set_fault_hook(FaultHook hook) noexcept;

struct FileInfo {
  uint64_t size_bytes = 0;
  uint64_t allocated_bytes = 0;  ///< less than size_bytes if the file has holes
  uint64_t link_count = 0;
  bool regular = false;
  bool directory = false;
};

int open(const char* path, int flags, unsigned mode, int* fd) noexcept;
int close(int fd) noexcept;
int stat(const char* path, FileInfo* info) noexcept;
int fstat(int fd, FileInfo* info) noexcept;
/// Bytes an unprivileged process may still allocate in the file system of `fd`.
int free_space(int fd, uint64_t* free_bytes) noexcept;
int ftruncate(int fd, uint64_t size_bytes) noexcept;
/// The longest file this process may make (RLIMIT_FSIZE), UINT64_MAX if there is no limit. Extending a file beyond it
/// raises SIGXFSZ, which ends the process: ask first.
int file_size_limit(uint64_t* bytes) noexcept;
/// Allocates real blocks for [off, off + bytes) and extends the file over them.
int fallocate(int fd, uint64_t off, uint64_t bytes) noexcept;
int unlink(const char* path) noexcept;
int rename(const char* from, const char* to) noexcept;
/// `*done` bytes were moved; fewer than asked for only at the end of the file (pread) or with an error.
int pread(int fd, void* buffer, uint64_t bytes, uint64_t off, uint64_t* done) noexcept;
int pwrite(int fd, const void* buffer, uint64_t bytes, uint64_t off, uint64_t* done) noexcept;
int fsync(int fd) noexcept;
int fdatasync(int fd) noexcept;
/// fsync of the directory that holds `path`, so that its name survives a power failure.
int fsync_parent(const char* path) noexcept;

int mmap(void* address, uint64_t bytes, int protection, int flags, int fd, uint64_t off, void** out) noexcept;
int munmap(void* address, uint64_t bytes) noexcept;
int msync(void* address, uint64_t bytes) noexcept;  ///< waits until the range is on the medium
int madvise(void* address, uint64_t bytes, int advice) noexcept;
/// Takes the write faults of mapped whole pages now. EINVAL where the kernel has no such call.
int populate(void* address, uint64_t bytes) noexcept;
/// Gives the whole huge pages of [off, off + bytes) of an open tmpfs file memory of their own, each in one piece. The
/// range lies behind the file's end, and the file may be `off + bytes` long afterwards and have holes, whatever is
/// returned: the caller allocates the range as if this had not been called, or truncates the file. Nothing happens on
/// other file systems and without a whole huge page; EINVAL where the system has no such thing (Linux 6.1 has it). 0.3
/// ms for each page, about as much as its small pages would cost; but where the system has to look for memory it may be
/// many times that, and it ends behind a page that took longer than `patience_us` (0: however long).
int allocate_huge_pages(int fd, uint64_t off, uint64_t bytes, uint64_t patience_us) noexcept;

enum class LockKind : uint8_t { shared, exclusive };
/// Locks the whole file for this open file description, without waiting: EAGAIN when somebody else has it.
int lock_file(int fd, LockKind kind) noexcept;
/// Gives the lock back at once, also when a forked child still has the descriptor.
void unlock_file(int fd) noexcept;
/// Notes this process as a holder of `fd`'s lock, for lock_holder(). Best effort.
void announce_holder(int fd, LockKind kind) noexcept;
/// The id of another process that announced itself as a holder; 0 if none is known.
int lock_holder(int fd) noexcept;

int getrandom(void* buffer, uint64_t bytes) noexcept;
int process_id() noexcept;
/// Lets this process call fence_all_threads; ENOSYS where the system has no such call.
int prepare_fence_all_threads() noexcept;
/// A full memory fence on every CPU that runs a thread of this process.
int fence_all_threads() noexcept;
uint64_t page_bytes() noexcept;

}  // namespace nacre::os
