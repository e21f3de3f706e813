// Huge pages under a file on tmpfs: a wish that changes nothing else.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "pmem/base/units.h"
#include "tests/support/files.h"

using namespace nacre;
using namespace nacre::pmem;
using namespace nacre::test;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class Tmpfs {
 public:
  Tmpfs() : folder_("/dev/shm"), path_(folder_ / "file"), fd_(::open(path_.c_str(), O_RDWR | O_CREAT, 0600)) {
    REQUIRE(fd_ >= 0);
    struct statfs info;
    REQUIRE(::fstatfs(fd_, &info) == 0);
    REQUIRE(info.f_type == TMPFS_MAGIC);
  }
  ~Tmpfs() { ::close(fd_); }
  Tmpfs(const Tmpfs&) = delete;
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  uint64_t size_bytes() const { return file_bytes(path_); }
  uint64_t allocated_bytes() const {
    struct stat st = {};
    return ::fstat(fd_, &st) == 0 ? static_cast<uint64_t>(st.st_blocks) * 512 : 0;
  }

 private:
  TempFolder folder_;
  std::string path_;
  int fd_;
};

/// Bytes of the mapping at `at` that one entry for a whole huge page leads to.
uint64_t huge_bytes_at(const void* at) {
  std::ostringstream start;
  start << std::hex << reinterpret_cast<uintptr_t>(at) << "-";
  std::ifstream maps("/proc/self/smaps");
  bool mine = false;
  for (std::string line; std::getline(maps, line);) {
    if (const size_t dash = line.find('-'); dash != std::string::npos && dash < line.find(' '))
      mine = line.starts_with(start.str());
    if (mine && line.starts_with("ShmemPmdMapped:")) return std::stoull(line.substr(line.find(':') + 1)) * 1024;
  }
  return 0;
}

bool kernel_can() {
  Tmpfs file;
  return os::allocate_huge_pages(file.fd(), 0, kHugePageBytes, 0) == 0;
}

}  // namespace

TEST_CASE("whole huge pages of a tmpfs file are allocated in one piece, and what is no whole one is left alone") {
  const bool can = kernel_can();
  Tmpfs file;
  REQUIRE(os::ftruncate(file.fd(), kMiB) == 0);
  REQUIRE((os::allocate_huge_pages(file.fd(), kMiB, 6 * kMiB + 4096, 0) == 0) ==
          can);  // [1 MiB, 7 MiB + 4 KiB) has the pages at 2 and 4 MiB
  REQUIRE(file.size_bytes() == 7 * kMiB + 4096);
  if (!can) WARN("this kernel has no huge pages for tmpfs files: what they look like is not tested");
  REQUIRE(file.allocated_bytes() == (can ? 2 * kHugePageBytes : kPageBytes));
}

TEST_CASE("a range without a whole huge page, and a file elsewhere than on tmpfs, stay as they are") {
  Tmpfs file;
  REQUIRE(os::allocate_huge_pages(file.fd(), kMiB, 2 * kMiB, 0) == 0);
  REQUIRE(file.size_bytes() == 0);
  const int proc = ::open("/proc/self/status", O_RDONLY);
  REQUIRE(proc >= 0);
  REQUIRE(os::allocate_huge_pages(proc, 0, 8 * kMiB, 0) == 0);
  REQUIRE(::close(proc) == 0);
}

TEST_CASE("a pool's medium on tmpfs is mapped by huge pages, zero and wholly allocated") {
  const bool can = kernel_can();
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  Result<OpenedMedium> opened = open_medium(create_request(path, MediumRequest::dax, 7 * kMiB));
  REQUIRE(opened.has_value());
  Domain& domain = *opened->domain;
  REQUIRE(
      std::all_of(domain.base(), domain.base() + domain.size_bytes(), [](std::byte b) { return b == std::byte{0}; }));
  struct stat st = {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  REQUIRE(static_cast<uint64_t>(st.st_blocks) * 512 == 7 * kMiB);
  REQUIRE(huge_bytes_at(domain.base()) == (can ? 6 * kMiB : 0));
  REQUIRE(domain.grow(12 * kMiB).ok());
  REQUIRE(::stat(path.c_str(), &st) == 0);
  REQUIRE(static_cast<uint64_t>(st.st_blocks) * 512 == 12 * kMiB);
}

TEST_CASE("a medium is made and grows all the same where huge pages are refused") {
  const ScopedFault fault(os::Call::huge_pages, EINVAL);
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  Result<OpenedMedium> opened = open_medium(create_request(path, MediumRequest::dax, 4 * kMiB));
  REQUIRE(opened.has_value());
  REQUIRE(opened->domain->grow(8 * kMiB).ok());
  struct stat st = {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  REQUIRE(static_cast<uint64_t>(st.st_blocks) * 512 == 8 * kMiB);
  REQUIRE(huge_bytes_at(opened->domain->base()) == 0);
}
