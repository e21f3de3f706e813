// Growth of a pool: in place, bounded, all or nothing, ahead of demand when there is a helper.
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <thread>

#include "alloc/grow.h"
#include "tests/support/files.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;
using Catch::Contains;

namespace {

constexpr uint64_t kPoolBytes = 128 * 1024;
constexpr uint64_t kChunkBytes = 4096;

/// A pool in memory that can grow, with the anchor of pool_fixture.h.
class GrowingPool {
 public:
  explicit GrowingPool(const GrowOptions& grow, const TempFolder* folder = nullptr) {
    pmem::OpenRequest request;
    path_ = folder == nullptr ? "" : *folder / "pool";
    request.path = path_.c_str();
    request.medium = folder == nullptr ? pmem::MediumRequest::memory : pmem::MediumRequest::dax;
    request.create = true;
    request.create_bytes = kPoolBytes;
    request.reserve_bytes = 64u << 20;
    auto opened = pmem::open_medium(request);
    REQUIRE(opened.has_value());
    const ClassSpec lines[] = {{64, 64}};
    REQUIRE(format_pool(*opened->domain, {.geometry = small_geometry(), .classes = lines, .identity_lo = 1,
                                          .identity_hi = 2})
                .ok());
    opened->domain->keep_created();
    open(std::move(opened->domain), grow);
  }
  void reopen(const GrowOptions& grow) {
    pool_.reset();
    pmem::OpenRequest request = open_request(path_, pmem::MediumRequest::dax);
    request.reserve_bytes = 64u << 20;
    auto opened = pmem::open_medium(request);
    REQUIRE(opened.has_value());
    open(std::move(opened->domain), grow);
  }
  Pool& pool() { return *pool_; }
  Pool* operator->() { return pool_.get(); }
  uint64_t bytes() const { return pool_->layout().pool_bytes(); }
  const std::string& path() const { return path_; }

  /// Takes a unit for good; take_chunk: of almost a chunk.
  Status take(uint64_t bytes) {
    Commit c(*pool_);
    NACRE_TRY(c.begin());
    uint64_t off;
    NACRE_TRY(c.allocate(bytes, UnitUse::record, off));
    std::memset(pool_->at<std::byte>(off), 1, bytes);  // there is memory behind it
    kept_.push_back(off);
    const uint64_t line = kRootsLines[0];
    NACRE_TRY(c.lock(std::span(&line, 1), 1, 1));
    c.set_word(line, kQuarantineWord, 0);
    return c.publish();
  }
  Status take_chunk() { return take(kChunkBytes - 100); }
  Status give_chunk() {
    Commit c(*pool_);
    NACRE_TRY(c.begin());
    NACRE_TRY(c.free(kept_.back(), UnitUse::record));
    const uint64_t line = kRootsLines[0];
    NACRE_TRY(c.lock(std::span(&line, 1), 1, 1));
    c.set_word(line, kQuarantineWord, 0);
    NACRE_TRY(c.publish());
    kept_.pop_back();
    return Code::ok;
  }
  size_t kept() const { return kept_.size(); }

  std::string problem() {
    HeapCheck check(*pool_);
    check.check_metadata();
    for (uint64_t off : kept_) check.mark(off, kChunkBytes - 100, "unit");
    check.finish();
    if (check.account().sum() != bytes()) check.problem("the parts do not sum up");
    return check.problems().empty() ? std::string() : check.problems()[0];
  }

 private:
  void open(std::unique_ptr<pmem::Domain> domain, const GrowOptions& grow) {
    auto pool = Pool::open(std::move(domain), {.grow = grow});
    INFO(last_message());
    REQUIRE(pool.has_value());
    pool_ = std::move(*pool);
  }

  std::string path_;
  std::unique_ptr<Pool> pool_;
  std::vector<uint64_t> kept_;
};

const GrowOptions kInline{.helper = false};

Status fill(GrowingPool& pool, size_t most = 1 << 20) {
  Status s;
  for (size_t i = 0; i < most && s.ok(); ++i) s = pool.take_chunk();
  return s;
}

bool eventually(const std::function<bool()>& is_so) {
  for (int i = 0; i < 2000; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

TEST_CASE("a pool that is used up grows in place, into new zones, and every byte is accounted for") {
  const TempFolder folder("/dev/shm");
  GrowingPool pool(kInline, &folder);
  const std::byte* const base = pool->domain().base();
  const uint64_t zones = pool->layout().zone_count();
  REQUIRE(fill(pool, 400).ok());
  CHECK(pool->domain().base() == base);
  CHECK(pool.bytes() > kPoolBytes * 4);
  CHECK(pool.bytes() <= pool->domain().size_bytes());
  CHECK(pool->layout().zone_count() > zones);
  CHECK(pool->growth_stats().growths > 1);
  CHECK(pool.problem() == "");
  pool.reopen(kInline);
  CHECK(pool.problem() == "");
  REQUIRE(fill(pool, 100).ok());
  CHECK(pool.problem() == "");
}

TEST_CASE("growth costs one commit and a fence before it, whatever it adds") {
  GrowingPool pool({.helper = false, .step_bytes = 8u << 20});
  while (pool->growth_stats().growths == 0) {
    const auto before = pool->domain().thread_counters();
    const uint64_t commits = pool->stats().commits;
    REQUIRE(pool.take_chunk().ok());
    if (pool->growth_stats().growths == 0) continue;
    // its own fence and commit, and the commit of the unit
    CHECK(pool->stats().commits - commits == 2);
    CHECK(pool->domain().thread_counters().fences - before.fences == 3);
  }
  CHECK(pool.bytes() > 8u << 20);
}

TEST_CASE("max_size: out of space, nothing changes, and what is freed can be used again") {
  const TempFolder folder("/dev/shm");
  GrowOptions options = kInline;
  options.max_bytes = 3 * kPoolBytes;
  GrowingPool pool(options, &folder);
  REQUIRE(fill(pool) == Code::out_of_space);
  REQUIRE_THAT(last_message(), Contains("at most 393216"));
  CHECK(pool.bytes() <= options.max_bytes);
  CHECK(pool.bytes() > options.max_bytes - 2 * kChunkBytes);
  CHECK(file_bytes(pool.path()) <= options.max_bytes);
  CHECK(pool.problem() == "");
  const size_t kept = pool.kept();
  REQUIRE(pool.give_chunk().ok());
  REQUIRE(pool.take_chunk().ok());
  REQUIRE(pool.take_chunk() == Code::out_of_space);
  CHECK(pool.kept() == kept);
  pool.reopen(kInline);  // without the bound
  REQUIRE(fill(pool, 10).ok());
  CHECK(pool.problem() == "");
}

TEST_CASE("growth switched off: the pool is full at its size") {
  GrowingPool pool({.allowed = false});
  REQUIRE(fill(pool) == Code::out_of_space);
  REQUIRE_THAT(last_message(), Contains("switched off"));
  CHECK(pool.bytes() == kPoolBytes);
}

TEST_CASE("a bound below the pool's size, or that leaves no room for a chunk, is no growth and no error before") {
  for (const uint64_t max_bytes : {uint64_t{1}, kPoolBytes - 1, kPoolBytes, kPoolBytes + kChunkBytes}) {
    GrowingPool pool({.helper = false, .max_bytes = max_bytes});
    REQUIRE(fill(pool) == Code::out_of_space);
    CHECK(pool.bytes() <= std::max(kPoolBytes, max_bytes));
    CHECK(pool.problem() == "");
  }
}

TEST_CASE("a medium that is full or fails: out of space, pool and file are as they were, and later it grows") {
  const TempFolder folder;
  struct Row {
    os::Call call;
    int error;
  };
  for (const Row& row : {Row{os::Call::fallocate, ENOSPC}, Row{os::Call::fallocate, EIO}, Row{os::Call::statvfs, EIO},
                         Row{os::Call::mmap, ENOMEM}, Row{os::Call::fsync, EIO}}) {
    INFO(os::call_name(row.call) << " fails with errno " << row.error);
    GrowingPool pool(kInline, &folder);
    {
      const ScopedFault fault(row.call, row.error);
      REQUIRE(fill(pool) == (row.error == ENOMEM ? Code::out_of_memory : Code::out_of_space));
      REQUIRE_THAT(last_message(), Contains("cannot grow"));
    }
    CHECK(pool.bytes() == kPoolBytes);
    CHECK(file_bytes(pool.path()) == kPoolBytes);
    CHECK(pool.problem() == "");
    REQUIRE(pool.give_chunk().ok());
    REQUIRE(fill(pool, 50).ok());
    CHECK(pool.bytes() > kPoolBytes);
    CHECK(pool.problem() == "");
    ::unlink(pool.path().c_str());
  }
}

TEST_CASE("a file that a crash left longer than its pool is cut by the next writer, and read by a reader") {
  const TempFolder folder;
  GrowingPool pool(kInline, &folder);
  REQUIRE(pool->quiesce().ok());
  REQUIRE(::truncate(pool.path().c_str(), 5 * kPoolBytes) == 0);  // holes, which nobody may store into
  {
    auto image = pmem::open_medium(open_request(pool.path(), pmem::MediumRequest::dax, pmem::Access::read_only));
    if (image.has_value()) {
      auto reader = Pool::open(std::move(image->domain), {.read_only = true});
      REQUIRE(reader.has_value());
      CHECK((*reader)->layout().pool_bytes() == kPoolBytes);
    }
  }
  pool.reopen(kInline);
  CHECK(file_bytes(pool.path()) == kPoolBytes);
  CHECK(pool->domain().size_bytes() == kPoolBytes);
  REQUIRE(fill(pool, 100).ok());
  CHECK(pool.problem() == "");
}

TEST_CASE("the helper grows the pool before anybody has to wait") {
  GrowingPool pool({.step_bytes = 64 * kChunkBytes});
  // Patient writers: whenever few chunks are left, the helper gets the time it needs.
  for (int i = 0; i < 300; ++i) {
    const uint64_t growths = pool->growth_stats().growths;
    REQUIRE(pool.take_chunk().ok());
    HeapUsage usage = *pool->heap().usage();
    if (usage.free_chunks < 4) REQUIRE(eventually([&] { return pool->growth_stats().growths > growths; }));
  }
  const Growth::Stats stats = pool->growth_stats();
  CHECK(stats.growths >= 4);
  CHECK(stats.helped == stats.growths);
  CHECK(stats.waits == 0);
  CHECK(pool.problem() == "");
}

// Found by the fuzzer of operations: the bound leaves no room for a new zone of that size, and the last one, which a
// shrink had made smaller, was not asked. So the value was called too large for the pool, for good.
TEST_CASE("in a pool at its bound that was shrunk, a value finds room in what the last zone had before") {
  const TempFolder folder;
  GrowingPool pool({.helper = false, .max_bytes = kPoolBytes}, &folder);
  const uint64_t before = pool.bytes();
  REQUIRE(pool->shrink().ok());
  REQUIRE(pool.bytes() < before);
  const uint64_t bytes = before - pool.bytes();  // more than any other zone could hold
  REQUIRE(pool.take(bytes).ok());
  CHECK(pool.bytes() <= before);
}

TEST_CASE("after the first reservation that had to read, the helper reads the rest; in a small pool it is left alone") {
  constexpr uint64_t kSlabs = 400, kUnitBytes = 64, kUnits = kSlabs * (kChunkBytes / kUnitBytes);
  const TempFolder folder;
  GrowingPool pool({.helper = false}, &folder);
  for (uint64_t i = 0; i < kUnits; ++i) REQUIRE(pool.take(kUnitBytes).ok());
  REQUIRE(pool->quiesce().ok());
  pool.reopen({.helper = false});
  REQUIRE(pool.take(kUnitBytes).ok());
  CHECK(pool->heap().work().slabs_loaded <= 3 * Heap::kLoadsWhileFree);
  REQUIRE(pool->quiesce().ok());
  pool.reopen({});
  CHECK(pool->heap().work().slabs_loaded == 0);
  REQUIRE(pool.take(kUnitBytes).ok());
  REQUIRE(eventually([&] { return pool->heap().work().slabs_loaded >= kSlabs; }));
  REQUIRE(pool.take(kUnitBytes).ok());

  GrowingPool small({});
  REQUIRE(small.take(kUnitBytes).ok());
  small->growth()->load_ahead();
  CHECK_FALSE(small->growth()->reads_ahead());
}

TEST_CASE("a helper that cannot grow the pool gives up, and an operation that needs space tries again") {
  const TempFolder folder;
  GrowingPool pool({}, &folder);
  {
    const ScopedFault fault(os::Call::fallocate, ENOSPC);
    REQUIRE(fill(pool) == Code::out_of_space);
  }
  REQUIRE(fill(pool, 50).ok());
  CHECK(pool.problem() == "");
}

TEST_CASE("a helper that cannot be started is done without") {
  // It is started when a chunk is taken and few are left; here nothing more than that it may be off.
  GrowingPool pool({});
  pool->growth()->stop_helper();
  REQUIRE(fill(pool, 200).ok());
  CHECK(pool->growth_stats().helped == 0);
  CHECK(pool.problem() == "");
}

TEST_CASE("threads that find the pool full at once let it grow once each time, and get what they want") {
  GrowingPool pool({.helper = false, .step_bytes = 64 * kChunkBytes});
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        Commit c(pool.pool());
        uint64_t off;
        const bool got = c.begin().ok() && c.allocate(kChunkBytes - 100, UnitUse::record, off).ok();
        if (!got) ++failures;  // given back at the end: others use it
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(failures == 0);
  CHECK(pool.problem() == "");
}

TEST_CASE("shrink gives the empty end back, zones included, and the pool grows again over it") {
  const TempFolder folder("/dev/shm");
  GrowingPool pool(kInline, &folder);
  for (int round = 0; round < 3; ++round) {
    INFO("round " << round);
    REQUIRE(fill(pool, 300).ok());
    const uint64_t large = pool.bytes();
    REQUIRE(pool->shrink().ok());  // the last growth may have left something
    CHECK(pool.problem() == "");
    while (pool.kept() > 10) REQUIRE(pool.give_chunk().ok());
    REQUIRE(pool->shrink().ok());
    CHECK(pool.bytes() < large / 4);
    CHECK(pool->layout().zone_count() == 1);
    CHECK(file_bytes(pool.path()) == align_up(pool.bytes(), kPageBytes));
    CHECK(pool->domain().size_bytes() == align_up(pool.bytes(), kPageBytes));
    CHECK(pool.problem() == "");
    if (round == 1) pool.reopen(kInline);
    CHECK(pool.problem() == "");
  }
  CHECK(pool->growth_stats().shrinks >= 1);
}

TEST_CASE("shrink keeps the chunks at the end that are in use, and those a pool needs") {
  GrowingPool pool(kInline);
  REQUIRE(pool->shrink().ok());
  const uint64_t least = pool.bytes();
  CHECK(least < kPoolBytes);
  CHECK(pool->layout().chunk_count() == 4);
  REQUIRE(pool->shrink().ok());
  CHECK(pool.bytes() == least);
  REQUIRE(fill(pool, 100).ok());
  for (int i = 0; i < 3; ++i) REQUIRE(pool->shrink().ok());
  const uint64_t used = pool.bytes();
  CHECK(pool.problem() == "");
  REQUIRE(pool.give_chunk().ok());  // the last one
  REQUIRE(pool->shrink().ok());
  CHECK(pool.bytes() == used - kChunkBytes);
  CHECK(pool.problem() == "");
}

TEST_CASE("shrink while an older operation runs is refused, and nothing has changed") {
  GrowingPool pool(kInline);
  REQUIRE(fill(pool, 100).ok());
  while (pool.kept() > 10) REQUIRE(pool.give_chunk().ok());
  while (!pool->advance(false)) {
  }
  const uint64_t bytes = pool.bytes();
  REQUIRE(pool->epochs().pin().ok());
  pool->epochs().unpin();
  std::atomic<int> step{0};
  std::thread reader([&] {
    if (!pool->epochs().pin().ok()) std::abort();
    step = 1;
    while (step != 2) std::this_thread::yield();
    pool->epochs().unpin();
  });
  while (step != 1) std::this_thread::yield();
  pool->advance(false);  // now the reader is of an older epoch
  CHECK(pool->shrink() == Code::locked);
  CHECK(pool.bytes() == bytes);
  CHECK(pool.problem() == "");
  step = 2;
  reader.join();
  REQUIRE(pool->shrink().ok());
  CHECK(pool.bytes() < bytes);
  CHECK(pool.problem() == "");
}

TEST_CASE("a file that cannot be cut: the pool is shorter all the same, and the next writer cuts the file") {
  const TempFolder folder;
  GrowingPool pool(kInline, &folder);
  REQUIRE(fill(pool, 100).ok());
  while (pool.kept() > 10) REQUIRE(pool.give_chunk().ok());
  const uint64_t bytes = pool.bytes();
  {
    const ScopedFault fault(os::Call::ftruncate, EIO);
    REQUIRE(pool->shrink() == Code::io_error);
  }
  CHECK(pool.bytes() < bytes);
  CHECK(file_bytes(pool.path()) == bytes);
  CHECK(pool.problem() == "");
  pool.reopen(kInline);
  CHECK(file_bytes(pool.path()) == align_up(pool.bytes(), kPageBytes));
  REQUIRE(fill(pool, 100).ok());
  CHECK(pool.problem() == "");
}

TEST_CASE("the plan: what is needed at least, a step else, within the bound, in the last zone while it has room") {
  Layout layout(small_geometry(), kPoolBytes);
  REQUIRE(layout.append_zone(layout.largest_capacity(kPoolBytes)));
  const uint64_t far = 1u << 30;
  GrowStep step;
  REQUIRE(plan_growth(layout, 1, 8 * kChunkBytes, far, step).ok());
  CHECK(step.zone_capacity == kPoolBytes / kChunkBytes);  // as large as the pool so far
  CHECK(step.new_bytes == layout.chunk_off(layout.next_zone(step.zone_capacity).chunk_frame + 8));
  REQUIRE(layout.append_zone(step.zone_capacity));
  layout.set_pool_bytes(step.new_bytes);

  GrowStep more;
  REQUIRE(plan_growth(layout, 1, 8 * kChunkBytes, far, more).ok());
  CHECK(more.zone_capacity == 0);
  CHECK(more.new_bytes == step.new_bytes + 8 * kChunkBytes);
  REQUIRE(plan_growth(layout, 12, 8 * kChunkBytes, far, more).ok());
  CHECK(more.new_bytes == step.new_bytes + 12 * kChunkBytes);
  REQUIRE(plan_growth(layout, 100, 8 * kChunkBytes, far, more).ok());  // more than the zone has room for
  CHECK(more.zone_capacity >= 100);
  REQUIRE(plan_growth(layout, 1, 8 * kChunkBytes, step.new_bytes + 3 * kChunkBytes, more).ok());
  CHECK(more.new_bytes == step.new_bytes + 3 * kChunkBytes);
  CHECK(plan_growth(layout, 4, 8 * kChunkBytes, step.new_bytes + 3 * kChunkBytes, more) == Code::out_of_space);
  CHECK(plan_growth(layout, 1, 8 * kChunkBytes, step.new_bytes, more) == Code::out_of_space);
}

TEST_CASE("the step is an eighth of the pool, within bounds, and a tiny pool doubles") {
  CHECK(default_step_bytes(64 << 10) == 64 << 10);
  CHECK(default_step_bytes(16 << 20) == 4 << 20);
  CHECK(default_step_bytes(uint64_t{256} << 20) == 32 << 20);
  CHECK(default_step_bytes(uint64_t{1} << 40) == 64 << 20);
}
