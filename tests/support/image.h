// A pool's bytes in plain memory, which outlive the handles on them: tests copy, damage and open them again.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "pmem/domain.h"

namespace nacre::test {

/// Page-aligned zero bytes of fixed size.
class Image {
 public:
  explicit Image(uint64_t size_bytes)
      : size_bytes_(align_up(size_bytes, kPageBytes)),
        bytes_(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, size_bytes_))) {
    if (bytes_ == nullptr) throw std::bad_alloc();
    std::memset(bytes_, 0, size_bytes_);
  }
  ~Image() { std::free(bytes_); }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  std::byte* data() const noexcept { return bytes_; }
  uint64_t size_bytes() const noexcept { return size_bytes_; }
  template <class T>
  T* at(uint64_t off) const noexcept {
    return reinterpret_cast<T*>(bytes_ + off);
  }

  /// A copy of what is there now: what a killed process leaves, if a handle is open on it.
  std::shared_ptr<Image> clone() const {
    auto copy = std::make_shared<Image>(size_bytes_);
    std::memcpy(copy->bytes_, bytes_, size_bytes_);
    return copy;
  }
  bool same_as(const Image& other) const noexcept {
    return size_bytes_ == other.size_bytes_ && std::memcmp(bytes_, other.bytes_, size_bytes_) == 0;
  }
  void assign(const Image& other) noexcept { std::memcpy(bytes_, other.bytes_, size_bytes_); }

 private:
  uint64_t size_bytes_;
  std::byte* bytes_;
};

using ImagePtr = std::shared_ptr<Image>;

inline ImagePtr make_image(uint64_t size_bytes) { return std::make_shared<Image>(size_bytes); }

/// The domain of an image: counts, flushes nothing.
class ImageDomain final : public pmem::Domain {
 public:
  explicit ImageDomain(ImagePtr image)
      : Domain(image->data(), image->size_bytes(), pmem::Medium::test, pmem::FlushKind::none, false),
        image_(std::move(image)) {}

 private:
  ImagePtr image_;
};

}  // namespace nacre::test
