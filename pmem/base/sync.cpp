#include "pmem/base/sync.h"

#include <thread>

namespace nacre::sync {

#if defined(NACRE_SYNC_HOOKS) && NACRE_SYNC_HOOKS
namespace {
std::atomic<Hook> g_hook{nullptr};
}  // namespace

void set_hook(Hook hook) noexcept { g_hook.store(hook, std::memory_order_release); }

void point(Event event, const void* object) noexcept {
  if (const Hook hook = g_hook.load(std::memory_order_acquire); hook != nullptr) hook(event, object);
}
#endif

void yield() noexcept { std::this_thread::yield(); }

}  // namespace nacre::sync
