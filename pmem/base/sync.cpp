#include "pmem/base/sync.h"

#include <chrono>
#include <thread>

#include "pmem/base/os.h"

namespace nacre::sync {

#if defined(NACRE_SYNC_HOOKS) && NACRE_SYNC_HOOKS
namespace {
std::atomic<Hook> g_hook{nullptr};
}  // namespace

void set_hook(Hook hook) noexcept { g_hook.store(hook, std::memory_order_release); }

bool has_hook() noexcept { return g_hook.load(std::memory_order_acquire) != nullptr; }

void point(Event event, const void* object) noexcept {
  if (const Hook hook = g_hook.load(std::memory_order_acquire); hook != nullptr) hook(event, object);
}
#endif

void yield() noexcept { std::this_thread::yield(); }

constinit std::atomic<bool> detail::g_fences_are_light{false};

namespace {

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NACRE_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define NACRE_TSAN 1
#endif
#if defined(NACRE_TSAN)
constexpr bool kUnderTsan = true;  // it knows nothing of fences made by the system
#else
constexpr bool kUnderTsan = false;
#endif

// Runs when the library is loaded, before any thread is in it.
const bool g_prepared = [] {
  const bool light = !kUnderTsan && os::prepare_fence_all_threads() == 0;
  detail::g_fences_are_light.store(light, std::memory_order_relaxed);
  return light;
}();

constinit std::atomic<bool> g_all_fences_are_full{false};

}  // namespace

void heavy_fence() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!g_prepared || g_all_fences_are_full.load(std::memory_order_acquire)) return;
  if (os::fence_all_threads() == 0) return;
  if (os::prepare_fence_all_threads() == 0 && os::fence_all_threads() == 0) return;  // a child of fork asks again
  // Forbidden since (a sandbox). From now on the frequent side fences itself; a store that was made before has long
  // left its core when this thread has slept.
  detail::g_fences_are_light.store(false, std::memory_order_seq_cst);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  std::atomic_thread_fence(std::memory_order_seq_cst);
  g_all_fences_are_full.store(true, std::memory_order_release);
}

}  // namespace nacre::sync
