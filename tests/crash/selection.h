// Which of the crash states of one moment are looked at.
//
// A selection names, for each unsettled word, which of its candidates survived. If the product of the
// candidate counts is within the limit, every selection is visited. Else, if the classes of selections
// (state_classes.h) are few enough, what tells about all of them, and a sample of the others. Otherwise:
//
//   all durable, all latest
//   a strength-2 covering array: any two words show every pair of their candidates in some row
//   each subset of the lines, latest or durable, if there are at most 8 lines
//   one-in and one-out: one word at one other candidate, all others durable (all others latest)
//   prefixes and suffixes of the program order
//   random rows, of several densities
//
// and if even these exceed the limit, whole families are thinned evenly. What was left out is said, never
// silent: see Coverage. In model L the same is done with lines and prefixes of their stores in place of words and
// candidates; model E has no more selections than there were stores.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tests/crash/crash_domain.h"

namespace nacre::crash {

/// What a word may keep. L and E are parts of W: each of their states is one of W's, but there are so few that all of
/// them are visited where W is sampled.
enum class CrashModel : uint8_t {
  W,  ///< each word any of its versions
  L,  ///< each line a prefix of its stores: caches that write back whole lines, stores of one line in order
  E,  ///< one prefix of all stores: persistent caches
};
const char* model_name(CrashModel model) noexcept;

using Selection = std::vector<uint16_t>;  ///< by index into Unsettled::words; 0 is the durable candidate

struct SelectionLimits {
  CrashModel model = CrashModel::W;
  uint64_t exhaustive = 4096;  ///< visit every selection if there are at most so many
  uint64_t classes = 4096;     ///< else the classes if at most so many selections tell about all of them
  uint64_t sampled = 4096;     ///< else at most about so many
  uint32_t random_rows = 16;
  uint32_t line_subsets = 8;  ///< all subsets of lines up to this many lines
};

enum class Coverage : uint8_t {
  all,      ///< every selection was visited
  classes,  ///< so many that all are known, if the states of each block were recovered to one image
  sampled,  ///< a cut: the families above
  thinned,  ///< a cut: not even all of those
};

/// Calls visit(const Selection&) until it returns false. Selections may repeat. Repeatable for a seed.
class SelectionVisitor {
 public:
  virtual bool visit(const Selection& selection) = 0;
  /// The selections up to end_block() are expected to be recovered to one image, byte for byte.
  virtual void begin_block() {}
  virtual void end_block() {}

 protected:
  ~SelectionVisitor() = default;
};
Coverage visit_selections(const Unsettled& unsettled, const SelectionLimits& limits, uint64_t seed,
                          SelectionVisitor& visitor);

/// The number of selections, at most `ceiling`.
uint64_t selection_count(const Unsettled& unsettled, uint64_t ceiling) noexcept;

/// The rows of a covering array of strength 2 for factors with `levels[i]` values each.
std::vector<Selection> covering_array(std::span<const uint16_t> levels);

}  // namespace nacre::crash
