// The index of free chunks, against a model that looks at every chunk.
#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "alloc/free_runs.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::alloc;
using nacre::test::Random;

namespace {

constexpr uint32_t kFirst = 1000, kChunks = 300;  // over the border between two blocks of the array

class Model {
 public:
  void set(FreeRun run, bool is_free) {
    for (uint32_t i = 0; i < run.chunks; ++i) free_[run.first - kFirst + i] = is_free;
  }
  bool all(FreeRun run, bool is_free) const {
    for (uint32_t i = 0; i < run.chunks; ++i)
      if (free_[run.first - kFirst + i] != is_free) return false;
    return true;
  }
  std::vector<FreeRun> runs() const {
    std::vector<FreeRun> runs;
    for (uint32_t i = 0; i < kChunks; ++i) {
      if (!free_[i]) continue;
      if (i == 0 || !free_[i - 1]) runs.push_back({kFirst + i, 0});
      ++runs.back().chunks;
    }
    return runs;
  }
  FreeRun lowest(uint32_t chunks) const {
    for (const FreeRun& r : runs())
      if (r.chunks >= chunks) return {r.first, chunks};
    return {};
  }
  FreeRun best(uint32_t chunks) const {
    FreeRun best;
    for (const FreeRun& r : runs())
      if (r.chunks >= chunks && (best.chunks == 0 || r.chunks < best.chunks)) best = r;
    return best.chunks == 0 ? best : FreeRun{best.first, chunks};
  }

 private:
  std::vector<bool> free_ = std::vector<bool>(kChunks);
};

bool same(FreeRun a, FreeRun b) { return a.chunks == b.chunks && (a.chunks == 0 || a.first == b.first); }

}  // namespace

TEST_CASE("free runs: lowest, best fit, exact and last agree with a look at every chunk, whatever came before") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    FreeRuns runs;
    Model model;
    runs.make(kFirst, kChunks);
    uint64_t bad = 0, taken = 0;
    for (int round = 0; round < 2000; ++round) {
      const auto length = static_cast<uint32_t>(1 + random.below(random.below(3) == 0 ? 40 : 4));
      const auto first = static_cast<uint32_t>(kFirst + random.below(kChunks - length + 1));
      const FreeRun at{first, length};
      switch (random.below(5)) {
        case 0: {
          const FreeRun got = runs.take_lowest(length);
          bad += !same(got, model.lowest(length));
          model.set(got, false);
          taken += got.chunks != 0;
          break;
        }
        case 1: {
          const FreeRun got = runs.take_best(length);
          bad += !same(got, model.best(length));
          model.set(got, false);
          taken += got.chunks != 0;
          break;
        }
        case 2:
          bad += runs.take(at) != model.all(at, true);
          if (model.all(at, true)) model.set(at, false);
          break;
        default:
          bad += runs.insert(at) != model.all(at, false);
          if (model.all(at, false)) model.set(at, true);
      }
      const std::vector<FreeRun> want = model.runs();
      uint32_t longest = 0;
      uint64_t sum = 0;
      for (const FreeRun& r : want) longest = std::max(longest, r.chunks), sum += r.chunks;
      bad += runs.longest() != longest || runs.chunk_count() != sum;
      bad += !same(runs.last(), want.empty() ? FreeRun{} : want.back());
    }
    INFO("seed " << seed);
    REQUIRE(bad == 0);
    REQUIRE(taken > 100);
  }
}

TEST_CASE("free runs: a million chunks, all apart, then all one") {
  constexpr uint32_t kMany = 1'000'000;
  FreeRuns runs;
  runs.make(1, kMany);
  for (uint32_t i = 1; i < kMany; i += 2) REQUIRE(runs.insert({i, 1}));
  REQUIRE(runs.longest() == 1);
  REQUIRE(runs.take_lowest(2).chunks == 0);
  for (uint32_t i = 2; i < kMany; i += 2) REQUIRE(runs.insert({i, 1}));
  REQUIRE(runs.longest() == kMany - 1);
  REQUIRE(same(runs.last(), {1, kMany - 1}));
  REQUIRE(same(runs.take_best(kMany - 1), {1, kMany - 1}));
  REQUIRE(runs.chunk_count() == 0);
}
