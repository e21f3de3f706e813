// What some mutants do instead of what is right: see historic_mutants.h. In a file of its own, for the compiler weighs
// what it inlines elsewhere by the size of the file.
#include "engine/hash/hash_table.h"
#include "engine/hash/segment_split.h"
#include "engine/sites.h"

#if defined(NACRE_MUTANTS)

namespace nacre::engine::hash {

void HashTree::overwrite_in_place(const Plan& plan, uint64_t slot) noexcept {
  alloc::GuardedLine* line = pool_.line(plan.slot_line_off);
  line->words[plan.slot_word] = slot;
  line->guard = alloc::make_guard(pool_.salt(), plan.slot_line_off, line->words, alloc::guard_seq(line->guard));
}

Status HashTree::publish_then_store(alloc::Commit& commit, uint64_t off, uint64_t bytes) {
  const uint64_t last_off = align_down(off + bytes - 1, kWordBytes);
  auto* last = pool_.at<uint64_t>(last_off);
  const uint64_t word = *last;
  *last = 0;
  NACRE_TRY(commit.publish());
  *last = word;
  pool_.domain().flush(last_off, kWordBytes, site::kRecordFlush);
  pool_.domain().fence(site::kRecordFlush);
  return Code::ok;
}

// Between the two commits the old segment still holds what has moved.
Status SegmentSplit::publish_halves(alloc::Commit& commit, uint64_t prefix, uint64_t left, uint64_t right_prefix,
                                    uint64_t right) {
  const uint32_t half = path_.count / 2;
  const auto set_half = [&](alloc::Commit& c, uint32_t from, uint64_t entry) {
    for (uint32_t i = from; i < from + half; ++i)
      c.set_word(tree_.directory_.line_of(path_.node_off, path_.first_idx + i), Directory::word_of(path_.first_idx + i),
                 entry);
  };
  NACRE_TRY(commit.lock(locked_lines_, entry_lines_.size(), half));
  for (const LineView& line : lines_) commit.raise_seq(alloc::guard_seq(line.guard));
  set_half(commit, half, right);
  NACRE_TRY(commit.publish([&] { tree_.directory_.store(right_prefix, depth_ + 1, right); }));

  alloc::Commit second(pool_);
  NACRE_TRY(second.begin());
  NACRE_TRY(second.free(segment_off_, alloc::UnitUse::lines));
  NACRE_TRY(second.lock(locked_lines_, entry_lines_.size(), half));
  for (const LineView& line : lines_) second.raise_seq(alloc::guard_seq(line.guard));
  set_half(second, 0, left);
  return second.publish([&] { tree_.directory_.store(prefix, depth_ + 1, left); });
}

}  // namespace nacre::engine::hash

#endif
