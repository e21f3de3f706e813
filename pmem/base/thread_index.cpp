#include "pmem/base/thread_index.h"

#include <array>
#include <atomic>

namespace nacre {
namespace {

constexpr uint32_t kSharedIndex = kMaxThreads - 1;  // for threads that got none of their own
constexpr uint32_t kBitsPerWord = 64;
static_assert(kMaxThreads % kBitsPerWord == 0);

std::array<std::atomic<uint64_t>, kMaxThreads / kBitsPerWord> g_taken{};

void release_index(uint32_t index) noexcept {
  g_taken[index / kBitsPerWord].fetch_and(~(uint64_t{1} << index % kBitsPerWord), std::memory_order_release);
}

// The lowest free index: small numbers keep per-thread arrays dense. kSharedIndex when all are taken.
uint32_t take_index() noexcept {
  for (uint32_t w = 0; w < g_taken.size(); ++w) {
    uint64_t taken = g_taken[w].load(std::memory_order_relaxed);
    while (~taken != 0) {
      const auto bit = static_cast<uint32_t>(__builtin_ctzll(~taken));
      const uint32_t index = w * kBitsPerWord + bit;
      if (index == kSharedIndex) return kSharedIndex;
      if (g_taken[w].compare_exchange_weak(taken, taken | uint64_t{1} << bit, std::memory_order_acquire,
                                           std::memory_order_relaxed))
        return index;
    }
  }
  return kSharedIndex;
}

// Gives the index back when the thread ends. A destructor that runs after this one and asks again gets the
// shared index: a number taken then would never be returned.
struct IndexOwner {
  void touch() noexcept {}  // odr-use: makes the thread run the destructor
  ~IndexOwner() {
    const uint32_t index = detail::t_thread_index;
    detail::t_thread_index = kSharedIndex;
    if (index < kSharedIndex) release_index(index);
  }
};
thread_local IndexOwner t_owner;

}  // namespace

namespace detail {

constinit thread_local uint32_t t_thread_index = kMaxThreads;

uint32_t acquire_thread_index() noexcept {
  t_owner.touch();
  return t_thread_index = take_index();
}

}  // namespace detail

// A thread keeps the shared index for life: what it flushed under one number it must fence under the same.
bool thread_index_exhausted() noexcept { return thread_index() == kSharedIndex; }

}  // namespace nacre
