// One writer or many readers, across processes and inside one.
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/unit/pmem/media_fixture.h"

using namespace nacre;
using namespace nacre::pmem;
using namespace nacre::test;
using Catch::Contains;

namespace {

// Runs `body` in a child while this process waits for its first word; the child ends with this object.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) {
    REQUIRE(::pipe(to_child_) == 0);
    REQUIRE(::pipe(to_parent_) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      char c = body() ? 'y' : 'n';
      (void)!::write(to_parent_[1], &c, 1);
      ::close(to_child_[1]);
      (void)!::read(to_child_[0], &c, 1);  // until the parent closes its end
      ::_exit(0);
    }
    char answer = 0;
    REQUIRE(::read(to_parent_[0], &answer, 1) == 1);
    ok_ = answer == 'y';
  }
  ~Child() {
    for (const int fd : {to_child_[0], to_child_[1], to_parent_[0], to_parent_[1]}) ::close(fd);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  bool ok() const { return ok_; }
  int pid() const { return pid_; }

 private:
  int to_child_[2], to_parent_[2];
  int pid_ = 0;
  bool ok_ = false;
};

void make_pool(const std::string& path) {
  Result<OpenedMedium> opened = open_medium(create_request(path, MediumRequest::msync));
  REQUIRE(opened.has_value());
  opened->domain->keep_created();
}

}  // namespace

TEST_CASE("a writer keeps everybody else out, inside one process too") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  make_pool(path);
  {
    const auto writer = open_medium(open_request(path, MediumRequest::msync));
    REQUIRE(writer.has_value());
    REQUIRE(open_medium(open_request(path, MediumRequest::msync)).status() == Code::locked);
    REQUIRE_THAT(last_message(), Contains("another handle"));
    REQUIRE(open_medium(open_request(path, MediumRequest::msync, Access::read_only)).status() ==
            Code::locked);
    REQUIRE(open_medium(create_request(path, MediumRequest::dax)).status() == Code::locked);
  }
  REQUIRE(open_medium(open_request(path, MediumRequest::msync)).has_value());
}

TEST_CASE("readers share, and keep a writer out") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  make_pool(path);
  const auto first = open_medium(open_request(path, MediumRequest::msync, Access::read_only));
  const auto second = open_medium(open_request(path, MediumRequest::msync, Access::read_only));
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  REQUIRE(open_medium(open_request(path, MediumRequest::msync)).status() == Code::locked);
}

TEST_CASE("the refusal names the process that has the pool") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  make_pool(path);
  for (const Access access : {Access::read_write, Access::read_only}) {
    {
      Child holder([&] {
        static Result<OpenedMedium> held = Code::internal;
        held = open_medium(open_request(path, MediumRequest::msync, access));
        return held.has_value();
      });
      REQUIRE(holder.ok());
      REQUIRE(open_medium(open_request(path, MediumRequest::msync)).status() == Code::locked);
      REQUIRE_THAT(last_message(), Contains("process " + std::to_string(holder.pid())));
    }
    REQUIRE(open_medium(open_request(path, MediumRequest::msync)).has_value());  // its end freed the pool
  }
}

TEST_CASE("a pool that is being made is locked, not half there") {
  const TempFolder folder;
  const std::string path = folder / "pool";
  Child maker([&] {
    static Result<OpenedMedium> made = Code::internal;
    made = open_medium(create_request(path, MediumRequest::msync));
    return made.has_value();
  });
  REQUIRE(maker.ok());
  REQUIRE(open_medium(create_request(path, MediumRequest::msync)).status() == Code::locked);
  REQUIRE(file_exists(path));
}
