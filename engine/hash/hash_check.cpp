// Verifying a hash table: every line, every entry, every slot and record, and that each key stands where a look-up
// would find it.
#include <set>
#include <string>

#include "engine/catalogue_layout.h"
#include "engine/hash/hash_table.h"
#include "engine/record.h"

namespace nacre::engine::hash {
namespace {

unsigned long long ull(uint64_t v) noexcept { return v; }

// Such a table is emptied line by line, and nobody looks anything up in it.
bool is_dropping(const alloc::GuardedLine& table_line) noexcept {
  return table_state(table_line.words[kTableHead]) == TableState::dropping;
}

}  // namespace

/// Which hashes an entry may own.
struct HashTree::CheckSpot {
  uint64_t prefix = 0;   // left-aligned
  uint32_t bits = 0;     // of it, that the place of the entry fixes (of its first copy)
  uint32_t floor = 0;    // bits fixed above the node
  uint32_t level = 0;    // of the node below, if the entry is one
};

uint64_t HashTree::check(alloc::HeapCheck& check) {
  const uint64_t off = directory_.root_line_off();
  if (!alloc::line_intact(pool_.salt(), off, *pool_.line(off))) {
    check.problem("table %u: its catalogue line fails its check", table_id_);
    return 0;
  }
  uint64_t live = 0;
  const uint64_t entry = pool_.line(off)->words[directory_.root_word()];
  if (entry != 0) check_entry(check, {}, entry, live);
  return live;
}

void HashTree::check_entry(alloc::HeapCheck& check, const CheckSpot& spot, uint64_t entry, uint64_t& live) {
  const uint64_t off = entry_off(entry);
  const EntryKind kind = entry_kind(entry);
  const bool segment = kind == EntryKind::segment;
  const bool depth_fits =
      !segment || (entry_depth(entry) <= spot.bits && (spot.bits == 0 || entry_depth(entry) > spot.floor));
  if (!entry_clean(entry) || kind == EntryKind::empty || !depth_fits || spot.bits > kMaxDepth + shape_.dir_bits) {
    check.problem("table %u: directory entry %016llx makes no sense", table_id_, ull(entry));
    return;
  }
  if (segment) {
    if (check.mark(off, shape_.segment_bytes(), "segment"))
      check_segment(check, off, spot.prefix, entry_depth(entry), live);
  } else if (check.mark(off, shape_.dir_node_bytes(), "directory node")) {
    check_node(check, spot, off, live);
  }
}

void HashTree::check_node(alloc::HeapCheck& check, const CheckSpot& spot, uint64_t node_off, uint64_t& live) {
  for (uint32_t l = 0; l < shape_.dir_lines(); ++l) {
    const uint64_t line_off = node_off + l * kLineBytes;
    if (!alloc::line_intact(pool_.salt(), line_off, *pool_.line(line_off)))
      check.problem("directory line at offset %llu fails its check", ull(line_off));
  }
  const auto word_at = [&](uint32_t idx) {
    return pool_.line(directory_.line_of(node_off, idx))->words[Directory::word_of(idx)];
  };
  const uint32_t bits = spot.bits + shape_.dir_bits;
  for (uint32_t idx = 0, copies; idx < shape_.dir_entries(); idx += copies) {
    const uint64_t entry = word_at(idx);
    copies = 1;
    if (entry == 0) continue;  // only while the table is being dropped
    if (entry_kind(entry) == EntryKind::segment && entry_depth(entry) <= bits && entry_depth(entry) > spot.bits)
      copies = 1u << (bits - entry_depth(entry));
    for (uint32_t i = 1; i < copies; ++i)
      if (idx % copies != 0 || idx + i >= shape_.dir_entries() || word_at(idx + i) != entry) {
        check.problem("directory node at offset %llu: the copies of entry %u differ", ull(node_off), idx);
        break;
      }
    check_entry(check, {spot.prefix | uint64_t{idx} << (64 - bits), bits, spot.bits, spot.level + 1}, entry, live);
  }
  for (uint32_t idx = shape_.dir_entries(); idx < shape_.dir_lines() * alloc::kLineWords; ++idx)
    if (word_at(idx) != 0) check.problem("directory node at offset %llu: padding is not zero", ull(node_off));
}

void HashTree::check_segment(alloc::HeapCheck& check, uint64_t segment_off, uint64_t prefix, uint32_t depth,
                             uint64_t& live) {
  const alloc::GuardedLine* header = pool_.line(segment_off);
  const uint64_t head = kSegmentMagic | uint64_t{depth} << 32;
  if (header->words[kSegmentMagicDepth] != head || header->words[kSegmentPrefix] != prefix ||
      header->words[kSegmentTable] != table_id_)
    check.problem("segment at offset %llu: its header does not fit the entry that leads to it", ull(segment_off));
  std::set<std::string_view> keys;
  for (uint32_t l = 0; l < shape_.segment_lines; ++l) {
    const uint64_t line_off = segment_off + l * kLineBytes;
    if (!alloc::line_intact(pool_.salt(), line_off, *pool_.line(line_off))) {
      check.problem("segment line at offset %llu fails its check", ull(line_off));
      continue;
    }
    if (l == 0) continue;
    for (uint64_t slot : pool_.line(line_off)->words) {
      if (!slot_live(slot)) {
        if (slot != 0 && slot != kTombstone)
          check.problem("segment line at offset %llu: slot %016llx has no offset", ull(line_off), ull(slot));
        continue;
      }
      ++live;
      check_slot(check, segment_off, prefix, depth, l, slot);
      RecordView view;
      if (view_record(pool_, slot_off(slot), view) && !keys.insert(view.key).second)
        check.problem("segment at offset %llu: a key of %zu bytes stands in it twice", ull(segment_off),
                      view.key.size());
    }
  }
}

void HashTree::check_slot(alloc::HeapCheck& check, uint64_t segment_off, uint64_t prefix, uint32_t depth, uint32_t line,
                          uint64_t slot) {
  const uint64_t off = slot_off(slot);
  RecordView view;
  if (!view_record(pool_, off, view)) {
    check.problem("record at offset %llu: its lengths lead outside the pool", ull(off));
    return;
  }
  check.mark(off, view.bytes, "record");
  if (!record_intact(pool_, off, view)) {
    check.problem("record at offset %llu fails its checksum", ull(off));
    return;
  }
  if (view.table != table_id_ || view.kind() != RecordKind::pair)
    check.problem("record at offset %llu belongs to table %u, not %u", ull(off), view.table, table_id_);
  const KeyHash hash = hash_key(view.key);
  const bool in_prefix = depth == 0 || hash.bits >> (64 - depth) == prefix >> (64 - depth);
  const uint64_t here = segment_off + line * kLineBytes;
  uint32_t n = 0;
  while (n < probe_count() && probe_line_off(segment_off, hash.home, n) != here) ++n;
  if (!in_prefix || n == probe_count() || slot_head(slot) != (hash.tag | (n == 0 ? 0 : kDisplaced)))
    check.problem("record at offset %llu: its slot stands where no look-up finds it", ull(off));
  if (is_dropping(*pool_.line(directory_.root_line_off()))) return;
  for (uint32_t before = 0; before < n && n < probe_count(); ++before)
    for (uint64_t word : pool_.line(probe_line_off(segment_off, hash.home, before))->words)
      if (word == 0) {
        check.problem("record at offset %llu: a line before its own has a zero word", ull(off));
        return;
      }
}

}  // namespace nacre::engine::hash
