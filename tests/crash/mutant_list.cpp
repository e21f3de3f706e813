// Which mutants there are: every point, and every site with the operators that mean something there.
#include <algorithm>
#include <array>

#include "alloc/historic_mutants.h"
#include "alloc/mutants.h"
#include "alloc/sites.h"
#include "engine/historic_mutants.h"
#include "engine/mutants.h"
#include "engine/sites.h"
#include "tests/crash/mutation.h"

namespace nacre::crash {
namespace {

/// An operator that would be another one, or no change at all, at these sites.
struct Meaningless {
  std::string_view operation;
  std::string_view why;
  std::vector<std::string_view> sites;
};

const std::vector<Meaningless>& meaningless() {
  static const std::vector<Meaningless> all = {
      {"short",
       "one line is flushed: to miss the last one is to do nothing",
       {"alloc.format.magic_flush", "alloc.lane.home_flush", "alloc.epoch.seal_flush", "alloc.retire.home_flush",
        "alloc.retire.flush", "alloc.recover.home_flush", "alloc.recover.retire_flush", "alloc.heal.flush",
        "alloc.shrink.roots_flush"}},
      {"early",
       "what is flushed was stored long before, by other calls or by a process that is gone",
       {"alloc.lane.home_flush", "alloc.retire.home_flush", "alloc.shrink.roots_flush", "alloc.open.superblock_flush",
        "alloc.recover.log_flush", "alloc.recover.fresh_flush"}},
      {"late", "nothing is stored behind it in the same call", {"alloc.format.magic_fence"}},
      {"off", "a ticket is 0 on every medium there is, and then this is no call", {"alloc.commit.wait"}},
      {"late", "as off", {"alloc.commit.wait"}},
  };
  return all;
}

bool has_meaning(const MutantId& id) {
  return std::none_of(meaningless().begin(), meaningless().end(), [&](const Meaningless& m) {
    return m.operation == id.operation && std::find(m.sites.begin(), m.sites.end(), id.name) != m.sites.end();
  });
}

struct PointRef {
  std::string_view name;
  [[maybe_unused]] pmem::Mutant* point;
};

const std::vector<PointRef>& points() {
  static const std::vector<PointRef> all = [] {
    std::vector<PointRef> list;
#if defined(NACRE_MUTANTS) && NACRE_MUTANTS
    for (pmem::Mutant* m : alloc::site::kMutants) list.push_back({m->name, m});
    for (pmem::Mutant* m : engine::site::kMutants) list.push_back({m->name, m});
    for (pmem::Mutant* m : alloc::site::kHistoricMutants) list.push_back({m->name, m});
    for (pmem::Mutant* m : engine::site::kHistoricMutants) list.push_back({m->name, m});
#endif
    return list;
  }();
  return all;
}

void add_site(const std::string& name, bool is_flush, std::vector<MutantId>* all) {
  for (const char* operation : {"off", "late", "short", "early"}) {
    const MutantId id{name, operation};
    if (has_meaning(id)) all->push_back(id);
    if (!is_flush && id.operation == "late") break;
  }
}

}  // namespace

std::vector<MutantId> product_mutants() {
  std::vector<MutantId> all;
  const auto add = [&](const pmem::Site* site) {
    add_site(site->name, std::string_view(site->name).ends_with("flush"), &all);
  };
  for (const pmem::Site* site : alloc::site::kAll) add(site);
  for (const pmem::Site* site : engine::site::kAll) add(site);
  for (const PointRef& point : points()) all.push_back({std::string(point.name), "broken"});
  return all;
}

std::vector<MutantId> site_mutants(const std::vector<std::string>& sites) {
  std::vector<MutantId> all;
  for (const std::string& name : sites) add_site(name, name.ends_with("flush"), &all);
  return all;
}

PointHits point_hits() {
  PointHits hits;
#if defined(NACRE_MUTANTS) && NACRE_MUTANTS
  for (const PointRef& point : points()) hits.emplace_back(point.name, point.point->hits);
#endif
  return hits;
}

bool break_point([[maybe_unused]] std::string_view name) {
#if defined(NACRE_MUTANTS) && NACRE_MUTANTS
  for (const PointRef& point : points())
    if (point.name == name) return point.point->on = true;
#endif
  return false;
}

bool apply_mutant(const MutantId& id, SiteTable* sites) {
  if (id.operation == "broken") return break_point(id.name);
  for (SiteFault fault : {SiteFault::off, SiteFault::short_line, SiteFault::early, SiteFault::late})
    if (id.operation == site_fault_name(fault)) return sites->set_fault(id.name, fault), true;
  return id.name.empty();  // nothing is broken
}

}  // namespace nacre::crash
