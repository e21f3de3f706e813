#include "tests/crash/replay_text.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "pmem/base/units.h"

namespace nacre::crash {
namespace {

std::string pick_from(const Unsettled& unsettled, const Selection& selection, bool latest) {
  std::string text = latest ? "l" : "d";
  for (size_t i = 0; i < selection.size(); ++i) {
    const auto& word = unsettled.words[i];
    if (selection[i] == (latest ? word.latest : 0)) continue;
    char part[48];
    std::snprintf(part, sizeof part, "+0x%" PRIx64 ":%u", word.word_idx * kWordBytes, selection[i]);
    text += part;
  }
  return text;
}

template <class Number>
bool parse_number(std::string_view text, int base, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts, char separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : std::string(1, separator)) + part;
  return text;
}

std::string pick_text(const Unsettled& unsettled, const Selection& selection) {
  std::string from_durable = pick_from(unsettled, selection, false);
  std::string from_latest = pick_from(unsettled, selection, true);
  return from_durable.size() <= from_latest.size() ? from_durable : from_latest;
}

bool parse_pick(const Unsettled& unsettled, std::string_view text, Selection* selection) {
  const std::vector<std::string> parts = split(text, '+');
  if (parts.empty() || (parts[0] != "d" && parts[0] != "l")) return false;
  selection->clear();
  for (const auto& word : unsettled.words) selection->push_back(parts[0] == "l" ? word.latest : 0);
  for (size_t p = 1; p < parts.size(); ++p) {
    const std::vector<std::string> pair = split(parts[p], ':');
    uint64_t off = 0;
    uint16_t choice = 0;
    if (pair.size() != 2 || !pair[0].starts_with("0x") || !parse_number(pair[0].substr(2), 16, &off) ||
        !parse_number(pair[1], 10, &choice))
      return false;
    const auto word = std::find_if(unsettled.words.begin(), unsettled.words.end(),
                                   [&](const auto& w) { return w.word_idx * kWordBytes == off; });
    if (word == unsettled.words.end() || choice >= word->count) return false;
    (*selection)[static_cast<size_t>(word - unsettled.words.begin())] = choice;
  }
  return true;
}

std::string replay_line(const Workload& workload, const std::vector<CrashStep>& steps) {
  std::string line = "--client=" + workload.client;
  if (!workload.config.empty()) line += " --config=" + workload.config;
  line += " --ops='" + join(workload.ops, ';') + "'";
  if (workload.explore_format) line += " --format";
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::string point = std::to_string(steps[i].point);
    if (i == 0) line += " --point=" + point + " --pick=" + steps[i].pick;
    if (i == 1) line += " --nested=";
    if (i >= 1) line += (i > 1 ? "/" : "") + point + ":" + steps[i].pick;
  }
  return line;
}

bool parse_steps(std::string_view text, std::vector<CrashStep>* steps) {
  for (const std::string& part : split(text, '/')) {
    const size_t colon = part.find(':');
    CrashStep step;
    if (colon == std::string::npos || !parse_number(std::string_view(part).substr(0, colon), 10, &step.point))
      return false;
    step.pick = part.substr(colon + 1);
    steps->push_back(std::move(step));
  }
  return true;
}

// Delta debugging (Zeller, "Yesterday, my program worked", 1999) over the exceptions of each pick: try
// without groups of n / 2, n / 4, ... 1 of them.
std::vector<CrashStep> shrink_steps(std::vector<CrashStep> steps,
                                    const std::function<bool(const std::vector<CrashStep>&)>& fails) {
  for (size_t s = steps.size(); s-- > 0;) {
    std::vector<std::string> parts = split(steps[s].pick, '+');
    for (size_t group = std::max<size_t>(parts.size() / 2, 1); parts.size() > 1; group /= 2) {
      for (size_t i = 1; i < parts.size();) {
        std::vector<std::string> fewer = parts;
        const size_t count = std::min(group, fewer.size() - i);
        fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i),
                    fewer.begin() + static_cast<ptrdiff_t>(i + count));
        std::vector<CrashStep> attempt = steps;
        attempt[s].pick = join(fewer, '+');
        if (fails(attempt)) {
          parts = std::move(fewer);
          steps = std::move(attempt);
        } else {
          i += count;
        }
      }
      if (group <= 1) break;
    }
  }
  return steps;
}

}  // namespace nacre::crash
