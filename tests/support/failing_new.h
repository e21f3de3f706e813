// A global operator new that counts what is alive and can be told to fail at the k-th allocation from now, once or from
// there on. Include in exactly one source file of a test executable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace nacre::test {

inline std::atomic<int64_t> g_allocations_left{-1};  // negative: never fail
inline std::atomic<bool> g_allocations_stay_failed{false};
inline std::atomic<int64_t> g_allocations_alive{0};

/// While it lives, the k-th allocation (0 the next) of the process fails; later ones succeed.
class FailingAllocation {
 public:
  explicit FailingAllocation(int64_t k) noexcept { g_allocations_left = k; }
  ~FailingAllocation() { g_allocations_left = -1; }
  FailingAllocation(const FailingAllocation&) = delete;
  /// True once it has failed.
  bool struck() const noexcept { return g_allocations_left < 0; }
};

inline void* allocate_or_fail(std::size_t bytes, std::size_t align) {
  int64_t left = g_allocations_left.load(std::memory_order_relaxed);
  while (left > 0 || (left == 0 && !g_allocations_stay_failed.load(std::memory_order_relaxed)))
    if (g_allocations_left.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) break;
  if (left == 0) throw std::bad_alloc();
  void* p = align <= alignof(std::max_align_t) ? std::malloc(bytes)
                                               : std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (p == nullptr) throw std::bad_alloc();
  g_allocations_alive.fetch_add(1, std::memory_order_relaxed);
  return p;
}

inline void release(void* p) noexcept {
  if (p == nullptr) return;
  g_allocations_alive.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}

}  // namespace nacre::test

// GCC takes free() in a replaced operator delete for a mismatch where it inlines both.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

void* operator new(std::size_t bytes) { return nacre::test::allocate_or_fail(bytes, 0); }
void* operator new[](std::size_t bytes) { return nacre::test::allocate_or_fail(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t a) {
  return nacre::test::allocate_or_fail(bytes, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t bytes, std::align_val_t a) {
  return nacre::test::allocate_or_fail(bytes, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { nacre::test::release(p); }
void operator delete[](void* p) noexcept { nacre::test::release(p); }
void operator delete(void* p, std::size_t) noexcept { nacre::test::release(p); }
void operator delete[](void* p, std::size_t) noexcept { nacre::test::release(p); }
void operator delete(void* p, std::align_val_t) noexcept { nacre::test::release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { nacre::test::release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { nacre::test::release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { nacre::test::release(p); }
