#include "engine/catalogue.h"

#include <array>
#include <set>

#include "engine/hash/hash_table.h"
#include "engine/mutants.h"
#include "engine/record.h"
#include "engine/sites.h"

namespace nacre::engine {
namespace {

constexpr uint64_t kMaxTableId = 0xffff;

Status bad_catalogue(uint64_t off) {
  return Status::error(Code::corruption, "catalogue line at offset %llu makes no sense; run nacre check",
                       static_cast<unsigned long long>(off));
}

}  // namespace

uint64_t Catalogue::first_node_off() const noexcept {
  return sync::load_acquire(&pool_.line(pool_.roots_off())->words[alloc::kCatalogueWord]);
}

void Catalogue::write_node(alloc::Commit& commit, uint64_t off) {
  const uint64_t seq = broken(site::kCatalogueSeqLow) ? 1 : commit.fresh_seq(off);
  for (uint32_t l = 0; l < shape_.catalogue_lines(); ++l) {
    alloc::GuardedLine* line = pool_.line(off + l * kLineBytes);
    for (uint64_t& word : line->words) word = 0;
    if (l == 0) line->words[kCatMagic] = kCatalogueMagic;
    line->guard = alloc::make_guard(pool_.salt(), off + l * kLineBytes, line->words, seq);
  }
  commit.flush_fresh_lines(off, shape_.catalogue_bytes(), site::kCatalogueFlush);
  commit.finish_fresh();
}

Status Catalogue::ensure() {
  if (exists()) return Code::ok;
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  uint64_t off;
  NACRE_TRY(commit.allocate(shape_.catalogue_bytes(), alloc::UnitUse::lines, off));
  write_node(commit, off);
  NACRE_TRY(commit.lock(alloc::kRootsLines, 2, 2));
  for (uint64_t line : alloc::kRootsLines)
    if (line == alloc::kRootsLines[0] || !broken(site::kCatalogueOneRoot))
      commit.set_word(line, alloc::kCatalogueWord, off);
  return commit.publish();
}

Status Catalogue::read_node_header(uint64_t node_off, LineView& header) {
  if (!pool_.layout().is_line(node_off) || node_off + shape_.catalogue_bytes() > pool_.layout().pool_bytes())
    return bad_catalogue(node_off);
  NACRE_TRY(read_line(pool_, node_off, header));
  return header.words[kCatMagic] == kCatalogueMagic ? Status() : bad_catalogue(node_off);
}

Status Catalogue::read_entry(uint64_t line_off, const LineView& line, TableEntry& out) {
  const uint64_t head = line.words[kTableHead];
  if (!table_head_clean(head) || table_state(head) == TableState::free) return bad_catalogue(line_off);
  out.line_off = line_off;
  out.state = table_state(head);
  out.engine = table_engine(head);
  out.id = table_id(head);
  out.count_valid = (table_flags(head) & kCountValid) != 0;
  out.root = line.words[kTableRoot];
  out.count = line.words[kTableCount];
  out.name.clear();
  const uint64_t name_off = line.words[kTableName];
  if (name_off == 0) return out.state == TableState::live ? bad_catalogue(line_off) : Status();
  RecordView view;
  if (!view_record(pool_, name_off, view) || !record_intact(pool_, name_off, view) ||
      view.kind() != RecordKind::table_name)
    return damaged_record(name_off);
  out.name = view.key;
  return Code::ok;
}

Result<std::vector<TableEntry>> Catalogue::list() {
  alloc::Pin pin(pool_.epochs());
  NACRE_TRY(pin.status());
  std::vector<TableEntry> entries;
  uint64_t nodes = 0;
  for (uint64_t node = first_node_off(); node != 0;) {
    LineView header;
    NACRE_TRY(read_node_header(node, header));
    for (uint32_t l = 1; l < shape_.catalogue_lines(); ++l) {
      LineView line;
      NACRE_TRY(read_line(pool_, node + l * kLineBytes, line));
      if (line.words[kTableHead] == 0) continue;
      NACRE_TRY(read_entry(node + l * kLineBytes, line, entries.emplace_back()));
    }
    node = header.words[kCatNext];
    if (++nodes > kMaxTableId) return bad_catalogue(node);  // the chain bites its tail
  }
  return entries;
}

Result<TableEntry> Catalogue::find(std::string_view name) {
  NACRE_ASSIGN(auto entries, list());
  for (TableEntry& e : entries)
    if (e.state == TableState::live && e.name == name) return std::move(e);
  return Code::not_found;
}

Result<Catalogue::FreeLine> Catalogue::free_line() {
  for (;;) {
    FreeLine found;
    found.head_off = first_node_off();
    uint64_t last = 0, nodes = 0;
    for (uint64_t node = found.head_off; node != 0;) {
      LineView header;
      NACRE_TRY(read_node_header(node, header));
      if (node == found.head_off) found.next_id = header.words[kCatNextTableId];
      for (uint32_t l = 1; l < shape_.catalogue_lines() && found.line_off == 0; ++l) {
        LineView line;
        NACRE_TRY(read_line(pool_, node + l * kLineBytes, line));
        if (line.words[kTableHead] == 0) found.line_off = node + l * kLineBytes;
      }
      last = node;
      node = header.words[kCatNext];
      if (++nodes > kMaxTableId) return bad_catalogue(node);
    }
    if (found.line_off != 0) return found;
    NACRE_TRY(append_node(last));
  }
}

Status Catalogue::append_node(uint64_t last_node_off) {
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  uint64_t off;
  NACRE_TRY(commit.allocate(shape_.catalogue_bytes(), alloc::UnitUse::lines, off));
  write_node(commit, off);
  NACRE_TRY(commit.lock(std::span(&last_node_off, 1), 1, 1));
  commit.set_word(last_node_off, kCatNext, off);
  return commit.publish();
}

Result<TableEntry> Catalogue::create(std::string_view name) {
  NACRE_ASSIGN(const FreeLine free, free_line());
  if (free.next_id >= kMaxTableId)
    return Status::error(Code::limit, "table: %llu tables have been made in this pool, which is all it can name",
                         static_cast<unsigned long long>(free.next_id));
  const auto id = static_cast<uint16_t>(free.next_id + 1);
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  uint64_t name_off, segment_off;
  const uint64_t name_bytes = record_bytes(name.size(), 0);
  NACRE_TRY(commit.allocate(name_bytes, alloc::UnitUse::record, name_off));
  NACRE_TRY(commit.allocate(shape_.segment_bytes(), alloc::UnitUse::lines, segment_off));
  const uint32_t crc = store_record(pool_, name_off, RecordKind::table_name, id, name, {});
  commit.flush_fresh(name_off, name_bytes, crc, site::kTableNameFlush);
  hash::HashTree::write_empty_segment(commit, pool_, shape_, id, segment_off);
  if (!broken(site::kCreateUnfenced)) commit.finish_fresh();
  const std::array lines{free.head_off, free.line_off};
  NACRE_TRY(commit.lock(lines, 2, 5));
  TableEntry e{free.line_off, TableState::live, EngineKind::hash, id, true,
               hash::make_entry(hash::EntryKind::segment, 0, segment_off), 0, std::string(name)};
  if (!broken(site::kCreateKeepsId)) commit.set_word(free.head_off, kCatNextTableId, id);
  commit.set_word(free.line_off, kTableHead, make_table_head(e.state, e.engine, kCountValid, id));
  commit.set_word(free.line_off, kTableName, name_off);
  commit.set_word(free.line_off, kTableRoot, e.root);
  commit.set_word(free.line_off, kTableCount, 0);
  NACRE_TRY(commit.publish());
  return e;
}

Result<TableEntry> Catalogue::clear(const TableEntry& table) {
  NACRE_ASSIGN(const FreeLine free, free_line());
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  uint64_t segment_off;
  NACRE_TRY(commit.allocate(shape_.segment_bytes(), alloc::UnitUse::lines, segment_off));
  hash::HashTree::write_empty_segment(commit, pool_, shape_, table.id, segment_off);
  commit.finish_fresh();
  const std::array lines{table.line_off, free.line_off};
  NACRE_TRY(commit.lock(lines, 2, 4));
  TableEntry old = table;
  old.line_off = free.line_off;
  old.state = TableState::dropping;
  old.name.clear();
  old.root = pool_.line(table.line_off)->words[kTableRoot];
  commit.set_word(table.line_off, kTableRoot, hash::make_entry(hash::EntryKind::segment, 0, segment_off));
  if (!broken(site::kClearKeepsCount)) commit.set_word(table.line_off, kTableCount, 0);
  if (broken(site::kClearForgetsOld)) {
    NACRE_TRY(commit.publish());
    return old;
  }
  commit.set_word(free.line_off, kTableHead, make_table_head(TableState::dropping, table.engine, 0, table.id));
  commit.set_word(free.line_off, kTableRoot, old.root);
  NACRE_TRY(commit.publish());
  return old;
}

Status Catalogue::mark_dropping(const TableEntry& table) {
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  if (broken(site::kDropUnmarked)) return Code::ok;
  NACRE_TRY(commit.lock(std::span(&table.line_off, 1), 1, 1));
  commit.set_word(table.line_off, kTableHead, make_table_head(TableState::dropping, table.engine, 0, table.id));
  return commit.publish();
}

Status Catalogue::forget(const TableEntry& table) {
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  LineView line;
  NACRE_TRY(read_line(pool_, table.line_off, line));
  if (!broken(site::kForgetKeepsName) && line.words[kTableName] != 0)
    NACRE_TRY(commit.free(line.words[kTableName], alloc::UnitUse::record));
  NACRE_TRY(commit.lock(std::span(&table.line_off, 1), 1, alloc::kLineWords));
  for (uint32_t w = 0; w < alloc::kLineWords; ++w)
    if (line.words[w] != 0) commit.set_word(table.line_off, w, 0);
  return commit.publish();
}

Status Catalogue::store_count(const TableEntry& table, std::optional<uint64_t> count) {
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.begin());
  NACRE_TRY(commit.lock(std::span(&table.line_off, 1), 1, 2));
  commit.set_word(table.line_off, kTableHead,
                  make_table_head(table.state, table.engine, count ? kCountValid : 0, table.id));
  commit.set_word(table.line_off, kTableCount, count.value_or(0));
  return commit.publish();
}

void Catalogue::check(alloc::HeapCheck& check) {
  uint64_t nodes = 0;
  std::set<uint16_t> ids;
  for (uint64_t node = first_node_off(); node != 0 && ++nodes <= kMaxTableId;) {
    if (!check.mark(node, shape_.catalogue_bytes(), "catalogue node")) return;
    for (uint32_t l = 0; l < shape_.catalogue_lines(); ++l) {
      const uint64_t off = node + l * kLineBytes;
      if (!alloc::line_intact(pool_.salt(), off, *pool_.line(off))) {
        check.problem("catalogue line at offset %llu fails its check", static_cast<unsigned long long>(off));
        continue;
      }
      const uint64_t* words = pool_.line(off)->words;
      const uint64_t head = words[kTableHead];
      if (l != 0 && table_state(head) == TableState::live && !ids.insert(table_id(head)).second)
        check.problem("two tables have the number %u", table_id(head));
      if (l == 0 || words[kTableHead] == 0 || words[kTableName] == 0) continue;
      RecordView view;
      if (!view_record(pool_, words[kTableName], view) || !record_intact(pool_, words[kTableName], view))
        check.problem("the name of table %u is damaged", table_id(words[kTableHead]));
      else
        check.mark(words[kTableName], view.bytes, "table name");
    }
    node = pool_.line(node)->words[kCatNext];
  }
}

}  // namespace nacre::engine
