// The crash points of one run, kept until the run is over: a state is never explored while the product is in
// the middle of a call, so nothing of the product needs to be re-entrant.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/crash/client.h"
#include "tests/crash/crash_domain.h"

namespace nacre::crash {

/// A model state with its fingerprint.
struct Known {
  std::unique_ptr<Model> model;
  uint64_t fingerprint = 0;
};

/// What a recovery may find.
struct Allowed {
  std::vector<const Known*> states;
  bool no_pool = false;  ///< or nothing at all: the format is not complete
};

struct CrashPoint {
  uint32_t number = 0;
  const char* reason = "";  ///< site of the fence, or what returned
  uint32_t phase = 0;       ///< index into the phases of the recording
  size_t delta_end = 0;     ///< the durable image of this moment: so many deltas of the medium applied
  uint64_t durable_hash = 0;
  Unsettled unsettled;
};

/// A stretch of a run with one set of allowed states: an operation, or a pause between two.
struct Phase {
  std::string label;
  Allowed allowed;
};

class Recording final : public PointSink {
 public:
  void clear() {
    forget_points();
    phases_.clear();
    next_number_ = 0;
  }
  /// Forgets the points, and goes on numbering.
  void forget_points() {
    count_ = 0;
    weight_ = 0;
  }
  void set_active(bool active) noexcept { active_ = active; }
  /// Returns the number of the phase.
  uint32_t begin_phase(std::string_view label, Allowed allowed) {
    phases_.push_back({std::string(label), std::move(allowed)});
    return static_cast<uint32_t>(phases_.size() - 1);
  }
  Phase& phase(uint32_t number) { return phases_[number]; }
  const Phase& phase(uint32_t number) const { return phases_[number]; }

  void on_crash_point(CrashMedium& medium, const char* reason) override {
    const uint32_t number = next_number_++;
    if (!active_) return;
    if (count_ == points_.size()) points_.emplace_back();
    CrashPoint& point = points_[count_++];
    point.number = number;
    point.reason = reason;
    point.phase = static_cast<uint32_t>(phases_.size() - 1);
    point.delta_end = medium.deltas().size();
    point.durable_hash = medium.durable_hash();
    medium.collect(&point.unsettled);
    weight_ += point.unsettled.words.size() + point.unsettled.candidates.size();
  }

  size_t count() const noexcept { return count_; }
  const CrashPoint& operator[](size_t i) const { return points_[i]; }
  /// Words and candidates held: a measure of memory.
  size_t weight() const noexcept { return weight_; }

 private:
  std::vector<CrashPoint> points_;  // never shrinks: their vectors are used again
  std::vector<Phase> phases_;
  size_t count_ = 0;
  size_t weight_ = 0;
  uint32_t next_number_ = 0;
  bool active_ = true;
};

}  // namespace nacre::crash
