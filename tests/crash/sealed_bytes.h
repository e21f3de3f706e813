// What recovery may use a word for. Bytes that it looks at through a checksum only are known by the site of their
// flush: the cells of a log record, and the fresh ranges of a commit. Home lines are those that commits apply to.
// docs/CRASH.md, "Classes of states", says what follows from that.
#pragma once

#include <cstdint>
#include <string_view>

namespace nacre::crash {

enum class Sealing : uint8_t {
  none,   ///< anybody may read them
  cells,  ///< a log record: read by whoever looks for a record, cell by cell
  fresh,  ///< unreachable until a log record says so, which holds their checksum or was fenced after them
  home,   ///< of a guarded line, stored by applying durable commits and by nothing else since it was settled
};

/// Of the bytes that are flushed at this site, and of no others in the same lines. (Applied lines are flushed late;
/// they are known by Domain::dirty.)
constexpr Sealing sealing_of(std::string_view site) noexcept {
  constexpr std::string_view kFresh[] = {
      "engine.record.flush",         "engine.hash.segment_flush",   "engine.hash.directory_flush",
      "engine.catalogue.node_flush", "engine.catalogue.name_flush", "alloc.slab.bitmap_flush",
      "pool_client.record_flush",    "pool_client.node_flush",
  };
  if (site == "alloc.commit.log_flush") return Sealing::cells;
  if (site == "alloc.recover.home_flush") return Sealing::home;
  for (const std::string_view name : kFresh)
    if (site == name) return Sealing::fresh;
  return Sealing::none;
}

}  // namespace nacre::crash
