// The file under a pool: found or made, locked, and removed again if the pool in it never became sound.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "pmem/base/result.h"

namespace nacre::pmem {

struct OpenRequest;

/// Owns an open, locked file, or nothing (plain memory). Movable.
class PoolFile {
 public:
  PoolFile() noexcept = default;
  PoolFile(PoolFile&& other) noexcept { *this = std::move(other); }
  PoolFile& operator=(PoolFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(size_bytes_, other.size_bytes_);
    std::swap(has_holes_, other.has_holes_);
    std::swap(has_tail_, other.has_tail_);
    std::swap(sync_error_, other.sync_error_);
    std::swap(undo_, other.undo_);
    return *this;
  }
  ~PoolFile();

  /// See Domain::fill_holes.
  Status fill_holes() noexcept;
  /// Takes real blocks up to `new_bytes` and waits until they and the length are durable. On failure the length is
  /// what it was. out_of_space, io_error.
  Status extend(uint64_t new_bytes) noexcept;
  /// After an extend that nothing came of: gives the added blocks back.
  void undo_extend(uint64_t old_bytes) noexcept;
  /// Gives the blocks behind `new_bytes` back, durably. io_error; the file then keeps a tail for a while, which the
  /// next extend or cut, or the next open of a writer, takes away.
  Status cut(uint64_t new_bytes) noexcept;
  /// The errno of the first failed fsync of extend or cut, 0 if none failed.
  int sync_error() const noexcept { return sync_error_; }

  /// Errors as open_medium.
  static Result<PoolFile> open(const OpenRequest& request);

  int fd() const noexcept { return fd_; }
  const std::string& path() const noexcept { return path_; }
  uint64_t size_bytes() const noexcept { return size_bytes_; }  ///< whole pages
  bool created() const noexcept { return undo_ != Undo::nothing; }

  /// From now on the file stays.
  void keep() noexcept { undo_ = Undo::nothing; }

 private:
  // What the destructor owes to a file whose creation is given up.
  enum class Undo : uint8_t { nothing, empty_it, remove_it };

  static Result<PoolFile> open_once(const OpenRequest& request);
  Status open_descriptor(const OpenRequest& request);
  Status lock(const OpenRequest& request);
  Status examine(const OpenRequest& request, bool* orphaned);
  Status allocate(uint64_t bytes);
  Status refuse_space(const char* operation, uint64_t new_bytes) noexcept;
  Status take_blocks(const char* operation, uint64_t new_bytes) noexcept;
  Status sync(const char* operation) noexcept;

  int fd_ = -1;
  std::string path_;
  uint64_t size_bytes_ = 0;
  bool has_holes_ = false;
  bool has_tail_ = false;  // the file is, or after a failed truncation may be, longer than size_bytes_
  int sync_error_ = 0;
  Undo undo_ = Undo::nothing;
};

}  // namespace nacre::pmem
