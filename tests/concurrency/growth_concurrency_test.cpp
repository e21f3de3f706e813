// Four threads put while the pool grows from the least size, with its helper, and while a fifth one shrinks it.
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/db_fixture.h"
#include "tests/support/files.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int kPuts = 1500;
#elif defined(__has_feature)
constexpr int kPuts = __has_feature(thread_sanitizer) ? 1500 : 8000;
#else
constexpr int kPuts = 8000;
#endif
constexpr int kThreads = 4;

Options growing(MediumChoice medium, bool one_fence) {
  Options o;
  o.create_if_missing = true;
  o.size_bytes = kMinPoolBytes;
  o.medium = medium;
  o.one_fence = one_fence;
  o.grow_step_bytes = 512 * 1024;
  return o;
}

std::string key_of(int thread, int i) { return std::to_string(thread) + "/" + std::to_string(i); }
std::string value_of_key(int thread, int i) { return std::string(200 + i % 300, static_cast<char>('a' + thread)); }

/// Puts of all threads; the number of those that failed.
int put_all(Table& table) {
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPuts; ++i) failed += !table.put(key_of(t, i), value_of_key(t, i)).ok();
    });
  for (std::thread& t : threads) t.join();
  return failed;
}

}  // namespace

TEST_CASE(
    "four threads put while the pool grows from its least size: nothing is lost, and no byte is unaccounted for") {
  const TempFolder folder("/dev/shm");
  for (const MediumChoice medium : {MediumChoice::dax, MediumChoice::memory})
    for (const bool one_fence : {false, true}) {
      const std::string path = folder / "pool";
      ::unlink(path.c_str());
      auto db = expect_db(Db::open(path.c_str(), growing(medium, one_fence)));
      REQUIRE(put_all(*db->default_table()) == 0);
      REQUIRE(count_of(*db->default_table()) == uint64_t{kThreads} * kPuts);
      for (int t = 0; t < kThreads; ++t)
        for (int i = 0; i < kPuts; i += 7) REQUIRE(value_of(*db->default_table(), key_of(t, i)) == value_of_key(t, i));
      REQUIRE(figure(db->stats(), "growths") > 0);
      REQUIRE(unsound(*db, int64_t{kThreads} * kPuts) == "");
    }
}

TEST_CASE("four threads write into a large pool just opened, while the helper reads what its heap does not know") {
  const TempFolder folder("/dev/shm");
  Options options = growing(MediumChoice::dax, true);
  options.size_bytes = uint64_t{128} << 20;
  for (int round = 0; round < 2; ++round) {  // the second overwrites: what it frees is in slabs nobody has read yet
    auto db = expect_db(Db::open((folder / "pool").c_str(), options));
    REQUIRE(put_all(*db->default_table()) == 0);
    REQUIRE(count_of(*db->default_table()) == uint64_t{kThreads} * kPuts);
    REQUIRE(unsound(*db, int64_t{kThreads} * kPuts) == "");
  }
}

TEST_CASE("one thread shrinks the pool again and again while four put and remove") {
  const TempFolder folder("/dev/shm");
  auto db = expect_db(Db::open((folder / "pool").c_str(), growing(MediumChoice::dax, true)));
  const auto table = db->default_table();
  std::atomic<int> failed{0};
  std::atomic<bool> stop{false};
  std::thread shrinker([&] {
    while (!stop) {
      const Status s = db->shrink();
      failed += !s.ok() && s != Code::locked;
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPuts; ++i) {
        failed += !table->put(key_of(t, i), value_of_key(t, i)).ok();
        if (i >= 50) failed += !table->remove(key_of(t, i - 50)).ok();
      }
    });
  for (std::thread& t : threads) t.join();
  stop = true;
  shrinker.join();
  REQUIRE(failed == 0);
  REQUIRE(count_of(*table) == uint64_t{kThreads} * 50);
  REQUIRE(db->shrink().ok());
  REQUIRE(unsound(*db, int64_t{kThreads} * 50) == "");
}

// Whoever is refused asks why with a lane held; the shrinker waits for lanes with the mutex of growth held.
TEST_CASE("a full pool that may not grow is shrunk while four threads are refused: nobody waits for ever") {
  const TempFolder folder("/dev/shm");
  Options options = growing(MediumChoice::dax, true);
  options.max_size_bytes = kMinPoolBytes;
  auto db = expect_db(Db::open((folder / "pool").c_str(), options));
  const auto table = db->default_table();
  std::atomic<int> refused{0}, wrong{0};
  std::atomic<bool> stop{false};
  std::thread shrinker([&] {
    while (!stop) {
      const Status s = db->shrink();
      wrong += !s.ok() && s != Code::locked;
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPuts / 4; ++i) {
        const Status s = table->put(key_of(t, i), std::string(4000, 'v'));
        refused += s == Code::out_of_space;
        wrong += !s.ok() && s != Code::out_of_space;
      }
    });
  for (std::thread& t : threads) t.join();
  stop = true;
  shrinker.join();
  REQUIRE(wrong == 0);
  REQUIRE(refused > 0);
  REQUIRE(unsound(*db, -1) == "");
}
