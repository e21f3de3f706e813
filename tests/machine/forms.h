// Instructions in the encodings that compilers use, to test the decoder: each says itself which address it is about.
#pragma once

#include <cstdint>
#include <span>

#include "tests/machine/decode.h"

namespace nacre::machine {

struct Form {
  const char* text;
  Kind kind;
  uint8_t store_bytes;
  /// Runs the instruction on (or near) `target`, which has 64 KiB on both sides; `other` is `target` / 8. Returns its
  /// address, made by lea; 0 if it has none.
  uint64_t (*run)(uint64_t target, uint64_t other);
  bool (*usable)();
};

std::span<const Form> forms() noexcept;

}  // namespace nacre::machine
