// A medium that fails: the handle says io_error, then read-only; the next open finds every put that was
// acknowledged.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <map>

#include "pmem/base/os.h"
#include "tests/support/db_fixture.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

std::atomic<os::Call> g_call{};
std::atomic<int> g_skip{0}, g_error{0};

/// From its `skip`-th use on, the call fails, for the life of the object.
class Fault {
 public:
  Fault(os::Call call, int error, int skip) {
    g_call = call;
    g_error = error;
    g_skip = skip;
    os::set_fault_hook([](os::Call c) {
      if (c != g_call) return 0;
      return g_skip.fetch_sub(1) > 0 ? 0 : g_error.load();
    });
  }
  ~Fault() { os::set_fault_hook(nullptr); }
  Fault(const Fault&) = delete;
  bool struck() const { return g_skip < 0; }
};

class TempPool {
 public:
  TempPool()
      : path_((std::filesystem::temp_directory_path() / ("nacre-fault-" + std::to_string(::getpid())))
                  .string()) {
    std::filesystem::remove(path_);
  }
  ~TempPool() { std::filesystem::remove(path_); }
  TempPool(const TempPool&) = delete;
  Result<std::unique_ptr<Db>> open(bool create, bool one_fence = false) const {
    Options o;
    o.medium = MediumChoice::msync;
    o.create_if_missing = create;
    o.size_bytes = 1 << 20;
    o.one_fence = one_fence;
    return Db::open(path_.c_str(), o);
  }
  bool exists() const { return std::filesystem::exists(path_); }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE(
    "msync fails at the n-th call of a run of puts, for every n: io_error, then read_only, then all is there "
    "again") {
  for (const bool one_fence : {false, true}) {
    bool reached_end = false;
    for (int n = 0; n < 60 && !reached_end; ++n) {
      INFO("msync " << n << (one_fence ? ", one fence" : ", strict"));
      const TempPool pool;
      std::map<std::string, std::string> sure;
      std::string unsure;
      {
        auto db = pool.open(true, one_fence);
        REQUIRE(db.has_value());
        const auto table = (*db)->default_table();
        for (int i = 0; i < 5; ++i) {
          REQUIRE(table->put("old" + std::to_string(i), "v").ok());
          sure["old" + std::to_string(i)] = "v";
        }
        const Fault fault(os::Call::msync, EIO, n);
        Status s;
        for (int i = 0; i < 12 && s.ok(); ++i) {
          const std::string key = i % 2 != 0 ? "old1" : "new" + std::to_string(i);
          s = table->put(key, std::to_string(i));
          if (s.ok())
            sure[key] = std::to_string(i);
          else
            unsure = key;
        }
        if (s.ok()) {
          reached_end = true;
        } else {
          REQUIRE(s == Code::io_error);
          REQUIRE(s.sys_errno() == EIO);
          const Status next = table->put("next", "v");
          REQUIRE((next == Code::read_only || next == Code::io_error));
          REQUIRE(table->remove("old0").code() == next.code());
          REQUIRE((*db)->read_only());
          REQUIRE(value_of(*table, "old0") == "v");  // reading goes on
        }
      }
      auto db = pool.open(false, one_fence);
      REQUIRE(db.has_value());
      const auto table = (*db)->default_table();
      for (const auto& [key, value] : sure)
        if (key != unsure) REQUIRE(value_of(*table, key) == value);
      REQUIRE(unsound(**db) == "");
      REQUIRE(table->put("again", "v").ok());
    }
    REQUIRE(reached_end);
  }
}

TEST_CASE("msync fails at the n-th call of making a pool, opening and closing it: an error, and no harm") {
  for (int n = 0; n < 40; ++n) {
    INFO("msync " << n);
    const TempPool pool;
    {
      const Fault fault(os::Call::msync, EIO, n);
      auto db = pool.open(true);
      if (!db.has_value()) {
        REQUIRE((db.status() == Code::io_error || db.status() == Code::read_only));
        REQUIRE_FALSE(pool.exists());
      } else {
        (void)(*db)->close();
      }
      if (!fault.struck()) break;
    }
    auto db = pool.open(true);
    REQUIRE(db.has_value());
    REQUIRE(unsound(**db, 0) == "");
  }
}

TEST_CASE("msync fails at the n-th call of a shrink, for every n: the medium is to blame, not another operation") {
  for (int n = 0; n < 40; ++n) {
    INFO("msync " << n);
    const TempPool pool;
    auto db = pool.open(true);
    REQUIRE(db.has_value());
    const auto table = (*db)->default_table();
    const std::string value(20'000, 'v');
    for (int i = 0; i < 80; ++i) REQUIRE(table->put("k" + std::to_string(i), value).ok());
    for (int i = 20; i < 80; ++i) REQUIRE(table->remove("k" + std::to_string(i)).ok());
    bool struck;
    {
      const Fault fault(os::Call::msync, EIO, n);
      const Status s = (*db)->shrink();
      struck = fault.struck();
      INFO("the status is " << s.name());
      REQUIRE((s.ok() ? !struck : s == Code::io_error || s == Code::read_only));
    }
    (*db)->abandon();
    db = pool.open(false);
    REQUIRE(db.has_value());
    REQUIRE(unsound(**db, 20) == "");
    if (!struck) break;
  }
}
