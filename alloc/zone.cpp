#include "alloc/zone.h"

#include <algorithm>

#include "alloc/mutants.h"

namespace nacre::alloc {
namespace {

unsigned long long ull(uint64_t v) noexcept { return v; }

// All zones but the last are whole, and the metadata of the last one is there.
Status check_backed(const Layout& layout) {
  const uint64_t n = layout.zone_count();
  const uint64_t frames = layout.pool_bytes() >> layout.chunk_shift;
  if (n == 0) return Status::error(Code::corruption, "zone table: it names no zone");
  if (frames >= layout.zone(n - 1).chunk_frame) return Code::ok;
  return Status::error(Code::corruption,
                       "zone table: zone %llu begins at offset %llu, its chunks at %llu, behind the "
                       "end of this pool of %llu bytes",
                       ull(n - 1), ull(layout.chunk_off(layout.zone(n - 1).meta_frame)),
                       ull(layout.chunk_off(layout.zone(n - 1).chunk_frame)), ull(layout.pool_bytes()));
}

}  // namespace

Status load_zones(const pmem::Domain& domain, Salt salt, Layout& layout) {
  bool ended = false;
  for (uint64_t z = 0; z < kMaxZones; ++z) {
    const ZoneWordRef ref = zone_word_ref(z);
    const auto* line = domain.at<GuardedLine>(ref.line_off);
    if (ref.word == 0 && !line_intact(salt, ref.line_off, *line) && !broken(site::kZoneUnchecked))
      return Status::error(Code::corruption, "zone table line at offset %llu fails its check; run nacre check",
                           ull(ref.line_off));
    const uint64_t capacity = line->words[ref.word];
    if (capacity == 0) {
      ended = true;
      continue;
    }
    if (ended || !layout.append_zone(capacity))
      return Status::error(Code::corruption, "zone table: zone %llu of %llu chunks %s", ull(z), ull(capacity),
                           ended ? "follows on an empty word" : "does not fit a pool");
  }
  return check_backed(layout);
}

void write_chunk_table(pmem::Domain& domain, Salt salt, const Layout& layout, const Zone& zone, uint64_t first,
                       uint64_t last, uint64_t seq, const pmem::Site& site) noexcept {
  const uint64_t from = ceil_div(first, kLineWords), to = Layout::chunk_table_lines(last);
  if (from >= to) return;
  const uint64_t begin = layout.place_in(zone, from * kLineWords).line_off;
  for (uint64_t off = begin; off < begin + (to - from) * kLineBytes; off += kLineBytes) {
    auto* line = domain.at<GuardedLine>(off);
    std::fill_n(line->words, kLineWords, 0);
    line->guard = make_guard(salt, off, line->words, seq);
  }
  domain.flush(begin, (to - from) * kLineBytes, site);
}

}  // namespace nacre::alloc
