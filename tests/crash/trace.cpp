#include "tests/crash/trace.h"

#include <cinttypes>
#include <cstdio>

#include "pmem/base/units.h"

namespace nacre::crash {

std::string trace_points(const Recording& recorded, uint32_t last_point, uint32_t depth) {
  const std::string indent(2 * depth, ' ');
  std::string text;
  uint32_t phase = ~0u;
  for (size_t i = 0; i < recorded.count(); ++i) {
    const CrashPoint& point = recorded[i];
    if (point.number > last_point) break;
    if (point.phase != phase) text += indent + recorded.phase(point.phase).label + "\n";
    phase = point.phase;
    char line[160];
    std::snprintf(line, sizeof line, "  %4" PRIu32 "  %-40s %zu words unsettled\n", point.number, point.reason,
                  point.unsettled.words.size());
    text += indent + line;
  }
  return text;
}

std::string trace_choice(uint32_t depth, const CrashPoint& point, const Selection* selection) {
  const std::string indent(2 * depth + 2, ' ');
  if (selection == nullptr) return indent + "the process dies here; its stores stay visible\n";
  std::string text = indent + "power loss here; survived or lost:\n";
  for (size_t i = 0; i < selection->size(); ++i) {
    const auto& word = point.unsettled.words[i];
    const uint16_t choice = (*selection)[i];
    char line[200];
    std::snprintf(line, sizeof line,
                  "  0x%-8" PRIx64 " %s %016" PRIx64 " (durable %016" PRIx64 ", latest %016" PRIx64 ", %u versions)\n",
                  word.word_idx * kWordBytes, choice == 0 ? "lost, is" : "has     ",
                  point.unsettled.candidate(word, choice).value, point.unsettled.candidate(word, 0).value,
                  point.unsettled.candidate(word, word.latest).value, word.count);
    text += indent + line;
  }
  return text;
}

}  // namespace nacre::crash
