// What all targets share: a reader of the fuzzer's bytes that never runs out, and the way to say that something is
// wrong. A target is one LLVMFuzzerTestOneInput; libFuzzer drives it in a fuzz build, replay_main.cpp in every other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace nacre::fuzz {

/// The input from front to back; zeros behind its end.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) noexcept : at_(data), end_(data + size) {}
  bool empty() const noexcept { return at_ == end_; }
  size_t left() const noexcept { return static_cast<size_t>(end_ - at_); }
  uint8_t byte() noexcept { return at_ == end_ ? uint8_t{0} : *at_++; }
  uint64_t number(size_t bytes) noexcept {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= uint64_t{byte()} << 8 * i;
    return value;
  }
  std::span<const uint8_t> rest() noexcept { return {std::exchange(at_, end_), end_}; }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

/// Ends the program: the fuzzer keeps the input that led here.
[[noreturn]] inline void fail(const std::string& text) {
  std::fprintf(stderr, "VIOLATION: %s\n", text.c_str());
  std::abort();
}

inline void require(bool good, const char* what) {
  if (!good) [[unlikely]]
    fail(what);
}

}  // namespace nacre::fuzz
