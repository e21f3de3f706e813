// A pool's bytes in plain memory, which outlive the handles on them: tests copy, damage and open them again.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "pmem/domain.h"

namespace nacre::test {

/// Page-aligned zero bytes of fixed size, of which the first file_bytes() are the file: it may grow to the others.
class Image {
 public:
  explicit Image(uint64_t size_bytes, uint64_t file_bytes = 0)
      : size_bytes_(align_up(size_bytes, kPageBytes)),
        file_bytes_(file_bytes == 0 ? size_bytes_ : align_up(file_bytes, kPageBytes)),
        bytes_(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, size_bytes_))) {
    if (bytes_ == nullptr) throw std::bad_alloc();
    std::memset(bytes_, 0, size_bytes_);
  }
  ~Image() { std::free(bytes_); }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  std::byte* data() const noexcept { return bytes_; }
  uint64_t size_bytes() const noexcept { return size_bytes_; }
  uint64_t file_bytes() const noexcept { return file_bytes_; }
  /// Bytes that the file gains are zero.
  void resize_file(uint64_t file_bytes) noexcept {
    if (file_bytes > file_bytes_) std::memset(bytes_ + file_bytes_, 0, file_bytes - file_bytes_);
    file_bytes_ = file_bytes;
  }
  template <class T>
  T* at(uint64_t off) const noexcept {
    return reinterpret_cast<T*>(bytes_ + off);
  }

  /// A copy of what is there now: what a killed process leaves, if a handle is open on it.
  std::shared_ptr<Image> clone() const {
    auto copy = std::make_shared<Image>(size_bytes_, file_bytes_);
    std::memcpy(copy->bytes_, bytes_, size_bytes_);
    return copy;
  }
  bool same_as(const Image& other) const noexcept {
    return size_bytes_ == other.size_bytes_ && std::memcmp(bytes_, other.bytes_, size_bytes_) == 0;
  }
  void assign(const Image& other) noexcept { std::memcpy(bytes_, other.bytes_, size_bytes_); }

 private:
  uint64_t size_bytes_;
  uint64_t file_bytes_;
  std::byte* bytes_;
};

using ImagePtr = std::shared_ptr<Image>;

inline ImagePtr make_image(uint64_t size_bytes, uint64_t file_bytes = 0) {
  return std::make_shared<Image>(size_bytes, file_bytes);
}

/// The domain of an image: counts, flushes nothing. It grows and shrinks if the image has more bytes than its file.
class ImageDomain final : public pmem::Domain {
 public:
  explicit ImageDomain(ImagePtr image)
      : Domain(image->data(), image->file_bytes(), pmem::Medium::test, pmem::FlushKind::none, false,
               image->size_bytes()),
        can_grow_(image->file_bytes() != image->size_bytes()),
        image_(std::move(image)) {}

  Status grow(uint64_t new_bytes) noexcept override {
    new_bytes = align_up(new_bytes, kPageBytes);
    if (!can_grow_ || new_bytes > reserved_bytes()) return Domain::grow(new_bytes);
    if (new_bytes > size_bytes()) resize(new_bytes);
    return Code::ok;
  }
  Status shrink(uint64_t new_bytes) noexcept override {
    if (!can_grow_) return Domain::shrink(new_bytes);
    if (new_bytes < size_bytes()) resize(align_up(new_bytes, kPageBytes));
    return Code::ok;
  }

 private:
  void resize(uint64_t new_bytes) noexcept {
    image_->resize_file(new_bytes);
    publish_size(new_bytes);
  }
  const bool can_grow_;
  ImagePtr image_;
};

}  // namespace nacre::test
