// A small dense number for each live thread, so that per-thread slots can be plain arrays.
#pragma once

#include <cstdint>

namespace nacre {

/// Threads that exist at one time. Indices of ended threads are handed out again.
inline constexpr uint32_t kMaxThreads = 1024;

namespace detail {
// kMaxThreads until the thread has one. constinit and initial-exec: reading it is one load, without a call,
// in the shared library too.
#if defined(__ELF__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local uint32_t t_thread_index;
uint32_t acquire_thread_index() noexcept;
}  // namespace detail

/// The calling thread's number, below kMaxThreads, or the shared last number when more threads than that are
/// alive (see thread_index_exhausted). Thread-safe, a thread-local load after the first call.
inline uint32_t thread_index() noexcept {
  const uint32_t index = detail::t_thread_index;
  if (index < kMaxThreads) [[likely]]
    return index;
  return detail::acquire_thread_index();
}

/// True when the calling thread got no number of its own: operations that need one answer Code::limit.
bool thread_index_exhausted() noexcept;

}  // namespace nacre
