// Dropping a table: many small commits, each of which leaves a sound, smaller tree, so that it can be resumed from
// whatever a crash left. First a segment's records in batches of lines, then the segment and the entries that lead to
// it, then directory nodes as they become empty, at last the root word.
#include <algorithm>

#include "alloc/log_record.h"
#include "engine/hash/hash_table.h"
#include "engine/mutants.h"

namespace nacre::engine::hash {

/// The entries that lead to what is freed next: the root word, or neighbouring words of a node.
struct HashTree::DropSpot {
  bool in_root = true;
  uint64_t node_off = 0;
  uint32_t first_idx = 0;
  uint32_t count = 1;
};

Status HashTree::drop_all() {
  bool done = false;
  while (!done) NACRE_TRY(drop_step(done));
  return Code::ok;
}

// Walks to the leftmost thing below the root and frees it.
Status HashTree::drop_step(bool& done) {
  LineView line;
  NACRE_TRY(read_line(pool_, directory_.root_line_off(), line));
  uint64_t entry = line.words[directory_.root_word()];
  done = entry == 0;
  DropSpot spot;
  for (uint32_t level = 0; entry != 0; ++level) {
    const uint64_t off = entry_off(entry);
    const bool segment = entry_kind(entry) == EntryKind::segment;
    const uint64_t bytes = segment ? shape_.segment_bytes() : shape_.dir_node_bytes();
    if (!entry_clean(entry) || level > kMaxDepth || !pool_.layout().is_line(off) ||
        off + bytes > pool_.layout().pool_bytes())
      return Status::error(Code::corruption, "drop: directory entry %016llx makes no sense; run nacre check",
                           static_cast<unsigned long long>(entry));
    if (segment) {
      if (!broken(site::kDropSkipsRecords)) NACRE_TRY(drop_records(off));
      return drop_node(spot, off, bytes);
    }
    uint32_t first = shape_.dir_entries(), count = 0;
    uint64_t below = 0;
    for (uint32_t idx = 0; idx < shape_.dir_entries(); ++idx) {
      if (Directory::word_of(idx) == 0 || idx == 0) NACRE_TRY(read_line(pool_, directory_.line_of(off, idx), line));
      const uint64_t word = line.words[Directory::word_of(idx)];
      if (word == 0) continue;
      if (count == 0) {
        first = idx;
        below = word;
      }
      if (word != below) break;
      ++count;
    }
    if (count == 0) return drop_node(spot, off, bytes);  // an empty node
    spot = {false, off, first, count};
    entry = below;
  }
  return Code::ok;
}

// Empties the lines of a segment, as many at a time as a log record surely holds.
Status HashTree::drop_records(uint64_t segment_off) {
  for (uint32_t l = 1; l < shape_.segment_lines;) {
    alloc::Commit commit(pool_);
    NACRE_TRY(commit.begin());
    std::vector<uint64_t> offs;
    std::vector<LineView> views;
    uint64_t frees = 0;
    for (; l < shape_.segment_lines; ++l) {
      LineView view;
      NACRE_TRY(read_line(pool_, segment_off + l * kLineBytes, view));
      const auto live = static_cast<uint64_t>(std::count_if(view.words, view.words + alloc::kLineWords, slot_live));
      if (live == 0) continue;
      const uint64_t lines = offs.size() + 1 + frees + live;
      const uint64_t ops = (offs.size() + 1) * alloc::kLineWords + frees + live;
      if (!offs.empty() && alloc::max_record_cells(0, lines, ops) > pool_.layout().geometry.lane_cells / 2) break;
      offs.push_back(segment_off + l * kLineBytes);
      views.push_back(view);
      frees += live;
    }
    if (offs.empty()) return Code::ok;
    for (const LineView& view : views)
      for (uint64_t slot : view.words)
        if (slot_live(slot)) NACRE_TRY(commit.free(slot_off(slot), alloc::UnitUse::record));
    NACRE_TRY(commit.lock(offs, offs.size(), offs.size() * alloc::kLineWords));
    for (size_t i = 0; i < offs.size(); ++i)
      for (uint32_t w = 0; w < alloc::kLineWords; ++w)
        if (views[i].words[w] != 0) commit.set_word(offs[i], w, 0);
    NACRE_TRY(commit.publish());
  }
  return Code::ok;
}

// Empties the entries at `spot` and frees the unit they led to.
Status HashTree::drop_node(const DropSpot& spot, uint64_t off, uint64_t bytes) {
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  if (!broken(site::kDropNodeKept)) NACRE_TRY(commit.free(off, alloc::UnitUse::lines));
  std::vector<uint64_t> lines;
  for (uint64_t l = 0; l < bytes; l += kLineBytes) lines.push_back(off + l);
  const size_t freed_lines = lines.size();
  if (spot.in_root) {
    lines.push_back(directory_.root_line_off());
  } else {
    for (uint32_t i = 0; i < spot.count; ++i) lines.push_back(directory_.line_of(spot.node_off, spot.first_idx + i));
  }
  NACRE_TRY(commit.lock(lines, spot.count, spot.count));
  for (size_t i = 0; i < freed_lines; ++i) commit.raise_seq(alloc::guard_seq(pool_.line(lines[i])->guard));
  if (spot.in_root)
    commit.set_word(directory_.root_line_off(), directory_.root_word(), 0);
  else
    for (uint32_t i = 0; i < (broken(site::kDropOneEntry) ? 1 : spot.count); ++i)
      commit.set_word(directory_.line_of(spot.node_off, spot.first_idx + i), Directory::word_of(spot.first_idx + i), 0);
  return commit.publish();
}

}  // namespace nacre::engine::hash
