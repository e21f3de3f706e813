#include "engine/hash/segment_split.h"

#include <algorithm>

#include "engine/record.h"
#include "engine/sites.h"

namespace nacre::engine::hash {
namespace {

// Below this share of live slots a segment is full of tombstones rather than keys.
constexpr uint32_t kRebuildPercent = 60;

uint64_t prefix_of(uint64_t hash, uint32_t depth) noexcept {
  return depth == 0 ? 0 : hash >> (64 - depth) << (64 - depth);
}

}  // namespace

// ---- SegmentImage ----

SegmentImage::SegmentImage(alloc::Commit& commit, alloc::Pool& pool, const Shape& shape, uint16_t table_id, uint64_t off,
                           uint64_t prefix, uint32_t depth)
    : commit_(commit), pool_(pool), shape_(shape), off_(off), used_(shape.segment_lines) {
  for (uint32_t l = 0; l < shape.segment_lines; ++l) {
    alloc::GuardedLine* line = pool.line(off + l * kLineBytes);
    for (uint64_t& word : line->words) word = 0;
  }
  alloc::GuardedLine* header = pool.line(off);
  header->words[kSegmentMagicDepth] = kSegmentMagic | uint64_t{depth} << 32;
  header->words[kSegmentPrefix] = prefix;
  header->words[kSegmentTable] = table_id;
}

bool SegmentImage::place_in(uint32_t line, uint64_t slot) noexcept {
  if (used_[line] == alloc::kLineWords) return false;
  pool_.line(off_ + line * kLineBytes)->words[used_[line]++] = slot;
  return true;
}

bool SegmentImage::place_home(uint32_t home, uint64_t slot) noexcept {
  return place_in(1 + home, slot & ~kDisplaced);
}

bool SegmentImage::place(uint32_t home, uint64_t slot) noexcept {
  if (place_home(home, slot)) return true;
  const uint32_t next = home + 1 == shape_.home_lines() ? 0 : home + 1;
  if (place_in(1 + next, slot | kDisplaced)) return true;
  for (uint32_t l = 1 + shape_.home_lines(); l < shape_.segment_lines; ++l)
    if (place_in(l, slot | kDisplaced)) return true;
  return false;
}

void SegmentImage::finish() {
  const uint64_t seq = commit_.fresh_seq(off_);
  for (uint32_t l = 0; l < shape_.segment_lines; ++l) {
    const uint64_t line_off = off_ + l * kLineBytes;
    alloc::GuardedLine* line = pool_.line(line_off);
    line->guard = alloc::make_guard(pool_.salt(), line_off, line->words, seq);
  }
  commit_.flush_fresh_lines(off_, shape_.segment_bytes(), site::kSegmentFlush);
}

// ---- SegmentSplit ----

Status SegmentSplit::run() {
  for (;;) {
    alloc::Commit commit(pool_);
    NACRE_TRY(commit.begin());
    if (tree_.closed()) return Code::stopped;
    NACRE_TRY(look());
    if (gone_) return Code::ok;
    if (!rebuild_ && depth_ + 1 > kMaxDepth)
      return Status::error(Code::limit, "put: more keys than a segment holds share the first %u bits of their hash",
                           kMaxDepth);
    // Allocating may let go of the pin, so what was read until now only decides how much is needed.
    uint64_t left_off = 0, right_off = 0, node_off = 0;
    NACRE_TRY(commit.allocate(shape_.segment_bytes(), alloc::UnitUse::lines, left_off));
    if (!rebuild_) NACRE_TRY(commit.allocate(shape_.segment_bytes(), alloc::UnitUse::lines, right_off));
    if (child_node_) NACRE_TRY(commit.allocate(shape_.dir_node_bytes(), alloc::UnitUse::lines, node_off));
    const bool rebuild = rebuild_, child_node = child_node_;
    const uint32_t depth = depth_;
    NACRE_TRY(look());
    if (gone_) return Code::ok;
    if (rebuild_ != rebuild || child_node_ != child_node || depth_ != depth) continue;

    const uint32_t new_depth = rebuild_ ? depth_ : depth_ + 1;
    const uint64_t prefix = prefix_of(hash_, depth_);
    const uint64_t right_prefix = prefix | uint64_t{1} << (63 - depth_);
    if (!rebuild_) tree_.directory_.grow_to(new_depth);
    std::vector<SegmentImage> images;
    images.reserve(2);
    images.emplace_back(commit, pool_, shape_, tree_.table_id_, left_off, prefix, new_depth);
    if (!rebuild_) images.emplace_back(commit, pool_, shape_, tree_.table_id_, right_off, right_prefix, new_depth);
    NACRE_TRY(write_images(commit, images));
    const uint64_t left = make_entry(EntryKind::segment, new_depth, left_off);
    const uint64_t right = rebuild_ ? left : make_entry(EntryKind::segment, new_depth, right_off);
    if (child_node_) write_child_node(commit, node_off, left, right);
    commit.finish_fresh();

    NACRE_TRY(commit.free(segment_off_, alloc::UnitUse::lines));
    NACRE_TRY(commit.lock(locked_lines_, entry_lines_.size(), path_.count));
    if (!still_valid()) continue;  // the destructor gives everything back
    for (const LineView& line : lines_) commit.raise_seq(alloc::guard_seq(line.guard));
    change_entries(commit, left, right, node_off);
    NACRE_TRY(commit.publish([&] {
      tree_.directory_.store(prefix, new_depth, left);
      if (!rebuild_) tree_.directory_.store(right_prefix, new_depth, right);
    }));
    (rebuild_ ? tree_.rebuilds_ : tree_.splits_).fetch_add(1, std::memory_order_relaxed);
    return Code::ok;
  }
}

// Reads the whole segment and decides. Everything that is relied on is in lines_ and path_, and is validated later.
Status SegmentSplit::look() {
  NACRE_TRY(tree_.directory_.path(hash_, path_));
  gone_ = entry_off(path_.entry) != segment_off_;
  if (gone_) return Code::ok;
  depth_ = entry_depth(path_.entry);
  lines_.resize(shape_.segment_lines);
  locked_lines_.clear();
  uint32_t live = 0, tombstones = 0;
  for (uint32_t l = 0; l < shape_.segment_lines; ++l) {
    const uint64_t line_off = segment_off_ + l * kLineBytes;
    NACRE_TRY(read_line(pool_, line_off, lines_[l]));
    locked_lines_.push_back(line_off);
    if (l == 0) continue;
    for (uint64_t slot : lines_[l].words) {
      live += slot_live(slot);
      tombstones += slot == kTombstone;
    }
  }
  rebuild_ = tombstones != 0 && live * 100 < shape_.slot_capacity() * kRebuildPercent;
  const uint32_t covered = path_.in_root ? 0 : (path_.level + 1) * shape_.dir_bits;
  child_node_ = !rebuild_ && depth_ == covered;
  entry_lines_.clear();
  if (path_.in_root) {
    entry_lines_.push_back(tree_.directory_.root_line_off());
  } else {
    for (uint32_t i = 0; i < path_.count; ++i) {
      const uint64_t line_off = tree_.directory_.line_of(path_.node_off, path_.first_idx + i);
      if (entry_lines_.empty() || entry_lines_.back() != line_off) entry_lines_.push_back(line_off);
    }
  }
  locked_lines_.insert(locked_lines_.end(), entry_lines_.begin(), entry_lines_.end());
  return Code::ok;
}

// The tag holds the split bit unless the segment is shallower than the tag's first bit, or the home is not known
// because the slot is in the stash; then the key is read.
Status SegmentSplit::side_and_home(const Slot& slot, uint32_t& side, uint32_t& home) const {
  const bool in_stash = slot.line > shape_.home_lines();
  const bool tag_tells = depth_ >= shape_.tag_skip && depth_ < shape_.tag_skip + kTagBits;
  if (rebuild_) side = 0;
  if ((tag_tells || rebuild_) && !in_stash) {
    if (!rebuild_) side = static_cast<uint32_t>(slot.slot >> (kOffBits + kTagBits - 1 - (depth_ - shape_.tag_skip)) & 1);
    const uint32_t line = slot.line - 1;
    const bool displaced = (slot.slot & kDisplaced) != 0;
    home = !displaced ? line : line == 0 ? shape_.home_lines() - 1 : line - 1;
    return Code::ok;
  }
  RecordView view;
  const uint64_t off = slot_off(slot.slot);
  if (!view_record(pool_, off, view) || !record_intact(pool_, off, view)) return damaged_record(off);
  const KeyHash hash = tree_.hash_key(view.key);
  if (!rebuild_) side = static_cast<uint32_t>(hash.bits >> (63 - depth_) & 1);
  home = hash.home;
  return Code::ok;
}

// Keys in their home lines first, then those in the next line, then the stash: so each finds a place at least as
// good as the one it had.
Status SegmentSplit::write_images(alloc::Commit&, std::vector<SegmentImage>& images) {
  for (int pass = 0; pass < 3; ++pass)
    for (uint32_t l = 1; l < shape_.segment_lines; ++l) {
      const bool in_stash = l > shape_.home_lines();
      if (in_stash != (pass == 2)) continue;
      for (uint64_t slot : lines_[l].words) {
        if (!slot_live(slot) || (!in_stash && ((slot & kDisplaced) != 0) != (pass == 1))) continue;
        uint32_t side = 0, home = 0;
        NACRE_TRY(side_and_home({l, slot}, side, home));
        if (!images[side].place(home, slot))
          return Status::error(Code::internal, "split of the segment at offset %llu: no place for a slot of line %u",
                               static_cast<unsigned long long>(segment_off_), l);
      }
    }
  for (SegmentImage& image : images) image.finish();
  return Code::ok;
}

void SegmentSplit::write_child_node(alloc::Commit& commit, uint64_t node_off, uint64_t left, uint64_t right) {
  const uint64_t seq = commit.fresh_seq(node_off);
  const uint32_t entries = shape_.dir_entries();
  for (uint32_t l = 0; l < shape_.dir_lines(); ++l) {
    const uint64_t line_off = node_off + l * kLineBytes;
    alloc::GuardedLine* line = pool_.line(line_off);
    for (uint32_t w = 0; w < alloc::kLineWords; ++w) {
      const uint32_t idx = l * static_cast<uint32_t>(alloc::kLineWords) + w;
      line->words[w] = idx < entries / 2 ? left : idx < entries ? right : 0;
    }
    line->guard = alloc::make_guard(pool_.salt(), line_off, line->words, seq);
  }
  commit.flush_fresh_lines(node_off, shape_.dir_node_bytes(), site::kDirectoryFlush);
}

bool SegmentSplit::still_valid() const {
  EntryPath now;
  if (!tree_.directory_.path(hash_, now).ok() || now.entry != path_.entry || now.in_root != path_.in_root ||
      now.node_off != path_.node_off || now.first_idx != path_.first_idx || now.count != path_.count)
    return false;
  for (uint32_t l = 0; l < shape_.segment_lines; ++l)
    if ((sync::load_acquire(&pool_.line(segment_off_ + l * kLineBytes)->guard) & ~alloc::kBusyBit) != lines_[l].guard)
      return false;
  return true;
}

void SegmentSplit::change_entries(alloc::Commit& commit, uint64_t left, uint64_t right, uint64_t node_off) {
  const Directory& directory = tree_.directory_;
  const uint32_t level = path_.in_root ? 0 : path_.level + 1;
  const uint64_t child = make_entry(EntryKind::node, level, node_off);
  if (path_.in_root) {
    commit.set_word(directory.root_line_off(), directory.root_word(), child_node_ ? child : left);
    return;
  }
  for (uint32_t i = 0; i < path_.count; ++i) {
    const uint32_t idx = path_.first_idx + i;
    const uint64_t entry = child_node_ ? child : i < path_.count / 2 ? left : right;
    commit.set_word(directory.line_of(path_.node_off, idx), Directory::word_of(idx), entry);
  }
}

}  // namespace nacre::engine::hash
