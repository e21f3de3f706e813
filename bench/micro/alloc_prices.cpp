// What a commit and the heap cost, one thread: the engine's prices are sums of these and of the machine's.
// On anonymous memory no line is flushed; with --folder=/dev/shm the pool is a dax pool and the fences are
// real.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "alloc/commit.h"
#include "alloc/format.h"
#include "alloc/pool.h"
#include "alloc/sealed_range.h"
#include "bench/micro/counters.h"
#include "bench/micro/mapping.h"
#include "pmem/media/open.h"

namespace nacre::bench {

namespace {

constexpr uint64_t kPoolBytes = 64u << 20;
constexpr uint64_t kLines = 1024;  // that commits change: one unit of 64 KiB
constexpr pmem::Site kFreshFlush{"bench.micro.fresh_flush"};

void require(Status status, const char* what) {
  if (status.ok()) return;
  std::fprintf(stderr, "nacre_micro: %s: %s: %s\n", what, status.name(), status.message());
  std::exit(1);
}

// An empty pool with kLines guarded lines of zeros. The file goes with the domain, for nobody keeps it.
class ScratchPool {
 public:
  explicit ScratchPool(alloc::CommitForm form) {
    const std::string& folder = micro_options().folder;
    const std::string path = folder + "/nacre_micro-" + std::to_string(getpid()) + ".nacre";
    pmem::OpenRequest request;
    request.path = path.c_str();
    request.medium = folder.empty() ? pmem::MediumRequest::memory : pmem::MediumRequest::dax;
    request.must_create = true;
    request.create_bytes = kPoolBytes;
    auto medium = pmem::open_medium(request);
    require(medium.status(), "open_medium");
    alloc::FormatOptions format;
    format.geometry = alloc::Geometry::for_pool(kPoolBytes);
    format.identity_lo = format.identity_hi = 1;
    require(alloc::format_pool(*medium->domain, format), "format_pool");
    auto opened = alloc::Pool::open(std::move(medium->domain), {form, false});
    require(opened.status(), "Pool::open");
    pool_ = std::move(*opened);
    make_lines();
  }

  alloc::Pool& pool() { return *pool_; }
  uint64_t line_off(uint64_t idx) const { return lines_off_ + idx % kLines * kLineBytes; }

 private:
  void make_lines() {
    alloc::Commit commit(*pool_);
    require(commit.begin(), "begin");
    require(commit.allocate(kLines * kLineBytes, alloc::UnitUse::lines, lines_off_), "allocate");
    for (uint64_t i = 0; i < kLines; ++i) {
      alloc::GuardedLine* line = pool_->line(line_off(i));
      std::memset(line->words, 0, sizeof line->words);
      line->guard = alloc::make_guard(commit.salt(), line_off(i), line->words, commit.fresh_seq(lines_off_));
    }
    commit.flush_fresh_lines(lines_off_, kLines * kLineBytes, kFreshFlush);
    commit.finish_fresh();
    require(commit.lock({}, 0, 0), "lock");
    require(commit.publish(), "publish");
  }

  std::unique_ptr<alloc::Pool> pool_;
  uint64_t lines_off_ = 0;
};

alloc::CommitForm form_of(benchmark::State& state, int64_t one_fence) {
  state.SetLabel(one_fence != 0 ? "one_fence" : "strict");
  return one_fence != 0 ? alloc::CommitForm::one_fence : alloc::CommitForm::strict;
}

// One word in each of n lines, nothing fresh: one log record, one fence, whatever the form.
void commit_lines(benchmark::State& state) {
  const auto lines = static_cast<uint64_t>(state.range(0));
  ScratchPool scratch(alloc::CommitForm::one_fence);
  const pmem::Counters before = scratch.pool().domain().thread_counters();
  std::vector<uint64_t> offs(lines);
  uint64_t first = 0, word = 0;
  for (auto _ : state) {
    for (uint64_t i = 0; i < lines; ++i) offs[i] = scratch.line_off(first + i);
    first += lines;
    alloc::Commit commit(scratch.pool());
    require(commit.begin(), "begin");
    require(commit.lock(offs, lines, lines), "lock");
    ++word;
    for (const uint64_t off : offs) commit.set_word(off, 0, word);
    require(commit.publish(), "publish");
  }
  report_counters(state, before, scratch.pool().domain().thread_counters());
}

// Replaces a record of n bytes: allocates, writes and seals the new one, frees the old one, changes the word
// that refers to it. This is an overwrite without the search.
void commit_alloc_and_free(benchmark::State& state) {
  const auto bytes = static_cast<uint64_t>(state.range(1));
  ScratchPool scratch(form_of(state, state.range(0)));
  alloc::Pool& pool = scratch.pool();
  std::vector<uint64_t> records(kLines, 0);
  const auto replace = [&](uint64_t at) {
    alloc::Commit commit(pool);
    require(commit.begin(), "begin");
    uint64_t off = 0;
    require(commit.allocate(bytes, alloc::UnitUse::record, off), "allocate");
    std::memset(pool.at<std::byte>(off), static_cast<int>(at), bytes);
    const uint32_t crc = alloc::range_crc(commit.salt(), off, pool.at<std::byte>(off), bytes);
    std::memcpy(pool.at<std::byte>(off), &crc, sizeof crc);
    commit.flush_fresh(off, bytes, crc, kFreshFlush);
    commit.finish_fresh();
    if (records[at] != 0) require(commit.free(records[at], alloc::UnitUse::record), "free");
    const std::array<uint64_t, 1> line{scratch.line_off(at)};
    require(commit.lock(line, 1, 1), "lock");
    commit.set_word(line[0], 0, off / alloc::kUnitAlign);
    require(commit.publish(), "publish");
    records[at] = off;
  };
  for (uint64_t at = 0; at < kLines; ++at) replace(at);

  const pmem::Counters before = pool.domain().thread_counters();
  uint64_t at = 0;
  for (auto _ : state) replace(at++ % kLines);
  report_counters(state, before, pool.domain().thread_counters());
}

// The heap alone, in DRAM: a unit of the class is reserved and given back.
void heap_reserve_and_release(benchmark::State& state) {
  ScratchPool scratch(alloc::CommitForm::one_fence);
  alloc::Pool& pool = scratch.pool();
  {  // one unit in use makes the class's first slab
    alloc::Commit commit(pool);
    uint64_t off = 0;
    require(commit.begin(), "begin");
    require(commit.allocate(static_cast<uint64_t>(state.range(0)), alloc::UnitUse::record, off), "allocate");
  }
  const uint32_t class_id =
      pool.heap().classes().class_for(static_cast<uint64_t>(state.range(0)), alloc::kUnitAlign);
  for (auto _ : state) {
    alloc::UnitRef unit;
    require(pool.heap().reserve_anywhere(class_id, unit), "reserve");
    pool.heap().release(unit);
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(commit_lines)->ArgName("lines")->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Arg(16);
BENCHMARK(commit_alloc_and_free)
    ->ArgNames({"one_fence", "bytes"})
    ->ArgsProduct({{0, 1}, {32, 64, 144, 256, 1024, 4096}});
BENCHMARK(heap_reserve_and_release)->ArgName("bytes")->Arg(32)->Arg(144)->Arg(1024)->Arg(4096);

}  // namespace

}  // namespace nacre::bench
