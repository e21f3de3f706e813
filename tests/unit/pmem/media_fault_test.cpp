// System calls that fail: the right code, nothing left behind, and a failed msync is final.
#include <catch2/catch.hpp>
#include <cerrno>

#include "tests/unit/pmem/media_fixture.h"

using namespace nacre;
using namespace nacre::pmem;
using namespace nacre::test;
using Catch::Contains;

// An interrupted close has closed; the folder of a new pool is closed after its fsync, and create answered io_error.
TEST_CASE("a close that is interrupted is no failure of a create") {
  const TempFolder folder;
  const ScopedFault fault(os::Call::close, EINTR);
  const std::string path = folder / "pool";
  REQUIRE(open_medium(create_request(path, MediumRequest::msync)).has_value());
}

TEST_CASE("a failed msync is sticky: health() says io_error for good, and no later fence tries again") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  Result<OpenedMedium> opened = open_medium(create_request(path, MediumRequest::msync));
  REQUIRE(opened.has_value());
  Domain& domain = *opened->domain;
  const auto write_one = [&] {
    *domain.at<uint64_t>(8192) += 1;
    domain.flush(8192, 8, kTestSite);
    domain.fence(kTestSite);
  };
  write_one();
  REQUIRE(domain.health().ok());
  {
    const ScopedFault fault(os::Call::msync, EIO, 0, 1);
    write_one();
    REQUIRE(domain.health().code() == Code::io_error);
    write_one();
  }
  REQUIRE(domain.health().code() == Code::io_error);
  REQUIRE(domain.health().sys_errno() == EIO);
  REQUIRE_THAT(last_message(), Contains("msync") && Contains(path));
}

TEST_CASE("an interrupted call is repeated") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  for (const os::Call call :
       {os::Call::open, os::Call::fallocate, os::Call::fsync, os::Call::mmap, os::Call::lock}) {
    const ScopedFault fault(call, EINTR, 0, 2);
    REQUIRE(open_medium(create_request(path, MediumRequest::dax)).has_value());
  }
}

TEST_CASE("a creation that fails at any system call removes the file and names the error") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  struct Row {
    os::Call call;
    int error;
    Code code;
  };
  for (const Row& row :
       {Row{os::Call::fallocate, ENOSPC, Code::out_of_space},
        Row{os::Call::fallocate, EFBIG, Code::out_of_space}, Row{os::Call::fallocate, EIO, Code::io_error},
        Row{os::Call::statvfs, EIO, Code::io_error}, Row{os::Call::fstat, EIO, Code::io_error},
        Row{os::Call::fsync, EIO, Code::io_error}, Row{os::Call::open, EMFILE, Code::io_error},
        Row{os::Call::mmap, ENOMEM, Code::out_of_memory}}) {
    const ScopedFault fault(row.call, row.error);
    INFO(os::call_name(row.call) << " fails with errno " << row.error);
    const Result<OpenedMedium> opened = open_medium(create_request(path, MediumRequest::msync));
    REQUIRE(opened.status().code() == row.code);
    REQUIRE(opened.status().sys_errno() == row.error);
    REQUIRE(!file_exists(path));
  }
  for (int skip = 0; skip < 3;
       ++skip) {  // the reservation, the probe (whose failure is an answer), the mapping
    const ScopedFault fault(os::Call::mmap, ENODEV, skip, 1);
    const Result<OpenedMedium> opened = open_medium(create_request(path, MediumRequest::msync));
    if (opened.has_value()) continue;
    REQUIRE(opened.status().code() == Code::io_error);
    REQUIRE(!file_exists(path));
  }
}

TEST_CASE("a file system without locks is an error, not a pool without protection") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  const ScopedFault fault(os::Call::lock, ENOLCK);
  REQUIRE(open_medium(create_request(path, MediumRequest::msync)).status() == Code::io_error);
}

TEST_CASE("less address space than hoped for is enough as long as the pool fits") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  const ScopedFault fault(os::Call::mmap, ENOMEM, 1, 3);  // the probe passes, then three reservations fail
  REQUIRE(open_medium(create_request(path, MediumRequest::msync)).has_value());
}
