// A status is a code, an errno and a sentence.
#include <catch2/catch.hpp>
#include <cerrno>
#include <memory>
#include <string>

#include "pmem/base/result.h"

using namespace nacre;
using Catch::Contains;

namespace {

Status passes_on(Status inner) {
  NACRE_TRY(inner);
  return Code::stopped;
}

Result<int> twice(Result<int> in) {
  NACRE_ASSIGN(const int n, in);
  return 2 * n;
}

}  // namespace

TEST_CASE("every code has a name of its own") {
  std::string before;
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
    const std::string name = code_name(static_cast<Code>(i));
    REQUIRE(name != "unknown");
    REQUIRE(name != before);
    before = name;
  }
  REQUIRE(std::string(code_name(static_cast<Code>(200))) == "unknown");
}

TEST_CASE("texts are kept per thread, cut when too long, and carry errno") {
  const Status s = Status::system_error(Code::io_error, ENOENT, "open '%s'", "pool");
  REQUIRE(s.sys_errno() == ENOENT);
  REQUIRE_THAT(s.message(), Contains("open 'pool': No such file") && Contains("errno 2"));
  const Status longer = Status::error(Code::limit, "%s", std::string(2000, 'x').c_str());
  REQUIRE(std::string(longer.message()).size() == 511);
  REQUIRE(std::string(Status(Code::limit).message()).empty());
  clear_last_message();
  REQUIRE(std::string(last_message()).empty());
}

TEST_CASE("NACRE_TRY and NACRE_ASSIGN pass failures on and values through") {
  REQUIRE(passes_on(Code::locked) == Code::locked);
  REQUIRE(passes_on(Code::ok) == Code::stopped);
  REQUIRE(*twice(21) == 42);
  REQUIRE(twice(Code::limit).status() == Code::limit);
  REQUIRE(twice(Code::limit).value_or(7) == 7);
  Result<std::unique_ptr<int>> owner = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = std::move(owner).value();
  REQUIRE(*taken == 5);
}
