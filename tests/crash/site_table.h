// Every flush and fence site that a run passed, with hit counts, and the fault put on one of them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "pmem/site.h"

namespace nacre::crash {

/// What a site does instead of its work. A fault is how the mutation run breaks the product.
enum class SiteFault : uint8_t {
  none,
  off,         ///< the flush or fence does nothing
  short_line,  ///< the flush misses its last line
  early,       ///< the flush happens before the stores it was meant for
  late,        ///< a flush happens after the fence that was meant for it; a fence after the stores that follow it
};

const char* site_fault_name(SiteFault fault) noexcept;

struct SiteInfo {
  std::string name;
  bool is_flush = false;
  SiteFault fault = SiteFault::none;
  uint64_t hit_count = 0;
  uint64_t effect_count = 0;  ///< how often the fault made a difference: something was not captured or drained
};

/// Not thread-safe: a medium calls it under its own lock.
class SiteTable {
 public:
  /// The entry of `site`, made at its first use.
  SiteInfo& of(const pmem::Site& site, bool is_flush);
  /// The same by name, for names that may go away.
  SiteInfo& named(std::string_view name);
  /// Puts `fault` on every site of this name, seen or yet to come.
  void set_fault(std::string_view name, SiteFault fault);
  const std::deque<SiteInfo>& sites() const noexcept { return sites_; }
  void clear_hits() noexcept;

 private:
  struct Cached {
    const char* name = nullptr;  // the address of the literal: comparing texts at every flush is too slow
    SiteInfo* info = nullptr;
  };
  static constexpr size_t kCacheSlots = 1024;

  std::deque<SiteInfo> sites_;  // a deque, so that entries never move
  std::array<Cached, kCacheSlots> cache_{};
};

}  // namespace nacre::crash
