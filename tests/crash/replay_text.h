// A failure in one line: what to run, where to crash, which words survive. Writing, reading, shrinking.
//
//   --client=toy --config=bug=none --ops='set:0:1;set:0:2' --point=9 --pick=d+0x40:1
//   --nested=3:kill/1:l+0x80:0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/crash/client.h"
#include "tests/crash/selection.h"

namespace nacre::crash {

/// One crash: at which crash point of its run, and what survives it.
struct CrashStep {
  uint32_t point = 0;
  std::string pick;  ///< "kill", or "d" (all durable) or "l" (all latest), then +<byte offset>:<candidate>...
};

/// The shorter of the two ways to write `selection`.
std::string pick_text(const Unsettled& unsettled, const Selection& selection);
/// False if the text names a word or candidate that is not there.
bool parse_pick(const Unsettled& unsettled, std::string_view text, Selection* selection);

std::string replay_line(const Workload& workload, const std::vector<CrashStep>& steps);
/// "3:kill/1:l+0x80:0"; false if it makes no sense.
bool parse_steps(std::string_view text, std::vector<CrashStep>* steps);

/// Drops exceptions from the picks, large groups first, as long as `fails` still says true.
std::vector<CrashStep> shrink_steps(std::vector<CrashStep> steps,
                                    const std::function<bool(const std::vector<CrashStep>&)>& fails);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, char separator);

}  // namespace nacre::crash
