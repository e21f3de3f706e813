// Small shapes, and the one question every test ends with: is the pool sound?
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alloc/geometry.h"
#include "engine/db.h"
#include "engine/shape.h"

namespace nacre::test {

/// How small: segments of 8 lines (6 home of 7 slots, 1 stash), directory nodes of 4 entries, two lanes of 32
/// cells.
inline alloc::Geometry shrunk_geometry(uint32_t tag_skip = 2, uint32_t segment_lines = 8, uint32_t dir_bits = 2) {
  alloc::Geometry g;
  g.chunk_bytes = 4096;
  g.lane_count = 2;
  g.lane_cells = 32;
  const engine::Shape shape{segment_lines, 1, dir_bits, tag_skip};
  g.client = shape.encode();
  return g;
}

/// A figure by name; `missing` if there is none.
inline uint64_t figure(const Result<std::vector<engine::Figure>>& figures, std::string_view name,
                       uint64_t missing = ~uint64_t{0}) {
  if (figures.has_value())
    for (const engine::Figure& f : *figures)
      if (f.name == name) return f.value;
  return missing;
}

/// Empty if check() finds the pool sound: no problem, no leak, all bytes accounted for, `keys` keys (-1:
/// any).
inline std::string unsound(engine::Db& db, int64_t keys = -1) {
  const auto figures = db.check();
  if (!figures.has_value()) return std::string("check failed: ") + last_message();
  for (const engine::Figure& f : *figures)
    if (f.name == "problem") return f.text;
  if (figure(figures, "problems") != 0) return "problems without text";
  if (figure(figures, "leaked_bytes") != 0) return "leaked bytes";
  uint64_t sum = 0;
  for (const char* part : {"superblock_bytes", "lane_bytes", "zone_metadata_bytes", "live_bytes", "free_unit_bytes",
                           "slab_tail_bytes", "free_chunk_bytes", "slack_bytes"})
    sum += figure(figures, part);
  if (sum != figure(figures, "pool_bytes")) return "the bytes do not add up";
  if (keys >= 0 && figure(figures, "keys") != static_cast<uint64_t>(keys))
    return std::to_string(figure(figures, "keys")) + " keys instead of " + std::to_string(keys);
  return {};
}

/// The value, or the name of the code in angle brackets.
inline std::string value_of(engine::Table& table, std::string_view key) {
  std::string value;
  const Status s = table.get(key, [&](std::string_view v) { value.assign(v); });
  return s.ok() ? value : std::string("<") + s.name() + ">";
}

inline uint64_t count_of(engine::Table& table) { return table.count().value_or(~uint64_t{0}); }

}  // namespace nacre::test
