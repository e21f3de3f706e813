// The crash explorer's medium, with a point of the scheduler before each flush and fence.
#pragma once

#include "tests/crash/crash_domain.h"
#include "tests/interleave/scheduler.h"

namespace nacre::interleave {

class SteppedDomain final : public pmem::Domain {
 public:
  explicit SteppedDomain(crash::CrashMedium& medium)
      : Domain(medium.working(), medium.size_bytes(), pmem::Medium::test, pmem::FlushKind::hooked, false,
               medium.max_bytes()),
        medium_(medium) {}

  Status grow(uint64_t new_bytes) noexcept override {
    new_bytes = align_up(new_bytes, kPageBytes);
    if (new_bytes <= size_bytes()) return Code::ok;
    if (new_bytes > reserved_bytes()) return Status::error(Code::out_of_space, "grow: the crash medium is full");
    Scheduler::reached(Step::store, &medium_);
    medium_.resize(new_bytes);
    publish_size(new_bytes);
    return Code::ok;
  }
  Status shrink(uint64_t new_bytes) noexcept override {
    new_bytes = align_up(new_bytes, kPageBytes);
    if (new_bytes >= size_bytes()) return Code::ok;
    Scheduler::reached(Step::store, &medium_);
    publish_size(new_bytes);
    medium_.resize(new_bytes);
    return Code::ok;
  }

 protected:
  void do_flush(uint64_t off, uint64_t bytes, const pmem::Site& site) noexcept override {
    Scheduler::reached(Step::flush, base() + off);
    medium_.flush(off, bytes, site);
  }
  void do_fence(const pmem::Site& site) noexcept override {
    Scheduler::reached(Step::fence, &medium_);
    medium_.fence(site);
  }
  pmem::Ticket do_order(const pmem::Site& site) noexcept override {
    do_fence(site);
    return {};
  }
  void do_dirty(uint64_t off, uint64_t bytes) noexcept override { medium_.dirty(off, bytes); }

 private:
  crash::CrashMedium& medium_;
};

}  // namespace nacre::interleave
