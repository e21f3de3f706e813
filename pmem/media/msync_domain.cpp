#include "pmem/media/msync_domain.h"

#include <algorithm>

#include "pmem/base/os.h"

namespace nacre::pmem {
namespace {

// One msync costs a journal commit of the file system, however short it is; looking through clean pages costs
// next to nothing. So ranges this close are written as one.
constexpr uint64_t kMergeGapBytes = 256 * 1024;

uint64_t gap_bytes(uint64_t a_begin, uint64_t a_end, uint64_t b_begin, uint64_t b_end) noexcept {
  if (b_begin > a_end) return b_begin - a_end;
  if (a_begin > b_end) return a_begin - b_end;
  return 0;
}

}  // namespace

MsyncDomain::MsyncDomain(AddressRange range, PoolFile file, uint64_t size_bytes, const MappingPlan& plan)
    : MappedDomain(std::move(range), std::move(file), size_bytes, plan),
      page_bytes_(os::page_bytes()),
      pending_(std::make_unique<Pending[]>(kMaxThreads)) {}

Status MsyncDomain::grow(uint64_t new_bytes) noexcept {
  const Status s = MappedDomain::grow(new_bytes);
  if (file().sync_error() != 0) fail(file().sync_error());
  return s;
}

Status MsyncDomain::shrink(uint64_t new_bytes) noexcept {
  const Status s = MappedDomain::shrink(new_bytes);
  if (file().sync_error() != 0) fail(file().sync_error());
  return s;
}

void MsyncDomain::do_flush(uint64_t off, uint64_t bytes, const Site&) noexcept {
  const uint64_t begin = align_down(off, page_bytes_);
  const uint64_t end = align_up(off + bytes, page_bytes_);
  Pending& pending = pending_[thread_index()];
  const sync::Guard guard(pending.mutex);
  PageRange* nearest = nullptr;
  uint64_t nearest_gap = UINT64_MAX;
  for (uint32_t i = 0; i < pending.count; ++i) {
    PageRange& r = pending.ranges[i];
    const uint64_t gap = gap_bytes(r.begin_off, r.end_off, begin, end);
    if (gap < nearest_gap) nearest = &r, nearest_gap = gap;
  }
  if (nearest == nullptr || (nearest_gap > kMergeGapBytes && pending.count < pending.ranges.size())) {
    pending.ranges[pending.count++] = {begin, end};
    return;
  }
  nearest->begin_off = std::min(nearest->begin_off, begin);
  nearest->end_off = std::max(nearest->end_off, end);
}

void MsyncDomain::do_fence(const Site&) noexcept {
  Pending& pending = pending_[thread_index()];
  const sync::Guard guard(pending.mutex);
  const uint32_t count = std::exchange(pending.count, 0);
  for (uint32_t i = 0; i < count; ++i) {
    // After one failure the kernel may take pages for clean that never reached the medium: no later success
    // means anything, so none is tried.
    if (failed_.load(std::memory_order_acquire)) return;
    const PageRange& r = pending.ranges[i];
    if (const int error = os::msync(base() + r.begin_off, r.end_off - r.begin_off); error != 0) fail(error);
  }
}

void MsyncDomain::fail(int error) noexcept {
  int none = 0;
  error_.compare_exchange_strong(none, error, std::memory_order_relaxed);
  failed_.store(true, std::memory_order_release);
}

Status MsyncDomain::do_health() const noexcept {
  return Status::system_error(Code::io_error, error_.load(std::memory_order_relaxed),
                              "msync of '%s' failed earlier, its pool is read-only until it is opened anew",
                              file().path().c_str());
}

}  // namespace nacre::pmem
