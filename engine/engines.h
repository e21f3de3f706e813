// The table of engines: one row each. A new engine is a folder beside engine/dram and a row here.
#pragma once

#include <array>
#include <string_view>

#include "engine/table.h"

namespace nacre::engine {

struct EngineRow {
  EngineKind kind;
  const char* name;
  bool durable;  ///< lives in the pool and in its catalogue
  bool ordered;  ///< scans in key order
};

inline constexpr std::array kEngines{
    EngineRow{EngineKind::hash, "hash", true, false},
    EngineRow{EngineKind::dram, "dram", false, false},
};

}  // namespace nacre::engine
