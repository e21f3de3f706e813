#include "pmem/media/pool_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "pmem/base/os.h"
#include "pmem/base/units.h"
#include "pmem/media/open.h"

namespace nacre::pmem {
namespace {

using ull = unsigned long long;

constexpr uint64_t kHugePagePatienceUs = 1000;  // in a growth, which operations may have to wait for

bool is_writer(const OpenRequest& request) noexcept { return request.access == Access::read_write; }
bool may_create(const OpenRequest& request) noexcept {
  return is_writer(request) && (request.create || request.must_create);
}

Status space_error(int error, const char* operation, const std::string& path, uint64_t bytes) noexcept {
  const bool full = error == ENOSPC || error == EFBIG || error == EDQUOT;
  return Status::system_error(full ? Code::out_of_space : Code::io_error, error, "%s '%s': cannot allocate %llu bytes",
                              operation, path.c_str(), static_cast<ull>(bytes));
}

}  // namespace

PoolFile::~PoolFile() {
  if (fd_ < 0) return;
  // Under the lock still, so that nobody else's pool is hit.
  if (undo_ == Undo::remove_it) (void)os::unlink(path_.c_str());
  if (undo_ == Undo::empty_it) (void)os::ftruncate(fd_, 0);
  os::unlock_file(fd_);
  (void)os::close(fd_);
}

Result<PoolFile> PoolFile::open(const OpenRequest& request) {
  if (request.path == nullptr || request.path[0] == '\0')
    return Status::error(Code::invalid_argument,
                         "open: a path is needed (only the medium 'memory' has none)");
  if (may_create(request) && request.create_bytes < kMinMediumBytes)
    return Status::error(Code::invalid_argument, "create '%s': %llu bytes asked for, %llu is the least",
                         request.path, static_cast<ull>(request.create_bytes),
                         static_cast<ull>(kMinMediumBytes));
  // Whoever gives up a creation removes the name between our open and our lock: then look again.
  constexpr int kRounds = 16;
  for (int round = 0; round < kRounds; ++round) {
    Result<PoolFile> file = open_once(request);
    if (!file.has_value() || file->fd_ >= 0) return file;
  }
  return Status::error(Code::io_error, "open '%s': the file was removed and made anew %d times meanwhile",
                       request.path, kRounds);
}

// A file without a descriptor means that the name was removed meanwhile.
Result<PoolFile> PoolFile::open_once(const OpenRequest& request) {
  PoolFile file;
  file.path_ = request.path;
  NACRE_TRY(file.open_descriptor(request));
  if (const Status locked = file.lock(request); !locked.ok()) {
    file.keep();  // another creator was faster and has the lock: the file is theirs
    return locked;
  }
  bool orphaned = false;
  NACRE_TRY(file.examine(request, &orphaned));
  if (orphaned) return PoolFile();
  if (file.created()) NACRE_TRY(file.allocate(align_up(request.create_bytes, kPageBytes)));
  return file;
}

Status PoolFile::open_descriptor(const OpenRequest& request) {
  // O_NONBLOCK: a fifo must not hold us up. It means nothing to regular files.
  const int flags = (is_writer(request) ? O_RDWR : O_RDONLY) | O_NONBLOCK;
  int error = 0;
  if (may_create(request)) {
    error = os::open(request.path, flags | O_CREAT | O_EXCL, 0644, &fd_);
    if (error == 0) {
      undo_ = Undo::remove_it;
      return Code::ok;
    }
    if (error == EEXIST && request.must_create)
      return Status::error(Code::exists, "create '%s': the file exists already", request.path);
  }
  if (error == 0 || error == EEXIST) error = os::open(request.path, flags, 0, &fd_);
  if (error == 0) return Code::ok;
  fd_ = -1;
  if (error == ENOENT && !may_create(request))
    return Status::error(Code::not_found,
                         "open '%s': no such file; set create_if_missing or use 'nacre create'",
                         request.path);
  if (error == EISDIR) return Status::error(Code::not_a_pool, "open '%s': it is a directory", request.path);
  return Status::system_error(Code::io_error, error, "open '%s'", request.path);
}

Status PoolFile::lock(const OpenRequest& request) {
  const auto kind = is_writer(request) ? os::LockKind::exclusive : os::LockKind::shared;
  const int error = os::lock_file(fd_, kind);
  if (error == 0) {
    os::announce_holder(fd_, kind);
    return Code::ok;
  }
  if (error != EAGAIN) return Status::system_error(Code::io_error, error, "open '%s': lock", request.path);
  if (const int holder = os::lock_holder(fd_); holder != 0)
    return Status::error(Code::locked, "open '%s': process %d has it open; close it there first",
                         request.path, holder);
  return Status::error(
      Code::locked, "open '%s': another handle of this process or another process has it open", request.path);
}

Status PoolFile::examine(const OpenRequest& request, bool* orphaned) {
  os::FileInfo info;
  if (const int error = os::fstat(fd_, &info); error != 0)
    return Status::system_error(Code::io_error, error, "open '%s': fstat", request.path);
  if (info.directory) return Status::error(Code::not_a_pool, "open '%s': it is a directory", request.path);
  if (!info.regular)
    return Status::error(Code::not_a_pool, "open '%s': it is not a regular file", request.path);
  *orphaned = info.link_count == 0;
  if (*orphaned) {
    undo_ = Undo::nothing;
    return Code::ok;
  }
  if (info.size_bytes == 0 && may_create(request)) {
    // A crash early in a creation leaves an empty file, and so does mktemp: nothing can be lost by filling
    // it.
    if (undo_ == Undo::nothing) undo_ = Undo::empty_it;
    return Code::ok;
  }
  if (info.size_bytes < kMinMediumBytes)
    return Status::error(Code::not_a_pool, "open '%s': the file has %llu bytes, the smallest pool has %llu",
                         request.path, static_cast<ull>(info.size_bytes), static_cast<ull>(kMinMediumBytes));
  // Another creator may have filled the file we made, before we got the lock.
  undo_ = Undo::nothing;
  size_bytes_ = align_down(info.size_bytes, kPageBytes);
  has_holes_ = is_writer(request) && info.allocated_bytes < info.size_bytes;
  has_tail_ = is_writer(request) && info.size_bytes != size_bytes_;
  return Code::ok;
}

Status PoolFile::fill_holes() noexcept {
  if (!has_holes_) return Code::ok;
  if (const int error = os::fallocate(fd_, 0, size_bytes_); error != 0)
    return space_error(error, "fill the holes of", path_, size_bytes_);
  has_holes_ = false;
  return Code::ok;
}

Status PoolFile::allocate(uint64_t bytes) {
  NACRE_TRY(refuse_space("create", bytes));
  NACRE_TRY(take_blocks("create", bytes));
  NACRE_TRY(sync("create"));
  if (const int error = os::fsync_parent(path_.c_str()); error != 0)
    return Status::system_error(Code::io_error, error, "create '%s': fsync of its directory", path_.c_str());
  size_bytes_ = bytes;
  return Code::ok;
}

// Asked first, so that a request that is too large does not fill the file system (and, on tmpfs, the memory) before it
// fails; and so that one beyond the process's own limit does not end the process by SIGXFSZ.
Status PoolFile::refuse_space(const char* operation, uint64_t new_bytes) noexcept {
  uint64_t limit_bytes = 0, free_bytes = 0;
  if (const int error = os::file_size_limit(&limit_bytes); error != 0)
    return Status::system_error(Code::io_error, error, "%s '%s': getrlimit", operation, path_.c_str());
  if (new_bytes > limit_bytes)
    return Status::error(Code::out_of_space, "%s '%s': %llu bytes are wanted, this process may make files of %llu "
                         "(RLIMIT_FSIZE, ulimit -f)", operation, path_.c_str(), static_cast<ull>(new_bytes),
                         static_cast<ull>(limit_bytes));
  if (const int error = os::free_space(fd_, &free_bytes); error != 0)
    return Status::system_error(Code::io_error, error, "%s '%s': statvfs", operation, path_.c_str());
  if (new_bytes - size_bytes_ > free_bytes)
    return Status::error(Code::out_of_space, "%s '%s': %llu more bytes are wanted, %llu are free on its file system",
                         operation, path_.c_str(), static_cast<ull>(new_bytes - size_bytes_),
                         static_cast<ull>(free_bytes));
  return Code::ok;
}

Status PoolFile::take_blocks(const char* operation, uint64_t new_bytes) noexcept {
  const uint64_t patience_us = size_bytes_ == 0 ? 0 : kHugePagePatienceUs;  // nobody waits for a creation
  (void)os::allocate_huge_pages(fd_, size_bytes_, new_bytes - size_bytes_, patience_us);  // a wish; the rest is next
  const int error = os::fallocate(fd_, size_bytes_, new_bytes - size_bytes_);
  return error == 0 ? Status() : space_error(error, operation, path_, new_bytes - size_bytes_);
}

Status PoolFile::sync(const char* operation) noexcept {
  const int error = os::fsync(fd_);
  if (error == 0) return Code::ok;
  if (sync_error_ == 0) sync_error_ = error;
  return Status::system_error(Code::io_error, error, "%s '%s': fsync", operation, path_.c_str());
}

Status PoolFile::extend(uint64_t new_bytes) noexcept {
  const uint64_t old_bytes = size_bytes_;
  if (has_tail_) NACRE_TRY(cut(old_bytes));  // whatever is in it, added bytes are zero
  NACRE_TRY(refuse_space("grow", new_bytes));
  Status s = take_blocks("grow", new_bytes);
  if (s.ok()) s = sync("grow");
  if (s.ok())
    size_bytes_ = new_bytes;
  else
    undo_extend(old_bytes);  // a failed fallocate may have taken some
  return s;
}

void PoolFile::undo_extend(uint64_t old_bytes) noexcept {
  size_bytes_ = old_bytes;
  has_tail_ = os::ftruncate(fd_, old_bytes) != 0;
}

Status PoolFile::cut(uint64_t new_bytes) noexcept {
  size_bytes_ = new_bytes;
  has_tail_ = true;
  if (const int error = os::ftruncate(fd_, new_bytes); error != 0)
    return Status::system_error(Code::io_error, error, "shrink '%s': ftruncate to %llu bytes", path_.c_str(),
                                static_cast<ull>(new_bytes));
  has_tail_ = false;
  return sync("shrink");
}

}  // namespace nacre::pmem
