// Each medium, end to end: what is stored is there again, and every refusal has its code and a useful text.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "tests/unit/pmem/media_fixture.h"

using namespace nacre;
using namespace nacre::pmem;
using namespace nacre::test;
using Catch::Contains;

namespace {

std::unique_ptr<Domain> open_ok(const OpenRequest& request) {
  Result<OpenedMedium> opened = open_medium(request);
  INFO(opened.status().name() << ": " << opened.status().message());
  REQUIRE(opened.has_value());
  return std::move(opened->domain);
}

Code open_code(const OpenRequest& request) { return open_medium(request).status().code(); }

void store(Domain& domain, uint64_t off, const char* text) {
  std::memcpy(domain.at<char>(off), text, std::strlen(text));
  domain.flush(off, std::strlen(text), kTestSite);
  domain.fence(kTestSite);
}

}  // namespace

TEST_CASE("a file pool is zero when made, and keeps what was stored") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  for (const MediumRequest medium : {MediumRequest::dax, MediumRequest::msync}) {
    ::unlink(path.c_str());
    {
      Result<OpenedMedium> opened = open_medium(create_request(path, medium));
      REQUIRE(opened.has_value());
      REQUIRE(opened->created);
      Domain& domain = *opened->domain;
      REQUIRE(domain.size_bytes() == 1 << 20);
      REQUIRE(domain.medium() == (medium == MediumRequest::dax ? Medium::dax : Medium::msync));
      REQUIRE(std::all_of(domain.base(), domain.base() + domain.size_bytes(),
                          [](std::byte b) { return b == std::byte{0}; }));
      store(domain, 5000, "alice");
      REQUIRE(domain.health().ok());
      domain.keep_created();
    }
    REQUIRE(file_byte(path, 5000) == 'a');
    Result<OpenedMedium> again = open_medium(open_request(path, medium));
    REQUIRE(again.has_value());
    REQUIRE(!again->created);
    REQUIRE(std::memcmp(again->domain->at<char>(5000), "alice", 5) == 0);
  }
}

TEST_CASE("a creation that is given up leaves no file, and an empty file empty") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  open_ok(create_request(path, MediumRequest::msync));
  REQUIRE(!file_exists(path));
  std::ofstream(path).close();
  open_ok(create_request(path, MediumRequest::msync));
  REQUIRE(file_exists(path));
  REQUIRE(file_bytes(path) == 0);
}

TEST_CASE("a made file has all its blocks: a store into it cannot run out of space") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  const auto domain = open_ok(create_request(path, MediumRequest::msync, 3 << 20));
  struct stat st = {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  REQUIRE(st.st_size == 3 << 20);
  REQUIRE(st.st_blocks * 512 >= st.st_size);
}

TEST_CASE("tmpfs is msync unless dax is asked for, and dax there is forced") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  const ScopedEnv no_flush("NACRE_FLUSH", nullptr);
  {
    const ScopedEnv env("NACRE_MEDIUM", nullptr);
    const auto domain = open_ok(create_request(path, MediumRequest::automatic));
    REQUIRE(domain->medium() == Medium::msync);
    REQUIRE(domain->flush_kind() == FlushKind::hooked);
    REQUIRE(!domain->forced());
  }
  {
    const ScopedEnv env("NACRE_MEDIUM", "dax");
    const auto domain = open_ok(create_request(path, MediumRequest::automatic));
    REQUIRE(domain->medium() == Medium::dax);
    REQUIRE(domain->flush_kind() == best_flush_kind());
    REQUIRE(domain->forced());
    REQUIRE(open_ok(create_request(folder / "other", MediumRequest::msync))->medium() == Medium::msync);
  }
  const ScopedEnv env("NACRE_MEDIUM", "floppy");
  REQUIRE(open_code(create_request(path, MediumRequest::automatic)) == Code::invalid_argument);
  REQUIRE_THAT(last_message(), Contains("floppy"));
  REQUIRE(!file_exists(path));
}

TEST_CASE("NACRE_FLUSH forces the instruction, and an unknown one is refused") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  for (const char* name : {"clwb", "clflushopt", "clflush", "none"}) {
    const FlushKind kind = *flush_kind_from_name(name);
    const ScopedEnv env("NACRE_FLUSH", name);
    if (!flush_kind_usable(kind)) {
      REQUIRE(open_code(create_request(path, MediumRequest::dax)) == Code::invalid_argument);
      continue;
    }
    const auto domain = open_ok(create_request(path, MediumRequest::dax));
    REQUIRE(domain->flush_kind() == kind);
    store(*domain, 100, "bob");
    REQUIRE(file_byte(path, 100) == 'b');
  }
  for (const char* name : {"hooked", "clzero"}) {
    const ScopedEnv env("NACRE_FLUSH", name);
    REQUIRE(open_code(create_request(path, MediumRequest::dax)) == Code::invalid_argument);
    REQUIRE_THAT(last_message(), Contains(name));
  }
}

TEST_CASE("the medium memory needs no path, is zero and always new") {
  OpenRequest request;
  request.medium = MediumRequest::memory;
  request.create_bytes = 100'000;
  Result<OpenedMedium> opened = open_medium(request);
  REQUIRE(opened.has_value());
  REQUIRE(opened->created);
  REQUIRE(opened->domain->medium() == Medium::memory);
  REQUIRE(opened->domain->flush_kind() == FlushKind::none);
  REQUIRE(opened->domain->size_bytes() == align_up(100'000, kPageBytes));
  store(*opened->domain, 99'000, "carol");
  request.access = Access::read_only;
  REQUIRE(open_code(request) == Code::invalid_argument);
}

TEST_CASE("a read-only image takes stores and the file never sees them") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  {
    const auto domain = open_ok(create_request(path, MediumRequest::msync));
    store(*domain, 64, "old");
    domain->keep_created();
  }
  ::chmod(path.c_str(), 0444);
  const auto image = open_ok(open_request(path, MediumRequest::automatic, Access::read_only));
  REQUIRE(image->medium() == Medium::msync);
  REQUIRE(image->flush_kind() == FlushKind::none);
  store(*image, 64, "new");
  REQUIRE(std::memcmp(image->at<char>(64), "new", 3) == 0);
  REQUIRE(file_byte(path, 64) == 'o');
}

TEST_CASE("what cannot be opened says why") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  REQUIRE(open_code(open_request(path, MediumRequest::msync)) == Code::not_found);
  REQUIRE_THAT(last_message(), Contains(path) && Contains("create_if_missing"));
  OpenRequest read_only = create_request(path, MediumRequest::msync);
  read_only.access = Access::read_only;
  REQUIRE(open_code(read_only) == Code::not_found);
  REQUIRE(open_code(OpenRequest{}) == Code::invalid_argument);
  REQUIRE(open_code(create_request(folder / "no/such", MediumRequest::msync)) == Code::io_error);
  REQUIRE(open_code(open_request("/tmp", MediumRequest::msync)) == Code::not_a_pool);
  REQUIRE_THAT(last_message(), Contains("directory"));
  REQUIRE(open_code(open_request("/tmp", MediumRequest::msync, Access::read_only)) == Code::not_a_pool);
  REQUIRE(open_code(create_request("/dev/null", MediumRequest::msync)) == Code::not_a_pool);

  std::ofstream(path).close();
  REQUIRE(open_code(open_request(path, MediumRequest::msync)) == Code::not_a_pool);
  std::ofstream(path) << "short";
  REQUIRE(open_code(create_request(path, MediumRequest::msync)) == Code::not_a_pool);
  REQUIRE_THAT(last_message(), Contains("5 bytes"));
  REQUIRE(file_bytes(path) == 5);
  OpenRequest fresh = create_request(path, MediumRequest::msync);
  fresh.must_create = true;
  REQUIRE(open_code(fresh) == Code::exists);
  REQUIRE(open_code(create_request(folder / "tiny", MediumRequest::msync, 100)) == Code::invalid_argument);
}

TEST_CASE("a fifo is refused at once instead of being waited for") {
  const TempFolder folder;
  const std::string path = folder / "fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  REQUIRE(open_code(open_request(path, MediumRequest::msync, Access::read_only)) == Code::not_a_pool);
}

TEST_CASE("a pool larger than its file system is refused before anything is filled") {
  const TempFolder folder("/dev/shm");
  const std::string path = folder / "pool";
  for (const uint64_t bytes : {uint64_t{1} << 45, uint64_t{1} << 62}) {
    REQUIRE(open_code(create_request(path, MediumRequest::dax, bytes)) == Code::out_of_space);
    REQUIRE(!file_exists(path));
  }
}

TEST_CASE("a file of odd length is mapped in whole pages") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  std::ofstream(path) << std::string(10'000, 'x');
  REQUIRE(open_ok(open_request(path, MediumRequest::msync))->size_bytes() == 8192);
}
