#include "tests/crash/damage_trials.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "alloc/heap_layout.h"
#include "alloc/lane_layout.h"
#include "alloc/log_record.h"
#include "tests/crash/crash_domain.h"

namespace nacre::crash {
namespace {

using Image = std::vector<std::byte>;

/// Where the valid records of the first lane begin; at most those of its first half.
std::vector<uint64_t> records_of(const alloc::Pool& pool, const Image& image) {
  const alloc::Layout& layout = pool.layout();
  const uint32_t half = layout.geometry.lane_cells / 2;
  std::vector<uint64_t> offs;
  for (uint32_t cell = 0; cell < half;) {
    const uint64_t off = layout.cell_off(0, cell);
    const uint32_t cells = alloc::probe_record(image.data() + off, half - cell, alloc::record_seed(pool.salt(), off));
    if (cells != 0) offs.push_back(off);
    cell += cells == 0 ? 1 : cells;
  }
  return offs;
}

uint64_t first_bitmap_off(const alloc::Pool& pool) {
  const alloc::Layout& layout = pool.layout();
  return layout.place_of(static_cast<uint32_t>(layout.zone(0).chunk_frame)).bitmap_off;
}

/// 0: there is nothing of that name.
uint64_t offset_of(const alloc::Pool& pool, const Image& image, std::string_view place) {
  const alloc::Layout& layout = pool.layout();
  if (place == "lane") return layout.lane_header_off(0) + offsetof(alloc::LaneHeader, retired);
  if (place == "zone") return alloc::kZoneTableOff;
  if (place == "class") return alloc::kClassTableOff;
  if (place == "chunk") return layout.place_of(static_cast<uint32_t>(layout.zone(0).chunk_frame)).line_off;
  if (place == "bitmap") return first_bitmap_off(pool);
  const std::vector<uint64_t> records = records_of(pool, image);
  if (place == "record" && records.size() > 2) return records[1];
  if (place == "first" && records.size() > 1) return records[0];
  return 0;
}

/// All that an open reads, and with `and_more` what it leaves for later.
Status read_all(const Image& image, bool and_more) {
  NACRE_ASSIGN(auto pool, alloc::Pool::open(std::make_unique<CrashDomain>(std::span<const std::byte>(image)), {}));
  while (and_more) {
    NACRE_ASSIGN(const bool more, pool->heap().load_some());
    if (!more) break;
  }
  return Code::ok;
}

}  // namespace

// The durable image: there lines are older than the log says.
Status refuses_damage(alloc::Pool& pool, std::string_view place) {
  const CrashMedium& medium = static_cast<CrashDomain&>(pool.domain()).medium();
  Image image(medium.durable(), medium.durable() + pool.domain().size_bytes());
  const bool is_read_later = place == "chunk" || place == "bitmap";
  NACRE_TRY(read_all(image, true));
  const uint64_t off = offset_of(pool, image, place);
  if (off == 0) return Status::error(Code::invalid_argument, "trial: there is nothing to damage");
  const bool in_log = place == "record" || place == "first";
  // A seq far above all others, which would dismiss the whole log; some word of the record; a bit of the line's check.
  image[off + (place == "lane" ? 2 : in_log ? 2 * kWordBytes : kLineBytes - 2)] ^= std::byte{1};
  if (read_all(image, is_read_later).code() == Code::corruption) return Code::ok;
  return Status::error(Code::corruption, "trial: damage of the %s is not seen", std::string(place).c_str());
}

}  // namespace nacre::crash
