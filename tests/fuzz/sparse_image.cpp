#include "tests/fuzz/sparse_image.h"

#include <algorithm>
#include <cstring>

namespace nacre::fuzz {

SparseImage expand(const uint8_t* data, size_t size) {
  SparseImage image;
  image.flags = size > 0 ? data[0] : 0;
  const size_t pages = 1 + (size > 1 ? data[1] % kMaxPages : 0);
  image.bytes.resize(pages * kPageBytes);
  const size_t lines = image.bytes.size() / kLineBytes;
  for (size_t at = kHeaderBytes; at + kEntryBytes <= size; at += kEntryBytes) {
    const size_t line = (data[at] | size_t{data[at + 1]} << 8) % lines;
    std::memcpy(&image.bytes[line * kLineBytes], data + at + 2, kLineBytes);
  }
  return image;
}

std::string compress(const SparseImage& image, size_t max_bytes) {
  std::string out{static_cast<char>(image.flags), static_cast<char>(image.bytes.size() / kPageBytes - 1)};
  for (size_t line = 0; line < image.bytes.size() / kLineBytes && out.size() + kEntryBytes <= max_bytes; ++line) {
    const std::byte* at = &image.bytes[line * kLineBytes];
    if (std::all_of(at, at + kLineBytes, [](std::byte b) { return b == std::byte{0}; })) continue;
    out += static_cast<char>(line);
    out += static_cast<char>(line >> 8);
    out.append(reinterpret_cast<const char*>(at), kLineBytes);
  }
  return out;
}

}  // namespace nacre::fuzz
