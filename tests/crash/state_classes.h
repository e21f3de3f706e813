// Classes of selections that no recovery can tell apart, as long as checksums are trusted, and what is to be visited to
// know about all of them (docs/CRASH.md, "Classes of states", has the proofs).
//
// The unsettled words are grouped into parts.
//
//   plain    one word that anybody may read, or that was sealed but has more candidates than the old one and the new:
//            each of its candidates is a class
//   sealed   the words of a fresh range, or of one cell of a log record; three classes: absent (every word is durable),
//            whole (every word is the latest) and torn (anything else: a checksum fails, and nobody looks further)
//   home     the words of a guarded line that only commits applied to: each combination of candidates is a class
//
// A class of selections is one class of each part. Recovery makes of a home line what the log says, whatever the other
// home lines hold. So for each choice of the plain and the sealed parts (a block) it is enough to vary one home line at
// a time: if all of these states are recovered to one and the same image, so is every other state of the block.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/crash/selection.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {

class StateClasses {
 public:
  explicit StateClasses(const Unsettled& unsettled);

  /// How many selections visit_all and visit_blocks show; at most `ceiling`.
  uint64_t count(uint64_t ceiling) const noexcept;
  uint64_t count_in_blocks(uint64_t ceiling) const noexcept;

  /// One selection of each class; which one of those with a torn part is random.
  void visit_all(Random& random, SelectionVisitor& visitor) const;
  /// In each block: all home lines at their latest, then one line at each of its classes with the others all at their
  /// latest, then the same with the others all durable.
  void visit_blocks(Random& random, SelectionVisitor& visitor) const;

  /// The class of a selection: a number for each part.
  std::vector<uint64_t> class_of(const Selection& selection) const;

 private:
  enum class Kind : uint8_t { plain, sealed, home };
  enum : uint64_t { kAbsent, kWhole, kTorn };
  struct Part {
    Kind kind;
    uint64_t classes;             // at most kManyClasses
    std::vector<uint32_t> words;  // indices into Unsettled::words
  };
  uint64_t class_of(const Part& part, const Selection& selection) const;
  void choose(const Part& part, uint64_t chosen, Random& random, Selection* selection) const;
  void set_all(const Part& part, bool latest, Selection* selection) const;
  bool visit_block(Selection* selection, Random& random, SelectionVisitor& visitor) const;
  template <class Fn>
  bool for_each_choice(const std::vector<Part>& parts, Random& random, Selection* selection, Fn&& fn) const;

  const Unsettled& u_;
  std::vector<Part> others_;  // plain and sealed
  std::vector<Part> homes_;
};

}  // namespace nacre::crash
