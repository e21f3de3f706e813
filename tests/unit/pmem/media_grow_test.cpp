// A medium that grows and shrinks: real blocks, zero bytes, pointers that stay good, and a failure at any step changes
// nothing.
#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "tests/unit/pmem/media_fixture.h"

using namespace nacre;
using namespace nacre::pmem;
using namespace nacre::test;
using Catch::Contains;

namespace {

constexpr uint64_t kMiB = 1 << 20;

std::unique_ptr<Domain> open_ok(const OpenRequest& request) {
  Result<OpenedMedium> opened = open_medium(request);
  INFO(opened.status().name() << ": " << opened.status().message());
  REQUIRE(opened.has_value());
  return std::move(opened->domain);
}

void store(Domain& domain, uint64_t off, const char* text) {
  std::memcpy(domain.at<char>(off), text, std::strlen(text));
  domain.flush(off, std::strlen(text), kTestSite);
  domain.fence(kTestSite);
}

bool zero(const Domain& domain, uint64_t off, uint64_t bytes) {
  return std::all_of(domain.base() + off, domain.base() + off + bytes, [](std::byte b) { return b == std::byte{0}; });
}

uint64_t allocated_bytes(const std::string& path) {
  struct stat st = {};
  return ::stat(path.c_str(), &st) == 0 ? static_cast<uint64_t>(st.st_blocks) * 512 : 0;
}

/// For the life of the object no file of this process may become longer.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    struct rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &old_); }
  FileSizeLimit(const FileSizeLimit&) = delete;

 private:
  struct rlimit old_ = {};
};

}  // namespace

TEST_CASE("a grown file has real blocks and zero bytes, nothing moves, and the rest is as it was") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  for (const MediumRequest medium : {MediumRequest::dax, MediumRequest::msync}) {
    ::unlink(path.c_str());
    {
      const auto domain = open_ok(create_request(path, medium));
      const std::byte* const base = domain->base();
      store(*domain, 5000, "alice");
      REQUIRE(domain->grow(kMiB + 100).ok());
      REQUIRE(domain->size_bytes() == kMiB + kPageBytes);
      REQUIRE(domain->grow(5 * kMiB).ok());
      REQUIRE(domain->grow(3 * kMiB).ok());  // it is that long
      REQUIRE(domain->size_bytes() == 5 * kMiB);
      REQUIRE(domain->base() == base);
      REQUIRE(zero(*domain, kMiB, 4 * kMiB));
      REQUIRE(file_bytes(path) == 5 * kMiB);
      REQUIRE(allocated_bytes(path) >= 5 * kMiB);
      store(*domain, 5 * kMiB - 10, "bob");
      REQUIRE(std::memcmp(domain->at<char>(5000), "alice", 5) == 0);
      REQUIRE(domain->health().ok());
      domain->keep_created();
    }
    REQUIRE(file_byte(path, 5 * kMiB - 10) == 'b');
    const auto again = open_ok(open_request(path, medium));
    REQUIRE(again->size_bytes() == 5 * kMiB);
    REQUIRE(again->reserved_bytes() >= 5 * kMiB);
  }
}

TEST_CASE("memory grows, zero, in place") {
  OpenRequest request;
  request.medium = MediumRequest::memory;
  request.create_bytes = kMiB;
  const auto domain = open_ok(request);
  store(*domain, 99'000, "carol");
  REQUIRE(domain->grow(64 * kMiB).ok());
  REQUIRE(zero(*domain, kMiB, 63 * kMiB));
  store(*domain, 64 * kMiB - 10, "dave");
  REQUIRE(std::memcmp(domain->at<char>(99'000), "carol", 5) == 0);
  REQUIRE(domain->shrink(kMiB).ok());
  REQUIRE(domain->grow(2 * kMiB).ok());
  REQUIRE(zero(*domain, kMiB, kMiB));
}

TEST_CASE("a shrunk file gives its blocks back, and what grows again is zero") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  for (const MediumRequest medium : {MediumRequest::dax, MediumRequest::msync}) {
    const auto domain = open_ok(create_request(path, medium, 4 * kMiB));
    store(*domain, 3 * kMiB, "gone");
    REQUIRE(domain->shrink(2 * kMiB).ok());
    REQUIRE(domain->size_bytes() == 2 * kMiB);
    REQUIRE(file_bytes(path) == 2 * kMiB);
    REQUIRE(allocated_bytes(path) < 3 * kMiB);
    REQUIRE(domain->shrink(3 * kMiB).ok());  // it is shorter already
    REQUIRE(domain->grow(4 * kMiB).ok());
    REQUIRE(zero(*domain, 2 * kMiB, 2 * kMiB));
  }
}

TEST_CASE("growth beyond the reserved addresses is a limit, and says what to do") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  OpenRequest request = create_request(path, MediumRequest::dax);
  request.reserve_bytes = 2 * kMiB;
  const auto domain = open_ok(request);
  REQUIRE(domain->reserved_bytes() >= 2 * kMiB);
  const uint64_t all = domain->reserved_bytes();
  REQUIRE(domain->grow(all + 1) == Code::limit);
  REQUIRE_THAT(last_message(), Contains("max_size"));
  REQUIRE(file_bytes(path) == kMiB);
  REQUIRE(domain->grow(all).ok());
  store(*domain, all - 10, "end");
}

TEST_CASE("a read-only image does not grow") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  open_ok(create_request(path, MediumRequest::msync))->keep_created();
  const auto image = open_ok(open_request(path, MediumRequest::automatic, Access::read_only));
  REQUIRE(image->grow(2 * kMiB) == Code::not_supported);
  REQUIRE(image->shrink(kPageBytes) == Code::not_supported);
  REQUIRE(image->reserved_bytes() == image->size_bytes());
  REQUIRE(file_bytes(path) == kMiB);
}

TEST_CASE("growth that fails at any system call leaves length, blocks and size as they were, and works later") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  struct Row {
    os::Call call;
    int error;
    Code code;
  };
  for (const MediumRequest medium : {MediumRequest::dax, MediumRequest::msync})
    for (const Row& row :
         {Row{os::Call::getrlimit, EINVAL, Code::io_error}, Row{os::Call::statvfs, EIO, Code::io_error},
          Row{os::Call::fallocate, ENOSPC, Code::out_of_space}, Row{os::Call::fallocate, EFBIG, Code::out_of_space},
          Row{os::Call::fallocate, EDQUOT, Code::out_of_space}, Row{os::Call::fallocate, EIO, Code::io_error},
          Row{os::Call::mmap, ENOMEM, Code::out_of_memory}, Row{os::Call::mmap, ENODEV, Code::io_error}}) {
      ::unlink(path.c_str());
      const auto domain = open_ok(create_request(path, medium));
      store(*domain, 5000, "alice");
      {
        const ScopedFault fault(row.call, row.error, 0, 1);
        INFO(os::call_name(row.call) << " fails with errno " << row.error);
        const Status s = domain->grow(3 * kMiB);
        REQUIRE(s == row.code);
        REQUIRE(s.sys_errno() == row.error);
      }
      REQUIRE(domain->size_bytes() == kMiB);
      REQUIRE(file_bytes(path) == kMiB);
      REQUIRE(domain->health().ok());
      REQUIRE(domain->grow(2 * kMiB).ok());
      REQUIRE(zero(*domain, kMiB, kMiB));
      store(*domain, 2 * kMiB - 10, "bob");
    }
}

TEST_CASE("a failed fsync of growth is io_error; on msync it is final, for it may have been about a commit's pages") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  for (const MediumRequest medium : {MediumRequest::dax, MediumRequest::msync}) {
    ::unlink(path.c_str());
    const auto domain = open_ok(create_request(path, medium));
    const ScopedFault fault(os::Call::fsync, EIO, 0, 1);
    REQUIRE(domain->grow(3 * kMiB) == Code::io_error);
    REQUIRE(file_bytes(path) == kMiB);
    REQUIRE(domain->health().ok() == (medium == MediumRequest::dax));
    REQUIRE(domain->grow(3 * kMiB).ok());
  }
}

TEST_CASE("a tail that could not be cut off is cut off before the next growth: added bytes are zero") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  const auto domain = open_ok(create_request(path, MediumRequest::dax, 2 * kMiB));
  store(*domain, kMiB + 5000, "old");
  {
    const ScopedFault fault(os::Call::ftruncate, EIO, 0, 2);
    REQUIRE(domain->shrink(kMiB) == Code::io_error);
    REQUIRE(domain->size_bytes() == kMiB);
    REQUIRE(file_bytes(path) == 2 * kMiB);
    REQUIRE(domain->grow(2 * kMiB) == Code::io_error);
    REQUIRE(domain->size_bytes() == kMiB);
  }
  REQUIRE(domain->grow(2 * kMiB).ok());
  REQUIRE(zero(*domain, kMiB, kMiB));
}

TEST_CASE("a file of odd length grows from its last whole page, with zeros") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  std::ofstream(path) << std::string(10'000, 'x');
  const auto domain = open_ok(open_request(path, MediumRequest::msync));
  REQUIRE(domain->size_bytes() == 8192);
  REQUIRE(domain->grow(16'384).ok());
  REQUIRE(zero(*domain, 8192, 8192));
}

TEST_CASE("the process's limit on the length of files is out_of_space, not the signal SIGXFSZ") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  {
    const FileSizeLimit limit(kMiB);
    REQUIRE(open_medium(create_request(path, MediumRequest::msync, 2 * kMiB)).status() == Code::out_of_space);
    REQUIRE_THAT(last_message(), Contains("RLIMIT_FSIZE"));
    REQUIRE(!file_exists(path));
    const auto domain = open_ok(create_request(path, MediumRequest::msync));
    REQUIRE(domain->grow(2 * kMiB) == Code::out_of_space);
    REQUIRE(domain->size_bytes() == kMiB);
    domain->keep_created();
  }
  REQUIRE(open_ok(open_request(path, MediumRequest::msync))->grow(2 * kMiB).ok());
}

TEST_CASE("prefault is for media whose faults can be taken ahead, and never beyond the size") {
  const TempFolder folder("/dev/shm");
  const auto msync = open_ok(create_request(folder / "file", MediumRequest::msync));
  REQUIRE_FALSE(msync->prefault(0, kMiB));
  const auto dax = open_ok(create_request(folder / "dax", MediumRequest::dax));
  REQUIRE(dax->prefault(kMiB, kMiB));  // nothing to do
  const bool here = dax->prefault(0, kPageBytes);  // false on kernels before 5.14
  REQUIRE(dax->prefault(100, kMiB) == here);
  REQUIRE(zero(*dax, 0, kMiB));
}

TEST_CASE("others store and load while one thread grows the medium") {
  const TempFolder folder("/dev/shm");
  for (const MediumRequest medium : {MediumRequest::dax, MediumRequest::msync}) {
    const auto domain = open_ok(create_request(folder / "pool", medium));
    std::atomic<bool> stop{false};
    std::thread writer([&] {
      for (uint64_t i = 0; !stop; ++i) {
        const uint64_t last_off = domain->size_bytes() - kWordBytes;  // only what was published is used
        __atomic_store_n(domain->at<uint64_t>(last_off), i, __ATOMIC_RELAXED);
        domain->flush(last_off, kWordBytes, kTestSite);
        domain->fence(kTestSite);
      }
    });
    for (uint64_t mib = 2; mib <= 40; ++mib) CHECK(domain->grow(mib * kMiB).ok());
    stop = true;
    writer.join();
    REQUIRE(domain->health().ok());
  }
}
