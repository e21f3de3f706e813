// The trace of a replay: the crash points up to the crash, and what survived it.
#pragma once

#include <string>

#include "tests/crash/recording.h"
#include "tests/crash/selection.h"

namespace nacre::crash {

/// The crash points of a run, up to the one that is crashed at.
std::string trace_points(const Recording& recorded, uint32_t last_point, uint32_t depth);
/// What a crash left. `selection` null: the process died alone.
std::string trace_choice(uint32_t depth, const CrashPoint& point, const Selection* selection);

}  // namespace nacre::crash
