// A domain that passes everything on to a real one and counts: each flush, fence and order, each line of an apply, and
// (with the hook of pmem/base/os.h) each system call. The process kills itself where it was told to.
#pragma once

#include <cstdint>
#include <memory>

#include "pmem/domain.h"

namespace nacre::kill_test {

/// Arms this process: SIGKILL to itself at event `at`, counted from 0; UINT64_MAX: never. Installs the system call
/// hook.
void arm_events(uint64_t at) noexcept;
/// Events so far.
uint64_t events_seen() noexcept;
/// One more event; may not return.
void count_event() noexcept;

class EventDomain final : public pmem::Domain {
 public:
  explicit EventDomain(std::unique_ptr<pmem::Domain> inner)
      : Domain(inner->base(), inner->size_bytes(), inner->medium(), pmem::FlushKind::hooked, inner->forced(),
               inner->reserved_bytes()),
        inner_(std::move(inner)) {}

  void keep_created() noexcept override { inner_->keep_created(); }
  Status fill_holes() noexcept override { return inner_->fill_holes(); }
  Status grow(uint64_t new_bytes) noexcept override { return resized(inner_->grow(new_bytes)); }
  Status shrink(uint64_t new_bytes) noexcept override { return resized(inner_->shrink(new_bytes)); }
  bool prefault(uint64_t off, uint64_t bytes) noexcept override { return inner_->prefault(off, bytes); }

 private:
  void do_flush(uint64_t off, uint64_t bytes, const pmem::Site& site) noexcept override {
    count_event();
    inner_->flush(off, bytes, site);
  }
  void do_fence(const pmem::Site& site) noexcept override {
    count_event();
    inner_->fence(site);
    notice_failure();
  }
  pmem::Ticket do_order(const pmem::Site& site) noexcept override {
    count_event();
    const pmem::Ticket ticket = inner_->order(site);
    notice_failure();
    return ticket;
  }
  void do_wait(pmem::Ticket ticket, const pmem::Site& site) noexcept override { inner_->wait(ticket, site); }
  void do_dirty(uint64_t off, uint64_t bytes) noexcept override {
    count_event();
    inner_->dirty(off, bytes);
  }
  Status do_health() const noexcept override { return inner_->health(); }

  Status resized(Status s) noexcept {
    publish_size(inner_->size_bytes());
    notice_failure();
    return s;
  }
  void notice_failure() noexcept {
    if (!inner_->health().ok()) failed_.store(true, std::memory_order_release);
  }

  std::unique_ptr<pmem::Domain> inner_;
};

}  // namespace nacre::kill_test
