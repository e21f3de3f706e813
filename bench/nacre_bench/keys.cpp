#include "bench/nacre_bench/keys.h"

#include <cstring>
#include <numeric>
#include <utility>

namespace nacre::bench {

void write_decimal(char* out, uint64_t key_bytes, uint64_t number) noexcept {
  for (uint64_t at = key_bytes; at > 0; --at) {
    out[at - 1] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
}

uint64_t keys_that_fit(uint64_t key_bytes) noexcept {
  constexpr uint64_t kMost = UINT32_MAX;  // indices are 32 bits wide
  uint64_t numbers = 1;
  for (uint64_t digit = 0; digit < key_bytes && numbers <= 2 * kMost; ++digit) numbers *= 10;
  const uint64_t keys = numbers / 2;  // the odd numbers are the absent keys
  return keys < kMost ? keys : kMost;
}

ValuePool::ValuePool(uint64_t value_bytes, uint64_t seed) : value_bytes_(value_bytes) {
  Random random(mix(seed) ^ 0x76616c756573);
  pool_.resize(kStarts + value_bytes + sizeof(uint64_t));
  for (size_t at = 0; at + sizeof(uint64_t) <= pool_.size(); at += sizeof(uint64_t)) {
    const uint64_t word = random.next();
    std::memcpy(pool_.data() + at, &word, sizeof word);
  }
}

Plan::Plan(uint64_t key_bytes, std::vector<uint32_t> idxs, bool absent)
    : key_bytes_(key_bytes), idxs_(std::move(idxs)), keys_(idxs_.size() * key_bytes) {
  char* at = keys_.data();
  for (const uint32_t idx : idxs_) {
    absent ? write_absent_key(at, key_bytes, idx) : write_key(at, key_bytes, idx);
    at += key_bytes;
  }
}

std::vector<uint32_t> ascending(uint64_t num) {
  std::vector<uint32_t> idxs(num);
  std::iota(idxs.begin(), idxs.end(), 0u);
  return idxs;
}

std::vector<uint32_t> shuffled(uint64_t num, uint64_t seed) {
  std::vector<uint32_t> idxs = ascending(num);
  Random random(seed);
  for (uint64_t left = num; left > 1; --left) std::swap(idxs[left - 1], idxs[random.below(left)]);
  return idxs;
}

std::vector<uint32_t> drawn(uint64_t count, uint64_t num, uint64_t step, uint64_t seed) {
  std::vector<uint32_t> idxs(count);
  Random random(seed);
  const uint64_t choices = (num + step - 1) / step;
  for (uint32_t& idx : idxs) idx = static_cast<uint32_t>(random.below(choices) * step);
  return idxs;
}

std::vector<Plan> split(const std::vector<uint32_t>& idxs, uint64_t threads, uint64_t key_bytes,
                        bool absent) {
  std::vector<Plan> plans;
  plans.reserve(threads);
  for (uint64_t t = 0; t < threads; ++t) {
    const auto first = idxs.begin() + static_cast<std::ptrdiff_t>(idxs.size() * t / threads);
    const auto last = idxs.begin() + static_cast<std::ptrdiff_t>(idxs.size() * (t + 1) / threads);
    plans.emplace_back(key_bytes, std::vector<uint32_t>(first, last), absent);
  }
  return plans;
}

}  // namespace nacre::bench
