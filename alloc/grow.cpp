#include "alloc/grow.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <new>

#include "alloc/commit.h"
#include "alloc/mutants.h"
#include "alloc/pool.h"
#include "alloc/sites.h"
#include "alloc/zone.h"

namespace nacre::alloc {
namespace {

using ull = unsigned long long;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kStepShare = 8;               // a growth adds an eighth: few growths, and little too much
constexpr uint64_t kMinStepBytes = 4 * kMiB;     // a growth costs some hundred microseconds whatever it adds
constexpr uint64_t kMaxStepBytes = 64 * kMiB;    // some ten milliseconds, for which an operation may have to wait

}  // namespace

uint64_t default_step_bytes(uint64_t pool_bytes) noexcept {
  const uint64_t least = std::min(kMinStepBytes, pool_bytes);  // a tiny pool doubles
  return std::clamp(pool_bytes / kStepShare, least, kMaxStepBytes);
}

Status plan_growth(const Layout& layout, uint64_t chunks, uint64_t step_bytes, uint64_t max_bytes, GrowStep& out) {
  const uint64_t max_frames = std::min(max_bytes >> layout.chunk_shift, layout.max_frames);
  const uint64_t want = std::max<uint64_t>({chunks, step_bytes >> layout.chunk_shift, 1});
  const uint64_t last = layout.zone_count() - 1;
  Zone zone = layout.zone(last);
  uint64_t first = layout.chunks_in(last);  // the first chunk of the zone that is new
  out.zone_capacity = 0;
  if (zone.capacity - first < chunks) {
    // As large as the pool so far: then a pool of any size has a few dozen zones. Smaller where the bound is near.
    const uint64_t generous = std::max(want, layout.pool_bytes() >> layout.chunk_shift);
    out.zone_capacity = std::min(generous, layout.largest_capacity(max_frames << layout.chunk_shift));
    zone = layout.next_zone(out.zone_capacity);
    first = 0;
  }
  const uint64_t whole_frames = std::max<uint64_t>(kHugePageBytes >> layout.chunk_shift, 1);
  const uint64_t wanted_end = zone.chunk_frame + first + want;
  const uint64_t end = std::min({step_bytes < kHugePageBytes ? wanted_end : align_up(wanted_end, whole_frames),
                                 zone.end_frame(), max_frames});
  if (layout.zone_count() + (out.zone_capacity != 0) > kMaxZones || end < zone.chunk_frame + first + chunks)
    return Status::error(Code::out_of_space, "it may have at most %llu bytes", static_cast<ull>(max_bytes));
  out.new_bytes = end << layout.chunk_shift;
  return Code::ok;
}

Growth::Growth(Pool& pool, const GrowOptions& options)
    : pool_(pool),
      options_(options),
      max_bytes_(std::min({options.max_bytes == 0 ? kMaxPoolBytes : options.max_bytes,
                           pool.stored_max_bytes() == 0 ? kMaxPoolBytes : pool.stored_max_bytes(), kMaxPoolBytes,
                           pool.domain().reserved_bytes()})) {}

Growth::~Growth() { stop_helper(); }

Status Growth::need(uint64_t chunks, uint64_t seen_bytes) noexcept {
  waits_.fetch_add(1, std::memory_order_relaxed);
  const sync::Guard guard(mutex_);
  if (pool_.layout().pool_bytes() > seen_bytes) return Code::ok;  // somebody else was faster
  return try_grow_locked(chunks);
}

Status Growth::try_grow_locked(uint64_t chunks) noexcept {
  Status s;
  try {
    s = grow_locked(chunks);
  } catch (const std::bad_alloc&) {
    s = Status::error(Code::out_of_memory, "no memory to prepare it");
  }
  refused_.store(!s.ok(), std::memory_order_relaxed);
  return s.ok() ? s : refuse(s);
}

// Whatever stopped the growth, for whoever wanted a chunk the pool is full. A pool that refuses writes is another case.
Status Growth::refuse(Status reason) noexcept {
  if (Status writable = pool_.writable(); !writable.ok()) return writable;
  const char* why = *reason.message() != '\0' ? reason.message() : reason.name();
  {
    const sync::Guard guard(refusal_mutex_);
    std::snprintf(refusal_text_, sizeof refusal_text_, "%s", why);
  }
  const bool memory = reason.code() == Code::out_of_memory;
  return Status::error(memory ? Code::out_of_memory : Code::out_of_space,
                       "pool of %llu bytes is full and cannot grow: %s",
                       static_cast<ull>(pool_.layout().pool_bytes()), refusal_text_);
}

Status Growth::refusal(uint64_t wanted_bytes) noexcept {
  const sync::Guard guard(refusal_mutex_);
  const uint64_t pool_bytes = pool_.layout().pool_bytes();
  if (wanted_bytes == 0)
    return Status::error(Code::out_of_space, "pool of %llu bytes is full and cannot grow: %s",
                         static_cast<ull>(pool_bytes), refusal_text_);
  return Status::error(Code::out_of_space, "pool of %llu bytes has no room for %llu bytes in a row and cannot grow: %s",
                       static_cast<ull>(pool_bytes), static_cast<ull>(wanted_bytes), refusal_text_);
}

uint64_t Growth::largest_run() const noexcept {
  if (!options_.allowed) return 0;
  const Layout& layout = pool_.layout();
  const Zone last = layout.zone(layout.zone_count() - 1);  // after a shrink it has room for more than it holds
  const uint64_t frames = max_bytes_ >> layout.chunk_shift;
  const uint64_t in_last = std::min<uint64_t>(last.capacity, frames - std::min<uint64_t>(frames, last.chunk_frame));
  return std::max(in_last, layout.largest_capacity(max_bytes_));
}

Status Growth::grow_locked(uint64_t chunks) {
  NACRE_TRY(pool_.writable());
  if (!options_.allowed) return Status::error(Code::out_of_space, "growth is switched off");
  const Layout& layout = pool_.layout();
  const uint64_t old_bytes = layout.pool_bytes();
  const uint64_t step_bytes = options_.step_bytes != 0 ? options_.step_bytes : default_step_bytes(old_bytes);
  GrowStep step;
  NACRE_TRY(plan_growth(layout, chunks, step_bytes, max_bytes_, step));
  if (!broken(site::kGrowFileLast)) NACRE_TRY(pool_.domain().grow(step.new_bytes));  // 1
  const uint64_t seq = fresh_seq();
  if (!broken(site::kGrowTableLate)) prepare(step, seq);  // 2, 3
  Status s;
  try {
    s = publish(step, seq);  // 4, 5
    if (broken(site::kGrowTableLate)) prepare(step, seq);
  } catch (const std::bad_alloc&) {
    s = Status::error(Code::out_of_memory, "no memory for the commit");
  }
  if (s.ok()) {
    growths_.fetch_add(1, std::memory_order_relaxed);
  } else if (pool_.writable().ok()) {  // else whether it happened is known at the next open
    const Status kept = s;
    (void)pool_.domain().shrink(old_bytes);
    return kept;
  }
  return s;
}

// The lines of the chunk tables that only the new chunks need. Nobody can reach them before the commit.
void Growth::prepare(const GrowStep& step, uint64_t seq) noexcept {
  const Layout& layout = pool_.layout();
  const uint64_t last = layout.zone_count() - 1;
  const uint64_t end = step.new_bytes >> layout.chunk_shift;
  const auto write = [&](const Zone& zone, uint64_t first) {
    const uint64_t count = std::min(zone.capacity, end - zone.chunk_frame);
    write_chunk_table(pool_.domain(), pool_.salt(), layout, zone, first, count, seq, site::kGrowTableFlush);
  };
  if (!broken(site::kGrowTableZoneOnly)) write(layout.zone(last), layout.chunks_in(last));
  if (step.zone_capacity != 0) write(layout.next_zone(step.zone_capacity), 0);
  pool_.domain().fence(site::kGrowTableFence);
}

// Not above the seq of the commit that publishes the lines, which is raised above it: so the rule holds that a commit
// in flight is at most one above the highest seq that the lanes show.
uint64_t Growth::fresh_seq() const noexcept {
  uint64_t highest = kFirstSeq;
  for (const auto& lane : pool_.lanes())
    if (!broken(site::kGrowSeqLow)) highest = std::max(highest, lane->durable_seq.load(std::memory_order_acquire));
  return highest;
}

Status Growth::publish(const GrowStep& step, uint64_t seq) {
  Layout& layout = pool_.growing_layout();
  const ZoneWordRef zone = zone_word_ref(layout.zone_count());
  const std::array lines{kRootsLines[0], kRootsLines[1], zone.line_off};
  const size_t count = step.zone_capacity != 0 ? 3 : 2;
  Commit commit(pool_);
  NACRE_TRY(commit.begin());
  NACRE_TRY(commit.lock(std::span(lines).first(count), count, count));
  if (!broken(site::kGrowSeqNotRaised)) commit.raise_seq(seq);
  for (uint64_t line : kRootsLines)
    if (line == kRootsLines[0] || !broken(site::kGrowOneCopy)) commit.set_word(line, kPoolBytesWord, step.new_bytes);
  if (step.zone_capacity != 0 && !broken(site::kGrowNoZone))
    commit.set_word(zone.line_off, zone.word, step.zone_capacity);
  const auto show = [&] {
    if (step.zone_capacity != 0) (void)layout.append_zone(step.zone_capacity);  // planned to fit
    layout.set_pool_bytes(step.new_bytes);
    if (!broken(site::kGrowHeapUntold)) pool_.heap().extend();
  };
  if (broken(site::kGrowSizeFirst)) show();
  return commit.publish([&] {
    if (!broken(site::kGrowSizeFirst)) show();
  });
}

Growth::Stats Growth::stats() const noexcept {
  return {.growths = growths_.load(std::memory_order_relaxed),
          .helped = helped_.load(std::memory_order_relaxed),
          .waits = waits_.load(std::memory_order_relaxed),
          .shrinks = shrinks_.load(std::memory_order_relaxed),
          .prefaulted_bytes = prefaulted_bytes_.load(std::memory_order_relaxed)};
}

}  // namespace nacre::alloc
