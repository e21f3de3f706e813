// A small repeatable source of random numbers (SplitMix64, Steele et al. 2014), equal on every machine.
#pragma once

#include <cstdint>
#include <string>

namespace nacre::test {

class Random {
 public:
  explicit Random(uint64_t seed) noexcept : state_(seed) {}
  uint64_t next() noexcept {
    uint64_t x = state_ += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
  }
  /// 0 .. bound - 1
  uint64_t below(uint64_t bound) noexcept { return next() % bound; }
  bool one_in(uint64_t n) noexcept { return below(n) == 0; }
  std::string bytes(size_t count) {
    std::string s(count, '\0');
    for (char& c : s) c = static_cast<char>(next());
    return s;
  }

 private:
  uint64_t state_;
};

}  // namespace nacre::test
