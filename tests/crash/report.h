// What an exploration found, in numbers: added up over workloads, printed for people and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/crash/replay_text.h"

namespace nacre::crash {

struct Failure {
  std::vector<CrashStep> steps;
  std::string what;
  std::string line;  ///< the arguments that replay it
};

struct Report {
  uint64_t workloads = 0;
  uint64_t points = 0;             ///< crash points of the workloads themselves
  uint64_t states = 0;             ///< distinct images recovered and checked after the first crash
  uint64_t nested_points = 0;      ///< crash points inside recoveries
  uint64_t nested_states = 0;      ///< distinct images after a further crash
  uint64_t seen_states = 0;        ///< selections that gave an image seen before
  uint64_t twin_states = 0;        ///< of all these, those recovered to the image of a checked state, byte for byte
  uint64_t class_points = 0;       ///< points of which the classes were checked (state_classes.h): no cut
  uint64_t cut_points = 0;         ///< points of the workloads with more states than the limit: sampled
  uint64_t nested_cut_points = 0;  ///< the same of points inside recoveries
  uint64_t thinned_points = 0;     ///< of both, where even the sample was thinned
  uint64_t not_nested = 0;         ///< recoveries whose own crashes were left out (nested_every)
  uint64_t starved_points = 0;     ///< points cut short or skipped because max_states was reached
  uint64_t violations = 0;
  uint64_t leaked_bytes = 0;
  double seconds = 0;
  std::vector<Failure> failures;

  uint64_t checked_states() const noexcept { return states + nested_states; }
  void add(const Report& other);
  std::string summary() const;  ///< one line
};

/// A figure of the scorecard: {"figure": ..., "count": ..., "violations": ..., "cuts": ..., "model": ..., "seconds":
/// ...}.
struct Figure {
  std::string figure;
  uint64_t count = 0, violations = 0, cuts = 0;
  std::string model;
  double seconds = 0;
};
/// Writes them as a JSON array. False if the file cannot be written.
bool write_figures(const std::string& path, const std::vector<Figure>& figures);

}  // namespace nacre::crash
