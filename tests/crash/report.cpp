#include "tests/crash/report.h"

#include <cinttypes>
#include <cstdio>
#include <memory>

namespace nacre::crash {

void Report::add(const Report& other) {
  workloads += other.workloads;
  points += other.points;
  states += other.states;
  nested_points += other.nested_points;
  nested_states += other.nested_states;
  seen_states += other.seen_states;
  class_points += other.class_points;
  twin_states += other.twin_states;
  cut_points += other.cut_points;
  nested_cut_points += other.nested_cut_points;
  thinned_points += other.thinned_points;
  not_nested += other.not_nested;
  starved_points += other.starved_points;
  violations += other.violations;
  leaked_bytes += other.leaked_bytes;
  seconds += other.seconds;
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

std::string Report::summary() const {
  char text[600];
  const double rate = seconds > 0 ? static_cast<double>(checked_states()) / seconds : 0;
  std::snprintf(text, sizeof text,
                "%" PRIu64 " workloads, %" PRIu64 " crash points, %" PRIu64 " distinct states, %" PRIu64
                " nested points, %" PRIu64 " nested states (%" PRIu64 " twins of others), %" PRIu64
                " seen before, %" PRIu64 " points by class; cut: %" PRIu64 " points sampled and %" PRIu64
                " nested ones (%" PRIu64 " thinned, %" PRIu64 " starved), %" PRIu64 " recoveries not nested; %" PRIu64
                " violations, %" PRIu64 " leaked bytes, %.1f s, %.0f states/s",
                workloads, points, states, nested_points, nested_states, twin_states, seen_states, class_points,
                cut_points, nested_cut_points, thinned_points, starved_points, not_nested, violations, leaked_bytes,
                seconds, rate);
  return text;
}

bool write_figures(const std::string& path, const std::vector<Figure>& figures) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
  if (file == nullptr) return false;
  const char* separator = "[";
  for (const Figure& f : figures) {
    std::fprintf(file.get(),
                 "%s\n {\"figure\": \"%s\", \"count\": %" PRIu64 ", \"violations\": %" PRIu64 ", \"cuts\": %" PRIu64
                 ", \"model\": \"%s\", \"seconds\": %.1f}",
                 separator, f.figure.c_str(), f.count, f.violations, f.cuts, f.model.c_str(), f.seconds);
    separator = ",";
  }
  return std::fputs(figures.empty() ? "[]\n" : "\n]\n", file.get()) >= 0;
}

}  // namespace nacre::crash
