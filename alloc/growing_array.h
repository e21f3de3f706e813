// An array that grows without moving what it holds, so that a reader needs no lock while another thread lets it grow.
//
//   block 0: 1024 entries   block 1: 1024   block 2: 2048   block 3: 4096   ...
//
// A block is made when an entry of it is first asked for, all zero. Large blocks are pages that the operating system
// hands out when they are touched.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>

namespace nacre::alloc {

template <class T>
class GrowingArray {
  static_assert(std::is_trivially_destructible_v<T>, "blocks are zeroed memory");

 public:
  GrowingArray() = default;
  ~GrowingArray() {
    for (auto& block : blocks_) std::free(block.load(std::memory_order_relaxed));
  }
  GrowingArray(const GrowingArray&) = delete;
  GrowingArray& operator=(const GrowingArray&) = delete;

  /// The entry, or null if its block was never made: then it counts as zero.
  T* find(uint32_t index) const noexcept {
    const uint32_t k = block_of(index);
    T* block = blocks_[k].load(std::memory_order_acquire);
    return block == nullptr ? nullptr : block + (index - first_of(k));
  }
  /// The entry, which was made before.
  T& operator[](uint32_t index) const noexcept { return *find(index); }

  /// Makes the block of [first, first + count). One thread at a time. May throw bad_alloc.
  void make(uint32_t first, uint32_t count) {
    for (uint32_t k = block_of(first); k <= block_of(first + count - 1); ++k) {
      if (blocks_[k].load(std::memory_order_relaxed) != nullptr) continue;
      void* block = std::calloc(size_of(k), sizeof(T));
      if (block == nullptr) throw std::bad_alloc();
      blocks_[k].store(static_cast<T*>(block), std::memory_order_release);
    }
  }

 private:
  static constexpr uint32_t kFirstShift = 10;
  static constexpr uint32_t kBlocks = 33 - kFirstShift;
  static uint32_t block_of(uint32_t index) noexcept {
    return static_cast<uint32_t>(std::bit_width(index >> kFirstShift));
  }
  static uint32_t first_of(uint32_t k) noexcept { return k == 0 ? 0 : uint32_t{1} << (k - 1 + kFirstShift); }
  static size_t size_of(uint32_t k) noexcept { return size_t{1} << (k == 0 ? kFirstShift : k - 1 + kFirstShift); }

  std::array<std::atomic<T*>, kBlocks> blocks_{};
};

}  // namespace nacre::alloc
