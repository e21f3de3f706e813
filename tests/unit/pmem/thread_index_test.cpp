// Small dense numbers: unique among live threads, reused afterwards, shared when they run out.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "pmem/base/thread_index.h"

using namespace nacre;

TEST_CASE("a thread keeps its index and no live thread has the same") {
  std::mutex mutex;
  std::set<uint32_t> seen{thread_index()};
  std::atomic<int> waiting{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      const uint32_t mine = thread_index();
      {
        const std::lock_guard guard(mutex);
        seen.insert(mine);
      }
      for (++waiting; waiting < 16;) std::this_thread::yield();
      if (thread_index() != mine) std::abort();
    });
  for (auto& t : threads) t.join();
  REQUIRE(seen.size() == 17);
  REQUIRE(*seen.rbegin() < 64);  // dense
}

TEST_CASE("the index of an ended thread is handed out again") {
  std::set<uint32_t> seen;
  for (uint32_t i = 0; i < 3 * kMaxThreads; ++i) {
    uint32_t index = 0;
    std::thread([&] { index = thread_index(); }).join();
    seen.insert(index);
  }
  REQUIRE(seen.size() < 4);
}

TEST_CASE("more live threads than numbers share the last one and know it") {
  std::mutex mutex;
  std::condition_variable changed;
  uint32_t counted = 0, exhausted = 0;
  bool done = false;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kMaxThreads + 5; ++i)
    threads.emplace_back([&] {
      std::unique_lock lock(mutex);
      ++counted;
      if (thread_index_exhausted()) {
        ++exhausted;
        if (thread_index() != kMaxThreads - 1) std::abort();
      }
      changed.notify_all();
      changed.wait(lock, [&] { return done; });
    });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return counted == kMaxThreads + 5; });
    done = true;
  }
  changed.notify_all();
  for (auto& t : threads) t.join();
  // 1,023 own numbers, of which the main thread may hold one.
  REQUIRE(exhausted >= 6);
  REQUIRE(exhausted <= 7);
  REQUIRE(!thread_index_exhausted());
}
