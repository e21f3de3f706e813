#include "bench/nacre_bench/space.h"

#include <charconv>
#include <map>
#include <optional>
#include <string_view>

namespace nacre::bench {

namespace {

struct ClassUse {
  uint64_t units = 0;
  uint64_t live_units = 0;
};

// "class.144.units" is {144, "units"}.
struct ClassFigure {
  uint64_t unit_bytes = 0;
  std::string_view member;
};

std::optional<ClassFigure> class_figure(std::string_view name) {
  constexpr std::string_view kPrefix = "class.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  ClassFigure figure;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), figure.unit_bytes);
  if (error != std::errc{} || end == name.data() + name.size() || *end != '.') return std::nullopt;
  figure.member = name.substr(static_cast<size_t>(end - name.data()) + 1);
  return figure;
}

// Classes that share a unit size (segments and records may) are one here.
std::map<uint64_t, ClassUse> classes_of(const Figures& figures) {
  std::map<uint64_t, ClassUse> classes;
  for (const auto& [name, value] : figures) {
    const auto figure = class_figure(name);
    if (!figure) continue;
    if (figure->member == "units") classes[figure->unit_bytes].units += value;
    if (figure->member == "live_units") classes[figure->unit_bytes].live_units += value;
  }
  return classes;
}

void add_classes(Space& space, const std::map<uint64_t, ClassUse>& classes) {
  uint64_t all_bytes = 0, free_bytes = 0, worst_free_bytes = 0;
  for (const auto& [unit_bytes, use] : classes) {
    const uint64_t free = (use.units - use.live_units) * unit_bytes;
    all_bytes += use.units * unit_bytes;
    free_bytes += free;
    if (free <= worst_free_bytes) continue;
    worst_free_bytes = free;
    space.worst_class_bytes = unit_bytes;
    space.worst_class_free_share =
        static_cast<double>(use.units - use.live_units) / static_cast<double>(use.units);
  }
  if (all_bytes != 0)
    space.free_unit_share = static_cast<double>(free_bytes) / static_cast<double>(all_bytes);
}

}  // namespace

Space space_of(Store& store) {
  const Figures figures = store.info_figures();
  Space space;
  for (const auto& [name, value] : figures) {
    if (name == "pool_bytes") space.pool_bytes = value;
    if (name == "chunk_bytes") space.chunk_bytes = value;
    if (name == "used_bytes") space.chunks_bytes = value;
    if (name == "metadata_bytes") space.used_bytes += value;
    if (name == "live_unit_bytes") space.live_unit_bytes = value;
  }
  space.used_bytes += space.chunks_bytes;
  add_classes(space, classes_of(figures));
  return space;
}

}  // namespace nacre::bench
