// A vector for what must not allocate at the wrong time: room is made ahead, and push inside that room is a store.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace nacre::alloc {

template <class T>
class ReservedVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  ReservedVector() = default;
  ReservedVector(ReservedVector&& other) noexcept { *this = std::move(other); }
  ReservedVector& operator=(ReservedVector&& other) noexcept {
    items_ = std::move(other.items_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  /// Room for `n` items in all. May throw bad_alloc, and then has changed nothing.
  void reserve(size_t n) {
    if (n > capacity_) [[unlikely]]
      grow(std::max(n, capacity_ * 2));
  }
  /// Adds an item; there is room for it.
  void push(const T& item) noexcept { items_[size_++] = item; }
  /// Adds an item and makes room for it if there is none. May throw bad_alloc.
  void push_back(const T& item) {
    reserve(size_ + 1);
    push(item);
  }
  /// The place of the next item, for which there is room; push_next() adds it as it is then.
  T& next() noexcept { return items_[size_]; }
  void push_next() noexcept { ++size_; }
  /// Inserts before item `at`; there is room for it.
  void insert(size_t at, const T& item) noexcept {
    std::copy_backward(items_.get() + at, items_.get() + size_, items_.get() + size_ + 1);
    items_[at] = item;
    ++size_;
  }
  void truncate(size_t n) noexcept { size_ = n; }
  void clear() noexcept { size_ = 0; }

  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return items_.get(); }
  const T* data() const noexcept { return items_.get(); }
  T* begin() noexcept { return items_.get(); }
  T* end() noexcept { return items_.get() + size_; }
  const T* begin() const noexcept { return items_.get(); }
  const T* end() const noexcept { return items_.get() + size_; }
  T& operator[](size_t i) noexcept { return items_[i]; }
  const T& operator[](size_t i) const noexcept { return items_[i]; }
  T& back() noexcept { return items_[size_ - 1]; }

 private:
  [[gnu::noinline]] void grow(size_t n) {
    std::unique_ptr<T[]> larger(new T[n]);
    std::copy_n(items_.get(), size_, larger.get());
    items_ = std::move(larger);
    capacity_ = n;
  }

  std::unique_ptr<T[]> items_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace nacre::alloc
