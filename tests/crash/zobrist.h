// A hash of a pool image that changes in constant time with a word: the exclusive or of one pseudo-random
// number for each (word, value). Zobrist, "A New Hashing Method with Application for Game Playing", 1970.
// The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
#pragma once

#include <cstdint>

namespace nacre::crash {

constexpr uint64_t mix64(uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ull;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// The number of (word, value). An image of zeros hashes to 0 by convention, so only differences are needed:
/// hash(new image) = hash(old image) ^ zobrist(word, old value) ^ zobrist(word, new value).
constexpr uint64_t zobrist(uint64_t word_idx, uint64_t value) noexcept {
  return mix64(value ^ mix64(word_idx * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull));
}

/// What replacing `before` with `after` does to the hash.
constexpr uint64_t zobrist_change(uint64_t word_idx, uint64_t before, uint64_t after) noexcept {
  return before == after ? 0 : zobrist(word_idx, before) ^ zobrist(word_idx, after);
}

/// A small repeatable generator (SplitMix64).
struct Random {
  uint64_t state;
  uint64_t next() noexcept { return mix64(state += 0x9e3779b97f4a7c15ull); }
  uint64_t below(uint64_t n) noexcept { return n == 0 ? 0 : next() % n; }
};

}  // namespace nacre::crash
