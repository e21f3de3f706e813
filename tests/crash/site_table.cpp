#include "tests/crash/site_table.h"

#include "tests/crash/zobrist.h"

namespace nacre::crash {

const char* site_fault_name(SiteFault fault) noexcept {
  switch (fault) {
    case SiteFault::none:
      return "none";
    case SiteFault::off:
      return "off";
    case SiteFault::short_line:
      return "short";
    case SiteFault::early:
      return "early";
    case SiteFault::late:
      return "late";
  }
  return "unknown";
}

SiteInfo& SiteTable::named(std::string_view name) {
  for (SiteInfo& info : sites_)
    if (info.name == name) return info;
  sites_.push_back({.name = std::string(name)});
  return sites_.back();
}

SiteInfo& SiteTable::of(const pmem::Site& site, bool is_flush) {
  Cached& cached = cache_[mix64(reinterpret_cast<uintptr_t>(site.name)) % kCacheSlots];
  if (cached.name != site.name) [[unlikely]]
    cached = {site.name, &named(site.name)};
  cached.info->is_flush = is_flush;
  ++cached.info->hit_count;
  return *cached.info;
}

void SiteTable::set_fault(std::string_view name, SiteFault fault) { named(name).fault = fault; }

void SiteTable::clear_hits() noexcept {
  for (SiteInfo& info : sites_) info.hit_count = 0;
}

}  // namespace nacre::crash
