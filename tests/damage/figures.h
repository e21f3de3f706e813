// The tables and the figures that are published.
#pragma once

#include <cstdint>
#include <string>

#include "tests/damage/batch_runner.h"
#include "tests/damage/tally.h"

namespace nacre::damage {

/// One table for each kind of damage: regions down, outcomes across.
void print_tables(const Tally& tally);

class Figures {
 public:
  void add(const BatchReport& report, uint64_t cut_bits, double seconds);
  const Tally& tally() const noexcept { return tally_; }
  uint64_t violations() const noexcept { return violations_; }
  void print_summary() const;
  bool write_json(const std::string& path) const;

 private:
  Cell family(Family family) const noexcept;
  Cell records() const noexcept;

  Tally tally_{};
  uint64_t violations_ = 0, crashes_ = 0, hangs_ = 0, cut_bits_ = 0;
  double seconds_ = 0;
};

}  // namespace nacre::damage
