// What becomes of one damaged pool: it is opened, checked, read, written, closed and read again, and all that the
// engine says is compared with what must be there.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tests/damage/damage.h"
#include "tests/damage/pool_shape.h"
#include "tests/damage/region_map.h"
#include "tests/damage/victim.h"

namespace nacre::damage {

enum class Outcome : uint8_t {
  at_open,      // the open says that the pool is damaged
  at_check,     // check tells, and nothing that was read or written was wrong
  at_access,    // a read or write says so
  healed,       // all right, and the damage is gone when the pool is closed
  harmless,     // all right, and the damage is still there
  rolled_back,  // the last commit, which only the log had, is taken back: see PoolShape::before_last
  wrong_told,   // something else than what was written is read, but check tells
  wrong,        // and nothing tells
  crash,
  hang
};
inline constexpr uint32_t kOutcomeCount = 10;
const char* outcome_name(Outcome outcome) noexcept;

struct Verdict {
  Outcome outcome = Outcome::harmless;
  bool check_disagrees = false;  // check called sound what did not read right
  bool odd_error = false;        // an error that is not about damage
  std::string text;              // what was seen, if asked for
};

/// Judges cases of one shape. Not thread-safe.
class Judge {
 public:
  explicit Judge(const PoolShape& shape);

  /// `write` chooses what is written: 0 a new key, 1 an overwrite, 2 a remove.
  Verdict judge(const Damage& damage, uint32_t write, bool explain = false);
  /// The same with nothing damaged: harmless, or the judge is wrong.
  Verdict judge_undamaged(uint32_t write);
  bool changes_anything(const Damage& damage);
  /// Of all that the damage touches, the region that is listed first: what is in use before free space.
  Region region_of(const Damage& damage) const noexcept;

  const PoolShape& shape() const noexcept { return shape_; }
  const RegionMap& regions() const noexcept { return regions_; }
  static constexpr uint32_t kWrites = 3;

 private:
  struct Sight;
  Verdict run(const Damage* damage, const Content& content, uint32_t write, bool explain);
  void load(const Damage* damage);
  void look_read_only(const Content& content, Sight& sight);
  void look_and_write(Content& content, uint32_t write, Sight& sight);
  bool repaired(const Damage& damage, uint32_t write) const;
  bool touches_proof(const Damage& damage) const noexcept;

  const PoolShape& shape_;
  RegionMap regions_;
  Victim victim_;
  std::array<Bytes, kWrites> undamaged_;  // the file after the same without damage
};

}  // namespace nacre::damage
