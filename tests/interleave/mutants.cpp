#include "tests/interleave/mutants.h"

#include <map>

#include "alloc/mutants.h"
#include "engine/mutants.h"

namespace nacre::interleave {
namespace {

struct Known {
  const char* killed_by = "";
  uint32_t preemptions = 1;
  uint64_t states = 24;
  const char* equivalent = "";
};

const std::map<std::string_view, Known>& known() {
  static const std::map<std::string_view, Known> all = {
      {"alloc.commit.unlock_first", {"one: overwrite, remove and get of one key"}},
      {"alloc.commit.durable_late", {"one: a unit changes lanes before its commit is sealed", 1, 200}},
      {"alloc.commit.locks_unordered", {"one: overwrites next door while a segment splits"}},
      {"alloc.commit.slab_unlocked", {"one: put and put of one key"}},
      {"alloc.epoch.pin_unchecked", {"one: freed units come back while a reader is late", 2}},
      {"alloc.lane.released_early", {"one: two threads and one lane"}},
      {"alloc.retire.lanes_free", {"one: a retire advance while commits are applied"}},
      {"alloc.pool.stop_lanes_free", {"one: get and put while the table is cleared"}},
      {"alloc.heap.claim_takes_some", {"one: an empty slab is taken apart under a put"}},
      {"alloc.grow.size_first", {"one: growth under puts"}},
      {"engine.hash.plan_unchecked", {"one: put and put of one key"}},
      {"engine.hash.split_unchecked", {"one: overwrites and removes while a segment splits"}},
      {"engine.line.torn_read", {"one: overwrite, remove and get of one key"}},
      {"engine.hash.pin_late", {"one: get while its segment splits and is reused"}},
      {"engine.hash.closed_once", {"one: get and put while the table is cleared"}},
      {"engine.hash.directory_late", {"one: the flat directory doubles under a put"}},
      {"engine.hash.resolve_overwrites",
       {"one: an entry of the flat directory is looked up while its segment splits", 2}},
      {"engine.hash.full_spins", {"one: a put meets a split of which the flat directory has not heard"}},
      {"engine.hash.key_unlocked", {"one: a slot of the home line becomes free while a put goes next door"}},
  };
  return all;
}

std::vector<pmem::Mutant*> mutants() {
  std::vector<pmem::Mutant*> all(alloc::site::kInterleavingMutants.begin(), alloc::site::kInterleavingMutants.end());
  all.insert(all.end(), engine::site::kInterleavingMutants.begin(), engine::site::kInterleavingMutants.end());
  return all;
}

}  // namespace

const std::vector<Point>& points() {
  static const std::vector<Point> all = [] {
    std::vector<Point> list;
    for (const pmem::Mutant* m : mutants()) {
      const auto it = known().find(m->name);
      const Known k = it == known().end() ? Known{} : it->second;
      list.push_back({m->name, m->harm, k.killed_by, k.equivalent, k.preemptions, k.states});
    }
    return list;
  }();
  return all;
}

bool break_point(std::string_view name) {
  for (pmem::Mutant* m : mutants())
    if (m->name == name) return m->on = true;
  return false;
}

}  // namespace nacre::interleave
