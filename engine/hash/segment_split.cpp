#include "engine/hash/segment_split.h"

#include <algorithm>

#include "engine/historic_mutants.h"
#include "engine/mutants.h"
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

SegmentImage::SegmentImage(alloc::Pool& pool, const Shape& shape, uint16_t table_id, uint64_t off, uint64_t prefix,
                           uint32_t depth, std::vector<ImageLine>& lines)
    : pool_(pool), shape_(shape), table_id_(table_id), off_(off), prefix_(prefix), depth_(depth), lines_(lines) {
  lines_.resize(shape.segment_lines);
  for (ImageLine& line : lines_) line.count = 0;
}

void SegmentImage::keep(uint32_t line, uint32_t home, uint64_t slot) noexcept {
  ImageLine& l = lines_[line];
  l.slots[l.count++] = {slot, home};
}

bool SegmentImage::move(ImageLine& from, uint32_t at, uint32_t to) noexcept {
  ImageLine& target = lines_[to];
  if (target.count == alloc::kLineWords) return false;
  target.slots[target.count++] = from.slots[at];
  from.slots[at] = from.slots[--from.count];
  return true;
}

bool SegmentImage::settle_line(uint32_t line) noexcept {
  ImageLine& l = lines_[line];
  const bool in_stash = line > shape_.home_lines();
  bool moved = false;
  for (uint32_t i = 0; i < l.count;) {
    const uint32_t home = l.slots[i].home;
    const bool displaced = in_stash || line != 1 + home;
    if (displaced && (move(l, i, 1 + home) || (in_stash && move(l, i, next_line(home)))))
      moved = true;
    else
      ++i;
  }
  return moved;
}

void SegmentImage::settle() noexcept {
  for (bool moved = !broken(site::kSplitUnsettled); moved;) {
    moved = false;
    for (uint32_t line = 1; line < shape_.segment_lines; ++line) moved |= settle_line(line);
  }
  if (!broken(site::kSplitStashLoose)) pack_stash();
}

// Stash lines fill in order: a look-up stops at the first with a zero word.
void SegmentImage::pack_stash() noexcept {
  const uint32_t first = 1 + shape_.home_lines();
  for (uint32_t from = shape_.segment_lines - 1, to = first; to < from;) {
    if (lines_[to].count == alloc::kLineWords)
      ++to;
    else if (lines_[from].count == 0)
      --from;
    else
      move(lines_[from], lines_[from].count - 1, to);
  }
}

void SegmentImage::write(alloc::Commit& commit) const {
  const uint64_t seq = commit.fresh_seq(off_);
  for (uint32_t l = 0; l < shape_.segment_lines; ++l) {
    const uint64_t line_off = off_ + l * kLineBytes;
    alloc::GuardedLine* line = pool_.line(line_off);
    for (uint32_t w = 0; w < alloc::kLineWords; ++w) {
      uint64_t word = 0;
      if (w < lines_[l].count) {
        const PlacedSlot& placed = lines_[l].slots[w];
        const uint64_t slot = broken(site::kSplitMarksKept) ? placed.slot : placed.slot & ~kDisplaced;
        word = slot | (l == 1 + placed.home ? 0 : kDisplaced);
      }
      line->words[w] = word;
    }
    if (l == 0) {
      line->words[kSegmentMagicDepth] = kSegmentMagic | uint64_t{depth_} << 32;
      line->words[kSegmentPrefix] = prefix_;
      line->words[kSegmentTable] = table_id_;
    }
    sync::point(sync::Event::store, &line->guard);
    line->guard = alloc::make_guard(pool_.salt(), line_off, line->words, seq);
  }
  commit.flush_fresh_lines(off_, shape_.segment_bytes(), site::kSegmentFlush);
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
    if (tree_.closed()) return Code::stopped;  // again: allocate may have let go of lane and pin
    if (commit.pin_breaks() != 0) {
      const bool rebuild = rebuild_, child_node = child_node_;
      const uint32_t depth = depth_;
      NACRE_TRY(look());
      if (gone_) return Code::ok;
      if (rebuild_ != rebuild || child_node_ != child_node || depth_ != depth) continue;
    }

    const uint32_t new_depth = rebuild_ ? depth_ : depth_ + 1;
    const uint64_t prefix = prefix_of(hash_, depth_);
    const uint64_t right_prefix = prefix | uint64_t{1} << (63 - depth_);
    if (!rebuild_) tree_.directory_.grow_to(new_depth);
    const uint32_t said_depth = broken(site::kSplitDepthKept) ? depth_ : new_depth;
    std::array images{
        SegmentImage(pool_, shape_, tree_.table_id_, left_off, prefix, said_depth, image_lines_[0]),
        SegmentImage(pool_, shape_, tree_.table_id_, right_off, right_prefix, said_depth, image_lines_[1])};
    NACRE_TRY(fill_images(images));
    images[0].write(commit);
    if (!rebuild_ && !broken(site::kSplitRightLost)) images[1].write(commit);
    const uint64_t left = make_entry(EntryKind::segment, new_depth, left_off);
    const uint64_t right = rebuild_ ? left : make_entry(EntryKind::segment, new_depth, right_off);
    if (child_node_) write_child_node(commit, node_off, left, right);
    commit.finish_fresh();
    if (!rebuild_ && !child_node_ && !path_.in_root && broken(site::kSplitInTwoCommits))
      return publish_halves(commit, prefix, left, right_prefix, right);

    if (!broken(site::kSplitOldKept)) NACRE_TRY(commit.free(segment_off_, alloc::UnitUse::lines));
    NACRE_TRY(commit.lock(locked_lines_, entry_lines_.size(), path_.count));
    if (!still_valid()) continue;  // the destructor gives everything back
    for (const LineView& line : lines_) commit.raise_seq(alloc::guard_seq(line.guard));
    change_entries(commit, left, right, node_off);
    const auto tell = [&] {
      tree_.directory_.store(prefix, new_depth, left);
      if (!rebuild_ && !broken(site::kSplitDirectoryStale)) tree_.directory_.store(right_prefix, new_depth, right);
    };
    NACRE_TRY(commit.publish([&] {
      if (!broken(site::kDirectoryLate)) tell();
    }));
    if (broken(site::kDirectoryLate)) tell();
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

// The bit of the hash, from its top, that tells the halves apart.
uint32_t SegmentSplit::split_bit() const noexcept { return broken(site::kSplitWrongBit) ? depth_ + 1 : depth_; }

// The tag holds the split bit unless the segment is shallower than the tag's first bit, or the home is not known
// because the slot is in the stash; then the key is read.
Status SegmentSplit::side_and_home(const Slot& slot, uint32_t& side, uint32_t& home) const {
  const bool in_stash = slot.line > shape_.home_lines();
  const bool tag_tells = depth_ >= shape_.tag_skip && depth_ < shape_.tag_skip + kTagBits;
  if (rebuild_) side = 0;
  if ((tag_tells || rebuild_) && !in_stash) {
    if (!rebuild_)
      side = static_cast<uint32_t>(slot.slot >> (kOffBits + kTagBits - 1 - (split_bit() - shape_.tag_skip)) & 1);
    const uint32_t line = slot.line - 1;
    const bool displaced = (slot.slot & kDisplaced) != 0;
    home = !displaced ? line : line == 0 ? shape_.home_lines() - 1 : line - 1;
    return Code::ok;
  }
  RecordView view;
  const uint64_t off = slot_off(slot.slot);
  if (!view_record(pool_, off, view) || !record_intact(pool_, off, view)) return damaged_record(off);
  const KeyHash hash = tree_.hash_key(view.key);
  if (!rebuild_) side = static_cast<uint32_t>(hash.bits >> (63 - split_bit()) & 1);
  home = hash.home;
  return Code::ok;
}

// Each slot keeps its line at first, where there is surely room, and is then settled.
Status SegmentSplit::fill_images(std::array<SegmentImage, 2>& images) const {
  for (uint32_t l = 1 + shape_.home_lines(); l < shape_.segment_lines; ++l)  // their keys will be read
    for (uint64_t slot : lines_[l].words)
      if (slot_live(slot)) tree_.prefetch_record(slot);
  for (uint32_t l = 1; l < shape_.segment_lines; ++l)
    for (uint64_t slot : lines_[l].words) {
      if (!slot_live(slot)) continue;
      uint32_t side = 0, home = 0;
      NACRE_TRY(side_and_home({l, slot}, side, home));
      images[side].keep(l, home, slot);
    }
  for (SegmentImage& image : images) image.settle();
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
      const bool is_left = idx < entries / 2 || broken(site::kSplitNodeAllLeft);
      line->words[w] = idx >= entries ? 0 : is_left ? left : right;
    }
    line->guard = alloc::make_guard(pool_.salt(), line_off, line->words, seq);
  }
  commit.flush_fresh_lines(node_off, shape_.dir_node_bytes(), site::kDirectoryFlush);
}

bool SegmentSplit::still_valid() const {
  if (broken(site::kSplitUnchecked)) return true;
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
    const bool is_left = i < path_.count / 2 || broken(site::kSplitAllLeft);
    const uint64_t entry = child_node_ ? child : is_left ? left : right;
    commit.set_word(directory.line_of(path_.node_off, idx), Directory::word_of(idx), entry);
  }
}

}  // namespace nacre::engine::hash
