// An ordinary file mapped shared: flush() remembers pages, a fence writes them with msync(MS_SYNC).
//
// Lock order: one Pending::mutex, nothing below it.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "pmem/base/sync.h"
#include "pmem/media/mapped_domain.h"

namespace nacre::pmem {

class MsyncDomain final : public MappedDomain {
 public:
  /// plan.flush_kind is hooked.
  MsyncDomain(AddressRange range, PoolFile file, uint64_t size_bytes, const MappingPlan& plan);

  /// As MappedDomain. A failed fsync of the file may have been about pages of a commit: it is as final as a failed
  /// msync.
  Status grow(uint64_t new_bytes) noexcept override;
  Status shrink(uint64_t new_bytes) noexcept override;

 private:
  struct PageRange {
    uint64_t begin_off, end_off;
  };
  // What one thread flushed since its last fence. The mutex is there for the last index, which threads may
  // share: it is held through the msync, so that a fence never returns while another one writes its pages.
  struct alignas(64) Pending {
    sync::Mutex mutex;
    uint32_t count = 0;
    std::array<PageRange, 8> ranges;
  };

  void do_flush(uint64_t off, uint64_t bytes, const Site& site) noexcept override;
  void do_fence(const Site& site) noexcept override;
  Status do_health() const noexcept override;
  void fail(int error) noexcept;

  const uint64_t page_bytes_;
  std::unique_ptr<Pending[]> pending_;  // by thread_index()
  std::atomic<int> error_{0};           // of the first msync that failed
};

}  // namespace nacre::pmem
