// What is stored: keys and values that are functions of a key's index, and the order in which a thread meets
// them. Everything here is made before a timed loop starts.
//
//   key of index i       the number 2 i, decimal, padded with zeros to key_size bytes
//   absent key i         the number 2 i + 1: same size, between its neighbours in order, never stored
//   value of index i     a slice of a pool of random bytes; variant 0 and variant 1 start at different places
//
// A store filled once is found again by another run with the same sizes and seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::bench {

/// A 64-bit mixer (the finaliser of splitmix64, Steele, Lea and Flood 2014): a bijection.
constexpr uint64_t mix(uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// splitmix64: repeatable on every platform, unlike the distributions of the standard library.
class Random {
 public:
  explicit Random(uint64_t seed) noexcept : state_(mix(seed + 0x9e3779b97f4a7c15u)) {}
  uint64_t next() noexcept { return mix(state_ += 0x9e3779b97f4a7c15u); }
  /// From 0 to less than 1.
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Below `bound`, which is at most 2^32; the bias is below 2^-32.
  uint32_t below(uint64_t bound) noexcept { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }

 private:
  uint64_t state_;
};

/// Writes the decimal digits of `number` into `key_bytes` bytes at `out`, zeros in front.
void write_decimal(char* out, uint64_t key_bytes, uint64_t number) noexcept;
inline void write_key(char* out, uint64_t key_bytes, uint64_t idx) noexcept {
  write_decimal(out, key_bytes, 2 * idx);
}
inline void write_absent_key(char* out, uint64_t key_bytes, uint64_t idx) noexcept {
  write_decimal(out, key_bytes, 2 * idx + 1);
}
/// How many keys of `key_bytes` bytes there are, at most 2^32 - 1.
uint64_t keys_that_fit(uint64_t key_bytes) noexcept;

/// The values. Immutable once made; any thread may read it.
class ValuePool {
 public:
  ValuePool(uint64_t value_bytes, uint64_t seed);

  std::string_view value(uint64_t idx, unsigned variant) const noexcept {
    return {pool_.data() + (mix(2 * idx + variant) & (kStarts - 1)), value_bytes_};
  }
  uint64_t value_bytes() const noexcept { return value_bytes_; }
  /// As value, cut to `bytes`, at most the size the pool was made for. The place depends on both.
  std::string_view sized(uint64_t idx, uint64_t bytes) const noexcept {
    return {pool_.data() + (mix(mix(idx) + bytes) & (kStarts - 1)), bytes};
  }
  /// Length, first and last byte: what a timed loop can afford.
  bool looks_right(std::string_view got, uint64_t idx, unsigned variant) const noexcept {
    const std::string_view want = value(idx, variant);
    if (got.size() != want.size()) return false;
    return got.empty() || (got.front() == want.front() && got.back() == want.back());
  }

 private:
  static constexpr uint64_t kStarts = 16 * 1024;  // in a first-level cache, as bytes a caller has just made
  uint64_t value_bytes_;
  std::string pool_;
};

/// The operations of one thread, in order: keys side by side, so that reading the next one never misses.
class Plan {
 public:
  Plan() = default;
  Plan(uint64_t key_bytes, std::vector<uint32_t> idxs, bool absent);

  uint64_t size() const noexcept { return idxs_.size(); }
  uint32_t idx(uint64_t i) const noexcept { return idxs_[i]; }
  std::string_view key(uint64_t i) const noexcept { return {keys_.data() + i * key_bytes_, key_bytes_}; }

 private:
  uint64_t key_bytes_ = 0;
  std::vector<uint32_t> idxs_;
  std::vector<char> keys_;
};

/// 0 .. num-1 in order, or shuffled by `seed`.
std::vector<uint32_t> ascending(uint64_t num);
std::vector<uint32_t> shuffled(uint64_t num, uint64_t seed);
/// `count` draws from 0, step, 2 step, ... below num, with replacement.
std::vector<uint32_t> drawn(uint64_t count, uint64_t num, uint64_t step, uint64_t seed);

/// Cuts `idxs` into `threads` plans of nearly equal length, contiguous pieces in order.
std::vector<Plan> split(const std::vector<uint32_t>& idxs, uint64_t threads, uint64_t key_bytes, bool absent);

}  // namespace nacre::bench
