#include "pmem/domain.h"

#include <algorithm>
#include <cstring>

#include "pmem/arch/copy.h"

namespace nacre::pmem {
namespace {

constexpr uint64_t kStreamFromBytes = 256;  // shorter copies are cheaper through the cache

}  // namespace

const char* medium_name(Medium medium) noexcept {
  switch (medium) {
    case Medium::dax:
      return "dax";
    case Medium::memory:
      return "memory";
    case Medium::msync:
      return "msync";
    case Medium::test:
      return "test";
  }
  return "unknown";
}

Domain::Domain(std::byte* base, uint64_t size_bytes, Medium medium, FlushKind kind, bool forced,
               uint64_t reserved_bytes)
    : base_(base),
      size_bytes_(size_bytes),
      reserved_bytes_(std::max(size_bytes, reserved_bytes)),
      medium_(medium),
      flush_kind_(kind),
      forced_(forced),
      counters_(std::make_unique<ThreadCounters[]>(kMaxThreads)) {}

void Domain::copy_nt(uint64_t off, const void* source, uint64_t bytes, const Site& site) noexcept {
  if (bytes == 0) return;
  const bool by_instruction = flush_kind_ != FlushKind::hooked && flush_kind_ != FlushKind::none;
  if (!by_instruction || bytes < kStreamFromBytes) {
    std::memcpy(base_ + off, source, bytes);
    return flush(off, bytes, site);
  }
  const auto* from = static_cast<const std::byte*>(source);
  const uint64_t head_bytes = align_up(off, kLineBytes) - off;
  const uint64_t lines_bytes = align_down(bytes - head_bytes, kLineBytes);
  const uint64_t tail_off = off + head_bytes + lines_bytes;
  const uint64_t tail_bytes = bytes - head_bytes - lines_bytes;
  if (!stream_lines(base_ + off + head_bytes, from + head_bytes, lines_bytes)) {
    std::memcpy(base_ + off, source, bytes);
    return flush(off, bytes, site);
  }
  count_flush(off, bytes);
  std::memcpy(base_ + off, from, head_bytes);
  flush_lines(flush_kind_, base_ + off, head_bytes);
  std::memcpy(base_ + tail_off, from + head_bytes + lines_bytes, tail_bytes);
  flush_lines(flush_kind_, base_ + tail_off, tail_bytes);
}

Counters Domain::thread_counters() const noexcept {
  const ThreadCounters& c = counters_[thread_index()];
  return {.fences = c.fences.load(std::memory_order_relaxed),
          .lines = c.lines.load(std::memory_order_relaxed),
          .bytes = c.bytes.load(std::memory_order_relaxed)};
}

Counters Domain::total_counters() const noexcept {
  Counters total;
  for (uint32_t i = 0; i < kMaxThreads; ++i) {
    total.fences += counters_[i].fences.load(std::memory_order_relaxed);
    total.lines += counters_[i].lines.load(std::memory_order_relaxed);
    total.bytes += counters_[i].bytes.load(std::memory_order_relaxed);
  }
  return total;
}

// A domain that is not hooked never gets here; a hooked one overrides what it needs.
void Domain::do_flush(uint64_t, uint64_t, const Site&) noexcept {}
void Domain::do_fence(const Site&) noexcept {}
Ticket Domain::do_order(const Site& site) noexcept { return do_fence(site), Ticket{}; }
void Domain::do_wait(Ticket, const Site&) noexcept {}
void Domain::do_dirty(uint64_t, uint64_t) noexcept {}
Status Domain::grow(uint64_t) noexcept {
  return Status::error(Code::not_supported, "grow: the medium %s cannot grow", medium_name(medium_));
}
Status Domain::shrink(uint64_t) noexcept {
  return Status::error(Code::not_supported, "shrink: the medium %s cannot shrink", medium_name(medium_));
}
bool Domain::prefault(uint64_t, uint64_t) noexcept { return false; }
Status Domain::do_health() const noexcept {
  return Status::error(Code::io_error, "the medium failed earlier");
}

}  // namespace nacre::pmem
