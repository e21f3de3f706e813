#include "bindings/c/registry.h"

#include <pthread.h>

#include <chrono>
#include <new>
#include <thread>
#include <type_traits>

#include "pmem/base/sync.h"

namespace nacre::bindings {
namespace detail {
constinit std::atomic<Slot*> g_chunks[kMaxChunks];
}  // namespace detail

namespace {

// Nothing here has a destructor: calls from atexit handlers and late threads must find the registry alive.
constinit sync::Mutex g_lock;
constinit uint32_t g_free_slot = 0;  // index + 1, under g_lock
constinit uint32_t g_made_slots = 0;
constinit Pins* g_free_pins = nullptr;
constinit std::atomic<Pins*> g_all_pins{nullptr};
static_assert(std::is_trivially_destructible_v<sync::Mutex>);

constexpr uint32_t kFirstGeneration = 0x80000000;
constinit thread_local uint32_t t_shared_depth = 0;  // pins this thread holds in shared cells

const char* kind_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::options:
      return "options";
    case Kind::db:
      return "pool";
    case Kind::table:
      return "table";
    case Kind::iterator:
      return "iterator";
  }
  return "unknown";
}

Slot& slot_at(uint32_t index) noexcept {
  return detail::g_chunks[index / kChunkSlots].load(std::memory_order_relaxed)[index % kChunkSlots];
}

// Under g_lock. Index + 1 of a free slot, 0 when there is none to be had.
uint32_t take_slot(Code& why) noexcept {
  if (g_free_slot != 0) {
    const uint32_t taken = g_free_slot;
    g_free_slot = slot_at(taken - 1).next_free;
    return taken;
  }
  if (g_made_slots == kMaxChunks * kChunkSlots) {
    why = Code::limit;
    return 0;
  }
  if (g_made_slots % kChunkSlots == 0) {
    auto* chunk = new (std::nothrow) Slot[kChunkSlots];
    if (chunk == nullptr) {
      why = Code::out_of_memory;
      return 0;
    }
    detail::g_chunks[g_made_slots / kChunkSlots].store(chunk, std::memory_order_release);
  }
  return ++g_made_slots;
}

// Under g_lock. A slot whose generations are used up is never used again: 2^31 reuses would let an old handle
// come back to life.
void give_slot(uint32_t index) noexcept {
  Slot& slot = slot_at(index);
  if (slot.generation == UINT32_MAX) return;
  slot.next_free = g_free_slot;
  g_free_slot = index + 1;
}

void before_fork() noexcept { g_lock.lock(); }
void after_fork_parent() noexcept { g_lock.unlock(); }

// The child owns none of the parent's pools: its handles refuse, and what they stood for is left alone.
void after_fork_child() noexcept {
  for (uint32_t index = 0; index < g_made_slots; ++index) {
    Slot& slot = slot_at(index);
    const uint64_t state = slot.state.load(std::memory_order_relaxed);
    if (state == 0 || (state >> 24 & 0xff) == kind_bits(Kind::options)) continue;
    slot.state.store(state | kForkedMark, std::memory_order_relaxed);
  }
  for (Pins* pins = g_all_pins.load(std::memory_order_relaxed); pins != nullptr; pins = pins->next)
    for (Pins::Cell& cell : pins->cells) cell.word.store(0, std::memory_order_relaxed);
  g_lock.unlock();
}

}  // namespace

void Pin::enter_shared() noexcept {
  ++t_shared_depth;
  cell_->word.fetch_add(1, std::memory_order_seq_cst);
}

void Pin::leave_shared() noexcept {
  --t_shared_depth;
  cell_->word.fetch_sub(1, std::memory_order_release);
  cell_ = nullptr;
}

Status refuse(const char* operation, const void* handle, Kind kind) noexcept {
  const uint64_t bits = handle_bits(handle);
  const char* name = kind_name(kind);
  if (bits == 0) return Status::error(Code::bad_handle, "%s: the %s handle is null", operation, name);
  const Slot* slot = find_slot(bits);
  if (bits >> 63 == 0 || (bits >> 28 & 0xf) != kHandleTag || slot == nullptr)
    return Status::error(Code::bad_handle, "%s: %p is not a nacre handle", operation, handle);
  if ((bits >> 24 & 0xff) != kind_bits(kind))
    return Status::error(Code::bad_handle, "%s: a %s handle was passed where a %s handle is expected",
                         operation, kind_name(static_cast<Kind>(bits >> 24 & 0xf)), name);
  const uint64_t state = slot->state.load(std::memory_order_acquire);
  if (state == (bits | kForkedMark))
    return Status::error(Code::bad_handle,
                         "%s: the %s handle was made before fork(); open the pool again in this process",
                         operation, name);
  return Status::error(Code::bad_handle, "%s: the %s handle is closed", operation, name);
}

Result<uint64_t> make_handle(Kind kind, Pins* pins, void* object) noexcept {
  const sync::Guard lock(g_lock);
  Code why = Code::ok;
  const uint32_t taken = take_slot(why);
  if (taken == 0)
    return Status::error(why, "no room for another %s handle (%u are in use)", kind_name(kind), g_made_slots);
  Slot& slot = slot_at(taken - 1);
  slot.generation = slot.generation == 0 ? kFirstGeneration : slot.generation + 1;
  const uint64_t handle = uint64_t{slot.generation} << 32 | kind_bits(kind) << 24 | taken;
  slot.pins.store(pins, std::memory_order_release);
  slot.object.store(object, std::memory_order_release);
  slot.state.store(handle, std::memory_order_seq_cst);
  return handle;
}

bool retire_handle(uint64_t handle) noexcept {
  Slot* slot = find_slot(handle);
  uint64_t expected = handle;
  if (slot == nullptr || !slot->state.compare_exchange_strong(expected, 0, std::memory_order_seq_cst))
    return false;
  const sync::Guard lock(g_lock);
  give_slot(slot_index(handle));
  return true;
}

Pins* take_pins() noexcept {
  const sync::Guard lock(g_lock);
  Pins* pins = g_free_pins;
  if (pins != nullptr) {
    g_free_pins = pins->next_free;
    return pins;
  }
  pins = new (std::nothrow) Pins;
  if (pins == nullptr) return nullptr;
  pins->next = g_all_pins.load(std::memory_order_relaxed);
  g_all_pins.store(pins, std::memory_order_release);
  return pins;
}

void give_pins(Pins* pins) noexcept {
  if (pins == nullptr) return;
  const sync::Guard lock(g_lock);
  pins->next_free = g_free_pins;
  g_free_pins = pins;
}

uint64_t pins_of_this_thread() noexcept {
  const uint32_t thread = thread_index();
  if (thread == kSharedCell) return t_shared_depth;
  uint64_t held = 0;
  for (const Pins* pins = g_all_pins.load(std::memory_order_acquire); pins != nullptr; pins = pins->next)
    held += pins->cells[thread].word.load(std::memory_order_relaxed) & Pins::kDepthMask;
  return held;
}

void wait_for_calls(const Pins& pins) noexcept {
  constexpr int kYields = 100;  // then sleep: a callback may take its time
  sync::heavy_fence();  // who entered before the handle was retired is seen now; who comes later sees that it was
  for (const Pins::Cell& cell : pins.cells) {
    const uint64_t first = cell.word.load(std::memory_order_seq_cst);
    uint64_t now = first;
    // A thread that has left and come back since has seen what was retired before this wait. (The shared cell
    // counts no entries: there it takes a moment when nobody is inside.)
    for (int turn = 0; (now & Pins::kDepthMask) != 0 && now / Pins::kEntry == first / Pins::kEntry; ++turn) {
      sync::point(sync::Event::wait, &pins);
      if (turn < kYields)
        sync::yield();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      now = cell.word.load(std::memory_order_acquire);
    }
  }
}

Status watch_forks() noexcept {
  static constinit std::atomic<bool> watching{false};
  if (watching.load(std::memory_order_acquire)) return Code::ok;
  const sync::Guard lock(g_lock);
  if (watching.load(std::memory_order_relaxed)) return Code::ok;
  const int failed = pthread_atfork(before_fork, after_fork_parent, after_fork_child);
  if (failed != 0) return Status::system_error(Code::out_of_memory, failed, "pthread_atfork");
  watching.store(true, std::memory_order_release);
  return Code::ok;
}

RegistryLock::RegistryLock() noexcept { g_lock.lock(); }
RegistryLock::~RegistryLock() { g_lock.unlock(); }

void* find_options_locked(const void* handle) noexcept {
  const uint64_t bits = handle_bits(handle);
  if ((bits >> 24 & 0xff) != kind_bits(Kind::options)) return nullptr;
  const Slot* slot = find_slot(bits);
  if (slot == nullptr || slot->state.load(std::memory_order_acquire) != bits) return nullptr;
  return slot->object.load(std::memory_order_acquire);
}

}  // namespace nacre::bindings
