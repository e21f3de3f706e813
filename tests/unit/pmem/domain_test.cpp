// What a domain counts and what it passes on.
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "pmem/domain.h"

using namespace nacre;
using namespace nacre::pmem;

namespace {

constexpr Site kSite{"test.unit.domain"};

alignas(64) std::byte g_bytes[4096];

class PlainDomain final : public Domain {
 public:
  PlainDomain() : Domain(g_bytes, sizeof g_bytes, Medium::test, FlushKind::none, false) {}
};

class HookedDomain final : public Domain {
 public:
  HookedDomain() : Domain(g_bytes, sizeof g_bytes, Medium::test, FlushKind::hooked, false) {}
  std::vector<std::pair<uint64_t, uint64_t>> flushed, dirtied;
  int fences = 0;
  void break_it() { failed_ = true; }

 private:
  void do_flush(uint64_t off, uint64_t bytes, const Site&) noexcept override {
    flushed.emplace_back(off, bytes);
  }
  void do_fence(const Site&) noexcept override { ++fences; }
  void do_dirty(uint64_t off, uint64_t bytes) noexcept override { dirtied.emplace_back(off, bytes); }
};

}  // namespace

TEST_CASE("flush counts the cache lines it touches") {
  PlainDomain domain;
  struct Row {
    uint64_t off, bytes, lines;
  };
  for (const Row& row : {Row{0, 1, 1}, Row{0, 64, 1}, Row{0, 65, 2}, Row{63, 1, 1}, Row{63, 2, 2},
                         Row{60, 8, 2}, Row{64, 0, 0}, Row{1, 128, 3}, Row{128, 128, 2}}) {
    const Counters before = domain.thread_counters();
    domain.flush(row.off, row.bytes, kSite);
    REQUIRE(domain.thread_counters().lines - before.lines == row.lines);
    REQUIRE(domain.thread_counters().bytes - before.bytes == row.bytes);
  }
}

TEST_CASE("fence and order are counted, per thread and in total") {
  PlainDomain domain;
  domain.fence(kSite);
  REQUIRE(domain.order(kSite).position == 0);
  std::thread([&] {
    domain.fence(kSite);
    domain.flush(0, 64, kSite);
    if (domain.thread_counters().fences != 1) std::abort();
  }).join();
  REQUIRE(domain.thread_counters().fences == 2);
  REQUIRE(domain.total_counters().fences == 3);
  REQUIRE(domain.total_counters().lines == 1);
}

TEST_CASE("a hooked domain sees every call with its numbers; order is its fence by default") {
  HookedDomain domain;
  domain.flush(10, 20, kSite);
  domain.flush(10, 0, kSite);
  domain.fence(kSite);
  domain.wait(domain.order(kSite), kSite);
  domain.dirty(5, 6);
  REQUIRE(domain.flushed == std::vector<std::pair<uint64_t, uint64_t>>{{10, 20}});
  REQUIRE(domain.dirtied == std::vector<std::pair<uint64_t, uint64_t>>{{5, 6}});
  REQUIRE(domain.fences == 2);
  REQUIRE(domain.health().ok());
  domain.break_it();
  REQUIRE(domain.health().code() == Code::io_error);
}
