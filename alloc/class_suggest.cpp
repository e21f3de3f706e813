#include "alloc/class_suggest.h"

#include <algorithm>
#include <limits>

namespace nacre::alloc {
namespace {

constexpr uint64_t kMaxCost = uint64_t{1} << 62;
constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

/// A unit size and what one unit of it costs; kNever: there is no class of this size.
struct Size {
  uint64_t unit_bytes;
  uint64_t share;
};

/// All records that need the same unit.
struct Bucket {
  Size size;
  uint64_t count;
  uint64_t bytes;
};

/// The sizes above one live class up to the next, `top`.
struct Interval {
  Size top;
  std::span<const Bucket> buckets;
};

/// The least cost of an interval with exactly m added classes, for each m, and which they are.
struct IntervalPlan {
  std::vector<uint64_t> cost;
  std::vector<std::vector<uint32_t>> chosen;  // indices of buckets
};

Size candidate(uint64_t bytes, const Geometry& g) noexcept {
  SizeClass c;
  const uint64_t unit_bytes = std::max(kMinUnitBytes, align_up(bytes, kUnitAlign));
  c.slab_chunks = chosen_slab_chunks(unit_bytes, g);
  if (c.slab_chunks == 0) return {unit_bytes, kNever};
  c.unit_bytes = static_cast<uint32_t>(unit_bytes);
  c.slab_bytes = uint64_t{c.slab_chunks} * g.chunk_bytes;
  c.units_per_slab = static_cast<uint32_t>(c.slab_bytes / c.unit_bytes);
  return {c.unit_bytes, unit_share_bytes(c)};
}

/// What a record may lie in now, ascending: units of live classes, and whole chunks (extents) as far as those reach.
/// A record takes an extent where that is no longer than the unit.
std::vector<Size> live_sizes(const SizeClasses& classes, const Geometry& g) {
  std::vector<Size> sizes;
  for (uint32_t id = 0; id < classes.count(); ++id) {
    const SizeClass c = classes[id];
    const bool extent = c.unit_bytes % g.chunk_bytes == 0;
    if (c.state == ClassState::live && !extent) sizes.push_back({c.unit_bytes, unit_share_bytes(c)});
  }
  for (uint64_t bytes = g.chunk_bytes; bytes <= classes.largest_unit_bytes(); bytes += g.chunk_bytes)
    sizes.push_back({bytes, bytes});
  std::sort(sizes.begin(), sizes.end(),
            [](const Size& a, const Size& b) { return a.unit_bytes < b.unit_bytes; });
  return sizes;
}

std::vector<Bucket> make_buckets(const Geometry& g, std::span<const SizeCount> histogram) {
  std::vector<Bucket> buckets;
  for (const SizeCount& h : histogram)
    if (h.count != 0) buckets.push_back({candidate(h.bytes, g), h.count, h.bytes * h.count});
  std::sort(buckets.begin(), buckets.end(),
            [](const Bucket& a, const Bucket& b) { return a.size.unit_bytes < b.size.unit_bytes; });
  std::vector<Bucket> merged;
  for (const Bucket& b : buckets) {
    if (merged.empty() || merged.back().size.unit_bytes != b.size.unit_bytes) {
      merged.push_back(b);
    } else {
      merged.back().count += b.count;
      merged.back().bytes += b.bytes;
    }
  }
  return merged;
}

std::vector<Interval> make_intervals(std::span<const Size> live, std::span<const Bucket> buckets) {
  std::vector<Interval> intervals;
  size_t begin = 0;
  for (const Size& top : live) {
    size_t end = begin;
    while (end < buckets.size() && buckets[end].size.unit_bytes <= top.unit_bytes) ++end;
    if (end != begin) intervals.push_back({top, buckets.subspan(begin, end - begin)});
    begin = end;
  }
  return intervals;
}

/// The buckets, from the first on, that a class could be made for. One of the interval's own size would be no other.
size_t candidate_count(const Interval& interval) noexcept {
  size_t n = interval.buckets.size();
  const auto no_class = [&](const Size& s) { return s.unit_bytes == interval.top.unit_bytes || s.share == kNever; };
  while (n != 0 && no_class(interval.buckets[n - 1].size)) --n;
  return n;
}

IntervalPlan solve(const Interval& interval, uint32_t max_classes) {
  const auto& buckets = interval.buckets;
  const size_t n = buckets.size();
  std::vector<uint64_t> count_to(n + 1);  // records in the first j buckets
  for (size_t j = 0; j < n; ++j) count_to[j + 1] = count_to[j] + buckets[j].count;
  const size_t candidates = candidate_count(interval);
  const size_t most = std::min<size_t>(max_classes, candidates);
  std::vector<uint64_t> f(candidates + 1, kNever);
  f[0] = 0;
  std::vector<std::vector<uint32_t>> from(most + 1, std::vector<uint32_t>(candidates + 1));
  IntervalPlan plan;
  for (size_t m = 0;; ++m) {
    size_t last = 0;
    uint64_t least = kNever;
    for (size_t j = 0; j <= candidates; ++j) {
      if (f[j] == kNever) continue;
      const uint64_t cost = f[j] + (count_to[n] - count_to[j]) * interval.top.share;
      if (cost < least) least = cost, last = j;
    }
    plan.cost.push_back(least);
    auto& chosen = plan.chosen.emplace_back();
    for (size_t k = m, j = last; k > 0; j = from[k--][j]) chosen.push_back(static_cast<uint32_t>(j - 1));
    std::reverse(chosen.begin(), chosen.end());
    if (m == most) return plan;
    std::vector<uint64_t> next(candidates + 1, kNever);
    for (size_t j = 1; j <= candidates; ++j)
      for (size_t i = 0; i < j; ++i) {
        if (f[i] == kNever) continue;
        const uint64_t cost = f[i] + (count_to[j] - count_to[i]) * buckets[j - 1].size.share;
        if (cost < next[j]) next[j] = cost, from[m + 1][j] = static_cast<uint32_t>(i);
      }
    f = std::move(next);
  }
}

/// How many classes each interval gets: the least cost, and with that the fewest.
std::vector<uint32_t> share_out(std::span<const IntervalPlan> plans, uint32_t max_classes) {
  std::vector<uint64_t> best(max_classes + 1, 0);  // least cost of the plans so far with at most t classes
  std::vector<std::vector<uint32_t>> taken(plans.size(), std::vector<uint32_t>(max_classes + 1));
  for (size_t p = 0; p < plans.size(); ++p) {
    std::vector<uint64_t> next(max_classes + 1, kNever);
    for (uint32_t t = 0; t <= max_classes; ++t)
      for (uint32_t m = 0; m <= t && m < plans[p].cost.size(); ++m) {
        const uint64_t cost = best[t - m] + plans[p].cost[m];
        if (cost < next[t]) next[t] = cost, taken[p][t] = m;
      }
    best = std::move(next);
  }
  uint32_t total = max_classes;
  while (total > 0 && best[total - 1] == best[total]) --total;
  std::vector<uint32_t> counts(plans.size());
  for (size_t p = plans.size(); p-- > 0;) {
    counts[p] = taken[p][total];
    total -= counts[p];
  }
  return counts;
}

/// Adds the classes chosen in one interval, and its waste, to the advice.
void add_advice(const Interval& interval, std::span<const uint32_t> chosen, ClassAdvice& advice) {
  size_t next = 0;
  for (const uint32_t top_of : chosen) {
    const Size& size = interval.buckets[top_of].size;
    SuggestedClass s;
    s.unit_bytes = static_cast<uint32_t>(size.unit_bytes);
    for (; next <= top_of; ++next) {
      const Bucket& b = interval.buckets[next];
      s.records += b.count;
      s.waste_before += b.count * interval.top.share - b.bytes;
      s.waste_after += b.count * size.share - b.bytes;
    }
    advice.waste_before += s.waste_before;
    advice.waste_after += s.waste_after;
    advice.classes.push_back(s);
  }
  for (; next < interval.buckets.size(); ++next) {
    const Bucket& b = interval.buckets[next];
    advice.waste_before += b.count * interval.top.share - b.bytes;
    advice.waste_after += b.count * interval.top.share - b.bytes;
  }
  for (const Bucket& b : interval.buckets) {
    advice.records += b.count;
    advice.record_bytes += b.bytes;
  }
}

/// Sets the records aside that are larger than every class, which lie in chunks of their own; limit if the sums could
/// overflow.
Status take_placeable(std::span<const SizeCount> histogram, std::span<const Size> live, ClassAdvice& advice,
                      std::vector<SizeCount>& placeable) {
  uint64_t largest_share = 1;
  for (const Size& s : live) largest_share = std::max(largest_share, s.share);
  uint64_t records = 0;
  for (const SizeCount& h : histogram) {
    if (h.count > kMaxCost / largest_share || records + h.count > kMaxCost / largest_share)
      return Status::error(Code::limit,
                           "suggest: %llu records and more: a histogram of this pool may count %llu",
                           static_cast<unsigned long long>(std::max(h.count, records)),
                           static_cast<unsigned long long>(kMaxCost / largest_share));
    records += h.count;
    if (live.empty() || h.bytes > live.back().unit_bytes)
      advice.too_large += h.count;
    else
      placeable.push_back(h);
  }
  return Code::ok;
}

}  // namespace

uint64_t unit_share_bytes(const SizeClass& c) noexcept { return ceil_div(c.slab_bytes, c.units_per_slab); }

Result<ClassAdvice> suggest_classes(const SizeClasses& classes, const Geometry& geometry,
                                    std::span<const SizeCount> histogram, uint32_t max_classes) {
  if (max_classes > kMaxSuggestions)
    return Status::error(Code::invalid_argument,
                         "suggest: %u classes were asked for, at most %u are looked for", max_classes,
                         kMaxSuggestions);
  const std::vector<Size> live = live_sizes(classes, geometry);
  ClassAdvice advice;
  std::vector<SizeCount> placeable;
  NACRE_TRY(take_placeable(histogram, live, advice, placeable));
  const std::vector<Bucket> buckets = make_buckets(geometry, placeable);
  const std::vector<Interval> intervals = make_intervals(live, buckets);
  std::vector<IntervalPlan> plans;
  for (const Interval& interval : intervals) plans.push_back(solve(interval, max_classes));
  const std::vector<uint32_t> counts = share_out(plans, max_classes);
  for (size_t i = 0; i < intervals.size(); ++i) add_advice(intervals[i], plans[i].chosen[counts[i]], advice);
  return advice;
}

}  // namespace nacre::alloc
