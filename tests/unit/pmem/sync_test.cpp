// Locks exclude, words of the mapping are atomic.
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "pmem/base/sync.h"

using namespace nacre;

namespace {

template <class Lock>
uint64_t count_under(Lock& lock, int threads, int rounds) {
  uint64_t count = 0;
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        const std::lock_guard<Lock> guard(lock);
        ++count;
      }
    });
  for (auto& t : running) t.join();
  return count;
}

}  // namespace

TEST_CASE("locks exclude each other's holders") {
  sync::SpinLock spin;
  sync::Mutex mutex;
  REQUIRE(count_under(spin, 4, 20'000) == 80'000);
  REQUIRE(count_under(mutex, 4, 20'000) == 80'000);
  REQUIRE(spin.try_lock());
  REQUIRE(!spin.try_lock());
  spin.unlock();
  REQUIRE(mutex.try_lock());
  mutex.unlock();
}

TEST_CASE("what a thread stored before a release is seen after the acquire") {
  uint64_t payload = 0, flag = 0;
  std::thread writer([&] {
    payload = 42;
    sync::store_release(&flag, 1);
  });
  while (sync::load_acquire(&flag) == 0) sync::yield();
  REQUIRE(payload == 42);
  writer.join();
}

TEST_CASE("bits and words change atomically") {
  uint64_t word = 0;
  std::vector<std::thread> running;
  for (unsigned t = 0; t < 4; ++t)
    running.emplace_back([&, t] {
      for (unsigned bit = 0; bit < 16; ++bit) sync::fetch_or(&word, uint64_t{1} << (16 * t + bit));
    });
  for (auto& t : running) t.join();
  REQUIRE(sync::load_relaxed(&word) == ~uint64_t{0});
  REQUIRE(sync::fetch_and(&word, 0xFF) == ~uint64_t{0});
  uint64_t expected = 1;
  REQUIRE(!sync::compare_exchange(&word, expected, 2));
  REQUIRE(expected == 0xFF);
  REQUIRE(sync::compare_exchange(&word, expected, 2));
  REQUIRE(word == 2);
}

#if defined(NACRE_SYNC_HOOKS) && NACRE_SYNC_HOOKS
TEST_CASE("an installed hook sees lock and unlock in order") {
  static std::vector<sync::Event> seen;
  sync::set_hook([](sync::Event event, const void*) { seen.push_back(event); });
  sync::SpinLock lock;
  lock.lock();
  lock.unlock();
  sync::set_hook(nullptr);
  REQUIRE(seen == std::vector{sync::Event::lock, sync::Event::unlock});
}
#endif
