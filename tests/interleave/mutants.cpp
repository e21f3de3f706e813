#include "tests/interleave/mutants.h"

#include <map>

#include "alloc/mutants.h"
#include "engine/mutants.h"

namespace nacre::interleave {
namespace {

struct Known {
  const char* killed_by;
  const char* equivalent;
};

const std::map<std::string_view, Known>& known() {
  static const std::map<std::string_view, Known> all = {};
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
      const Known k = it == known().end() ? Known{"", ""} : it->second;
      list.push_back({m->name, m->harm, k.killed_by, k.equivalent});
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
