// Handles of the C ABI. A handle is a number in a pointer's clothes, never an address of ours:
//
//   63            32 31   28 27   24 23              0
//   |  generation   | 1001  |  kind |  slot idx + 1   |
//
// The generation's top bit is always set, which no user-space pointer has, so a foreign pointer is never
// taken for a handle. Slots live in chunks that are never freed; a slot's `state` is the handle while it is
// live and 0 while it is not, so that "is this handle good" is one compare.
//
// (1) A call pins before it touches an object: it announces itself in its thread's own cell of the pool's
//     Pins, then checks `state` again. Whoever retires a handle clears `state` first and reads the cells
//     afterwards. Between the two lies a fence on either side (sync::light_fence, heavy_fence), so at least one
//     of them sees the other.
// (2) `pins` and `object` of a slot are written before its `state` and change only while `state` is 0.
// (3) Slots and Pins are recycled, never freed: a late reader finds memory of the right type.
// (4) A thread writes only its own cell, with plain stores.
//     Threads without a number of their own share the last cell and pay for an atomic addition each way.
// (5) No lock is held while a callback runs or while cells are waited for, and nobody waits while pinned: two
//     who wait for each other's calls would wait for ever. Hence close and drop refuse inside a callback.
//
// Locks, in order: DbHandle::mutex (handles.h), the registry's own (leaf; held across fork).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pmem/base/result.h"
#include "pmem/base/status.h"
#include "pmem/base/sync.h"
#include "pmem/base/thread_index.h"

namespace nacre::bindings {

enum class Kind : uint8_t { options = 1, db = 2, table = 3, iterator = 4 };

inline constexpr uint32_t kChunkSlots = 1024;
inline constexpr uint32_t kMaxChunks = 4096;  // 4096 * 1024 = 4,194,304 handles at one time, below 2^24
inline constexpr uint64_t kHandleTag = 9;
inline constexpr uint64_t kForkedMark = 0x40000000;  // tag 1001 -> 1101: the state of a slot killed by fork

/// The cell of all threads without a number of their own (pmem/base/thread_index.h).
inline constexpr uint32_t kSharedCell = kMaxThreads - 1;

constexpr uint64_t kind_bits(Kind kind) noexcept { return kHandleTag << 4 | static_cast<uint64_t>(kind); }

/// Who is inside a pool. One cell a thread, each on its own cache line.
struct Pins {
  static constexpr uint64_t kDepthMask = 0xffff;
  static constexpr uint64_t kEntry = kDepthMask + 1;
  struct alignas(64) Cell {
    std::atomic<uint64_t> word{0};  // entries u48 | depth u16: outermost pins so far, pins held now
  };
  Cell cells[kMaxThreads];
  void* owner = nullptr;      // the DbHandle; written before the first handle that refers to it
  Pins* next = nullptr;       // of all Pins ever made; written once
  Pins* next_free = nullptr;  // under the registry's lock
};

struct alignas(64) Slot {
  std::atomic<uint64_t> state{0};
  std::atomic<Pins*> pins{nullptr};
  std::atomic<void*> object{nullptr};
  // Under the registry's lock:
  uint32_t generation = 0;
  uint32_t next_free = 0;  // index + 1
  // Under the DbHandle's lock:
  uint32_t child_idx = 0;  // position in DbHandle::children
};
static_assert(sizeof(Slot) == 64);

namespace detail {
extern constinit std::atomic<Slot*> g_chunks[kMaxChunks];
}  // namespace detail

inline uint32_t slot_index(uint64_t handle) noexcept { return (handle & 0xffffff) - 1; }

/// The slot a handle names, null if there is none.
inline Slot* find_slot(uint64_t handle) noexcept {
  const uint32_t index = slot_index(handle);
  if (index >= kMaxChunks * kChunkSlots) [[unlikely]]
    return nullptr;
  Slot* chunk = detail::g_chunks[index / kChunkSlots].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : chunk + index % kChunkSlots;
}

/// The slot of a handle that was handed out.
inline Slot& slot_of(uint64_t handle) noexcept {
  const uint32_t index = slot_index(handle);
  return detail::g_chunks[index / kChunkSlots].load(std::memory_order_acquire)[index % kChunkSlots];
}

inline uint64_t handle_bits(const void* handle) noexcept { return reinterpret_cast<uintptr_t>(handle); }

/// A call's hold on a pool: while it lives, neither the pool nor its tables go away.
class Pin {
 public:
  Pin() noexcept = default;
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() { leave(); }

  /// False if `handle` is not a live handle of `kind`; then explain with refuse().
  bool enter(const void* handle, Kind kind) noexcept {
    const uint64_t bits = handle_bits(handle);
    if ((bits >> 24 & 0xff) != kind_bits(kind)) [[unlikely]]
      return false;
    Slot* slot = find_slot(bits);
    if (slot == nullptr || slot->state.load(std::memory_order_acquire) != bits) [[unlikely]]
      return false;
    Pins* pins = slot->pins.load(std::memory_order_acquire);
    object_ = slot->object.load(std::memory_order_acquire);
    const uint32_t thread = thread_index();
    pins_ = pins;
    cell_ = &pins->cells[thread];
    const uint64_t word = cell_->word.load(std::memory_order_relaxed);
    if (thread == kSharedCell) [[unlikely]]
      enter_shared();
    else if ((word & Pins::kDepthMask) == 0)
      cell_->word.store(word + Pins::kEntry + 1, std::memory_order_release);
    else
      cell_->word.store(word + 1, std::memory_order_relaxed);
    sync::light_fence();  // wait_for_calls has the heavy one
    if (slot->state.load(std::memory_order_acquire) == bits) [[likely]]
      return true;
    leave();
    return false;
  }
  void leave() noexcept {
    if (cell_ == nullptr) return;
    if (cell_ == &pins_->cells[kSharedCell]) [[unlikely]]
      return leave_shared();
    cell_->word.store(cell_->word.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    cell_ = nullptr;
  }
  /// What the handle stands for; the type goes with the kind (handles.h).
  template <class T>
  T* object() const noexcept {
    return static_cast<T*>(object_);
  }
  /// The pool the handle belongs to. Only while the pin is held.
  Pins& pins() const noexcept { return *pins_; }

 private:
  void enter_shared() noexcept;
  void leave_shared() noexcept;

  Pins* pins_ = nullptr;
  Pins::Cell* cell_ = nullptr;
  void* object_ = nullptr;
};

/// The failure of a Pin::enter that returned false: bad_handle, with a text that says what is wrong with it.
Status refuse(const char* operation, const void* handle, Kind kind) noexcept;

/// Makes a live handle. `pins` is null for options. limit, out_of_memory.
Result<uint64_t> make_handle(Kind kind, Pins* pins, void* object) noexcept;
/// Retires a handle; false if it was not live (any more). The slot may be reused at once.
bool retire_handle(uint64_t handle) noexcept;

/// A Pins that nobody uses, null when there is no memory. Give it back when the pool is gone.
Pins* take_pins() noexcept;
void give_pins(Pins* pins) noexcept;
/// Pins the calling thread holds, of all pools.
uint64_t pins_of_this_thread() noexcept;
/// Returns when every call that was inside at the time of the call has left. The caller holds no pin.
void wait_for_calls(const Pins& pins) noexcept;

/// Once per process: after fork the child's handles of pools, tables and iterators refuse. out_of_memory.
Status watch_forks() noexcept;

/// The registry's lock: also guards what options handles stand for.
class RegistryLock {
 public:
  RegistryLock() noexcept;
  ~RegistryLock();
  RegistryLock(const RegistryLock&) = delete;
  RegistryLock& operator=(const RegistryLock&) = delete;
};
/// What a live options handle stands for, null if it is none. Under the RegistryLock.
void* find_options_locked(const void* handle) noexcept;

}  // namespace nacre::bindings
