#include "bench/nacre_bench/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace nacre::bench {

void Histogram::merge(const Histogram& other) noexcept {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::bucket_low(size_t idx) noexcept {
  if (idx < 2 * kSubBuckets) return idx;
  const unsigned shift = static_cast<unsigned>(idx >> kSubBits) - 1;
  return (idx - (static_cast<size_t>(shift) << kSubBits)) << shift;
}

uint64_t Histogram::bucket_middle(size_t idx) noexcept {
  if (idx < 2 * kSubBuckets) return idx;
  const unsigned shift = static_cast<unsigned>(idx >> kSubBits) - 1;
  return bucket_low(idx) + (uint64_t{1} << shift) / 2;
}

uint64_t Histogram::percentile(double fraction) const noexcept {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen != 0) return std::clamp(bucket_middle(i), min_, max_);
  }
  return max_;
}

std::string Histogram::to_string(double us_per_unit) const {
  char line[200];
  const auto us = [&](uint64_t value) { return static_cast<double>(value) * us_per_unit; };
  std::snprintf(line, sizeof line, "Microseconds per op: count %llu  average %.3f  min %.3f  max %.3f\n",
                static_cast<unsigned long long>(count_), mean() * us_per_unit, us(min()), us(max_));
  std::string text = line;
  std::snprintf(line, sizeof line,
                "Percentiles: P50 %.3f  P75 %.3f  P90 %.3f  P99 %.3f  P99.9 %.3f  P99.99 %.3f\n",
                us(percentile(0.5)), us(percentile(0.75)), us(percentile(0.9)), us(percentile(0.99)),
                us(percentile(0.999)), us(percentile(0.9999)));
  text += line;
  uint64_t seen = 0;
  for (size_t first = 0; first < kBuckets; first += kSubBuckets / 2) {  // half powers of two read well
    uint64_t here = 0;
    for (size_t i = first; i < first + kSubBuckets / 2; ++i) here += buckets_[i];
    if (here == 0) continue;
    seen += here;
    const size_t next = first + kSubBuckets / 2;
    const double high = next < kBuckets ? us(bucket_low(next)) : us(max_);
    const double share = static_cast<double>(here) / static_cast<double>(count_);
    std::snprintf(line, sizeof line, "[%12.3f, %12.3f ) %10llu %7.3f%% %7.3f%% ", us(bucket_low(first)), high,
                  static_cast<unsigned long long>(here), share * 100.0,
                  100.0 * static_cast<double>(seen) / static_cast<double>(count_));
    text += line;
    text.append(static_cast<size_t>(share * 20.0 + 0.5), '#');
    text += '\n';
  }
  return text;
}

}  // namespace nacre::bench
