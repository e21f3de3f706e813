// A log-linear histogram of ticks: each power of two is cut into 64 equal buckets.
//
//   value   0 .. 127          one bucket each                                (exact)
//   value   2^k .. 2^(k+1)-1  64 buckets of 2^(k-6)                          (a bucket is 1/64 = 1.56 % wide)
//
// A percentile is the middle of its bucket, so it is off by less than 0.8 %. add() is a shift, an add and a
// store to one line; a histogram is 30 KB and belongs to one thread. Merge them when the threads have ended.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>

namespace nacre::bench {

class Histogram {
 public:
  /// Counts `value` `times` times.
  void add(uint64_t value, uint64_t times = 1) noexcept {
    buckets_[bucket_idx(value)] += times;
    count_ += times;
    sum_ += value * times;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }

  void merge(const Histogram& other) noexcept;

  uint64_t count() const noexcept { return count_; }
  uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  uint64_t max() const noexcept { return max_; }
  double mean() const noexcept {
    return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  /// The value that `fraction` (0 to 1) of the samples do not exceed; 0 when there are none.
  uint64_t percentile(double fraction) const noexcept;

  /// A table of percentiles and of the buckets in use, joined to powers of two, in microseconds.
  std::string to_string(double us_per_unit) const;

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr uint64_t kSubBuckets = 1u << kSubBits;
  // The largest shift is 64 - 7 = 57, whose indices end at 57 * 64 + 127.
  static constexpr size_t kBuckets = (64 - kSubBits - 1) * kSubBuckets + 2 * kSubBuckets;

  static unsigned shift_of(uint64_t value) noexcept {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    return width <= kSubBits + 1 ? 0 : width - kSubBits - 1;
  }
  static size_t bucket_idx(uint64_t value) noexcept {
    const unsigned shift = shift_of(value);
    return (static_cast<size_t>(shift) << kSubBits) + (value >> shift);
  }
  static uint64_t bucket_low(size_t idx) noexcept;
  static uint64_t bucket_middle(size_t idx) noexcept;

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace nacre::bench
