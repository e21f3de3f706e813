// What a Db tells about itself: stats, info, check.
#include <cinttypes>
#include <cstdio>

#include "alloc/class_table.h"
#include "alloc/heap_check.h"
#include "engine/db_impl.h"
#include "engine/engines.h"

namespace nacre::engine {
namespace {

class Figures {
 public:
  void add(std::string name, uint64_t value) { list_.push_back({std::move(name), value, {}}); }
  void text(std::string name, std::string value) { list_.push_back({std::move(name), 0, std::move(value)}); }
  std::vector<Figure> take() { return std::move(list_); }

 private:
  std::vector<Figure> list_;
};

std::string hex128(uint64_t hi, uint64_t lo) {
  char text[33];
  std::snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, hi, lo);
  return text;
}

void add_class(Figures& f, const alloc::ClassUsage& c) {
  const std::string name = "class." + std::to_string(c.size_class.unit_bytes);
  if (c.size_class.state == alloc::ClassState::retired) f.text(name + ".state", "retired");
  f.add(name + ".slabs", c.slabs);
  f.add(name + ".units", c.units);
  f.add(name + ".live_units", c.live_units);
  f.add(name + ".live_bytes", c.live_bytes());
  f.add(name + ".free_bytes", c.free_bytes());
  f.add(name + ".tail_bytes", c.tail_bytes());
  f.add(name + ".fragmentation_permille", c.fragmentation_permille());
}

/// Space by use, then a group of figures for each class that has slabs.
void add_space(Figures& f, uint64_t chunk_bytes, const alloc::PoolUsage& usage) {
  uint64_t live_bytes = 0;
  for (const alloc::ClassUsage& c : usage.classes) live_bytes += c.live_bytes();
  f.add("chunks", usage.chunks);
  f.add("free_chunks", usage.free_chunks);
  f.add("used_bytes", (usage.chunks - usage.free_chunks) * chunk_bytes);
  f.add("live_unit_bytes", live_bytes);
  f.add("extents", usage.extents);
  f.add("extent_bytes", usage.extent_chunks * chunk_bytes);
  for (const alloc::ClassUsage& c : usage.classes)
    if (c.slabs != 0) add_class(f, c);
}

}  // namespace

Result<std::vector<Figure>> Db::stats() {
  const alloc::Pool& pool = *impl_->pool;
  const pmem::Counters c = impl_->pool->domain().total_counters();
  const alloc::Pool::Stats s = pool.stats();
  Figures f;
  f.add("fences", c.fences);
  f.add("flushed_lines", c.lines);
  f.add("flushed_bytes", c.bytes);
  f.add("commits", s.commits);
  f.add("strict_commits", s.strict_commits);
  f.add("log_cells", s.cells);
  f.add("lane_wraps", s.wraps);
  f.add("epoch_advances", s.advances);
  f.add("retire_advances", s.retires);
  const alloc::Growth::Stats g = pool.growth_stats();
  f.add("growths", g.growths);
  f.add("growths_ahead", g.helped);
  f.add("growth_waits", g.waits);
  f.add("shrinks", g.shrinks);
  f.add("prefaulted_bytes", g.prefaulted_bytes);
  f.add("recovered_records", pool.recovery().counted_records);
  f.add("recovered_lines", pool.recovery().lines_applied);
  return f.take();
}

Result<std::vector<Figure>> Db::info() {
  NACRE_ASSIGN(const auto infos, tables());
  alloc::Pool& pool = *impl_->pool;
  const alloc::Layout& layout = pool.layout();
  const pmem::Domain& domain = pool.domain();
  Figures f;
  f.add("format_version", alloc::kFormatVersion);
  f.text("identity", hex128(pool.identity_hi(), pool.identity_lo()));
  f.text("medium", pmem::medium_name(domain.medium()));
  f.text("medium_forced", domain.forced() ? "yes" : "no");
  f.text("flush", pmem::flush_kind_name(domain.flush_kind()));
  f.text("commit_form", pool.form() == alloc::CommitForm::strict ? "strict" : "one_fence");
  f.text("last_shutdown", impl_->was_clean ? "clean" : "dirty");
  f.add("dirty_shutdowns", impl_->state_word() >> alloc::kDirtyCountShift);
  f.add("pool_bytes", layout.pool_bytes());
  f.add("max_pool_bytes", pool.growth() != nullptr ? pool.growth()->max_bytes() : pool.stored_max_bytes());
  f.add("medium_bytes", domain.size_bytes());
  f.add("reserved_bytes", domain.reserved_bytes());
  f.add("chunk_bytes", layout.geometry.chunk_bytes);
  f.add("lanes", layout.geometry.lane_count);
  f.add("lane_cells", layout.geometry.lane_cells);
  f.add("segment_bytes", impl_->shape.segment_bytes());
  f.add("largest_unit_bytes", pool.heap().classes().largest_unit_bytes());
  f.add("largest_record_bytes", pool.largest_extent_chunks() * layout.geometry.chunk_bytes);
  f.add("zones", layout.zone_count());
  f.add("metadata_bytes", layout.zones_off + layout.zone_meta_bytes());
  NACRE_ASSIGN(const auto usage, alloc::class_usage(pool));
  add_space(f, layout.geometry.chunk_bytes, usage);
  for (const TableInfo& t : infos) {
    NACRE_ASSIGN(const auto opened, table(t.name, std::nullopt));
    NACRE_ASSIGN(const uint64_t count, opened->count());
    f.text("table." + t.name + ".engine", engine_name(t.kind));
    f.add("table." + t.name + ".count", count);
  }
  return f.take();
}

Result<std::vector<Figure>> Db::check() {
  alloc::Pool& pool = *impl_->pool;
  sync::Guard guard(impl_->mutex);
  alloc::WriterStop stop(pool);
  alloc::HeapCheck check(pool);
  check.check_metadata();
  uint64_t keys = 0;
  if (impl_->catalogue.exists()) {
    impl_->catalogue.check(check);
    const auto entries = impl_->catalogue.list();
    if (!entries) {
      check.problem("the catalogue cannot be read: %s", entries.status().message());
    } else {
      for (const TableEntry& e : *entries) {
        hash::HashTree tree(pool, impl_->shape, e.id, e.line_off, kTableRoot);
        const uint64_t live = tree.check(check);
        if (e.state == TableState::live) keys += live;
        uint64_t known;
        const auto it = impl_->open_tables.find(e.name);
        if (e.state == TableState::live && it != impl_->open_tables.end() && it->second->kind() == EngineKind::hash &&
            static_cast<hash::HashTable&>(*it->second).tree().known_count(known) && known != live)
          check.problem("table '%s': count says %" PRIu64 ", %" PRIu64 " keys are there", e.name.c_str(), known, live);
      }
    }
  }
  check.finish();
  const alloc::HeapAccount& a = check.account();
  Figures f;
  f.add("keys", keys);
  f.add("pool_bytes", a.pool_bytes);
  f.add("superblock_bytes", a.superblock_bytes);
  f.add("lane_bytes", a.lane_bytes);
  f.add("zone_metadata_bytes", a.zone_meta_bytes);
  f.add("live_bytes", a.live_bytes);
  f.add("free_unit_bytes", a.free_unit_bytes);
  f.add("slab_tail_bytes", a.slab_tail_bytes);
  f.add("free_chunk_bytes", a.free_chunk_bytes);
  f.add("slack_bytes", a.slack_bytes);
  f.add("live_units", a.live_units);
  f.add("leaked_units", a.leaked_units);
  f.add("leaked_bytes", a.leaked_bytes);
  f.add("problems", check.problem_count());
  for (const std::string& p : check.problems()) f.text("problem", p);
  return f.take();
}

}  // namespace nacre::engine
