// Laying out an empty pool, and reading the superblock of an existing one.
#include <cstring>

#include "alloc/format.h"
#include "alloc/heap_layout.h"
#include "alloc/lane_layout.h"
#include "alloc/mutants.h"
#include "alloc/sites.h"
#include "alloc/zone.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kMinChunks = 4;

void write_line(pmem::Domain& domain, Salt salt, uint64_t off, const uint64_t (&words)[kLineWords]) noexcept {
  auto* line = domain.at<GuardedLine>(off);
  std::memcpy(line->words, words, sizeof words);
  line->guard = make_guard(salt, off, words, kFirstSeq);
}

void write_class_table(pmem::Domain& domain, Salt salt, const std::vector<uint64_t>& class_words) noexcept {
  for (uint64_t l = 0; l < kClassTableBytes / kLineBytes; ++l) {
    uint64_t words[kLineWords] = {};
    for (uint64_t w = 0; w < kLineWords && l * kLineWords + w < class_words.size(); ++w)
      words[w] = class_words[l * kLineWords + w];
    write_line(domain, salt, kClassTableOff + l * kLineBytes, words);
  }
}

void write_lanes(pmem::Domain& domain, Salt salt, const Layout& layout) noexcept {
  for (uint64_t lane = 0; lane < layout.geometry.lane_count; ++lane) {
    const uint64_t off = layout.lane_header_off(lane);
    std::memset(domain.base() + off, 0, layout.lane_bytes);
    auto* header = domain.at<LaneHeader>(off);
    header->seal = make_lane_word(salt, off + offsetof(LaneHeader, seal), 0);
    header->retired = make_lane_word(salt, off + offsetof(LaneHeader, retired), 0);
  }
}

// One zone over all of the pool. Only its chunk table is written: nine bytes a chunk.
void write_zones(pmem::Domain& domain, Salt salt, const Layout& layout) noexcept {
  for (uint64_t l = 0; l < kZoneTableBytes / kLineBytes; ++l) {
    uint64_t words[kLineWords] = {};
    for (uint64_t z = 0; z < layout.zone_count(); ++z)
      if (const ZoneWordRef ref = zone_word_ref(z); ref.line_off == kZoneTableOff + l * kLineBytes)
        words[ref.word] = layout.zone(z).capacity;
    write_line(domain, salt, kZoneTableOff + l * kLineBytes, words);
  }
  for (uint64_t z = 0; z < layout.zone_count(); ++z)
    write_chunk_table(domain, salt, layout, layout.zone(z), 0, layout.chunks_in(z), kFirstSeq, site::kFormatFlush);
}

void write_superblock(pmem::Domain& domain, Salt salt, const Layout& layout, uint64_t max_bytes,
                      uint64_t copy_off) noexcept {
  const Geometry& g = layout.geometry;
  std::memset(domain.base() + copy_off, 0, kSuperblockBytes);
  uint64_t geometry[kLineWords] = {};
  geometry[kChunkWord] = g.chunk_bytes;
  geometry[kLaneWord] = g.lane_count | uint64_t{g.lane_cells} << 32;
  geometry[kClientWord] = g.client;
  write_line(domain, 0, copy_off + kGeometryLineOff, geometry);
  uint64_t roots[kLineWords] = {};
  roots[kPoolBytesWord] = layout.pool_bytes();
  roots[kMaxBytesWord] = max_bytes;
  write_line(domain, salt, copy_off + kRootsLineOff, roots);
}

// All but the magic word, which is stored later and alone.
void write_identity(pmem::Domain& domain, const FormatOptions& options, uint64_t copy_off) noexcept {
  uint64_t identity[kLineWords] = {};
  identity[kMagicWord] = kMagic;
  identity[kVersionWord] = kFormatVersion;
  identity[kIdLoWord] = options.identity_lo;
  identity[kIdHiWord] = options.identity_hi;
  write_line(domain, 0, copy_off, identity);
  if (!broken(site::kFormatMagicWithRest)) domain.at<GuardedLine>(copy_off)->words[kMagicWord] = 0;
}

void publish_magic(pmem::Domain& domain) noexcept {
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
    if (copy != kSuperblockAOff && broken(site::kFormatOneMagic)) continue;
    domain.at<GuardedLine>(copy)->words[kMagicWord] = kMagic;  // one atomic word makes it a pool
    domain.flush(copy, kWordBytes, site::kMagicFlush);
  }
  domain.fence(site::kMagicFence);
}

Status check_identity(const GuardedLine& line, bool read_only) {
  const auto version = static_cast<uint32_t>(line.words[kVersionWord]);
  const auto hex = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  if (line.words[kVersionWord] != kFormatVersion)
    return Status::error(Code::incompatible, "the pool has format version %u, this build reads version %u; use the "
                         "release that made it to dump it, and load the dump here", version, kFormatVersion);
  if ((line.words[kIncompatWord] & ~kKnownIncompat) != 0)
    return Status::error(Code::incompatible, "the pool uses features unknown to this build (incompatible bits %llx); "
                         "open it with a newer release", hex(line.words[kIncompatWord] & ~kKnownIncompat));
  if (!read_only && (line.words[kRoCompatWord] & ~kKnownRoCompat) != 0)
    return Status::error(Code::incompatible, "the pool has features this build can read but not write (bits %llx); "
                         "open it read-only or with a newer release", hex(line.words[kRoCompatWord] & ~kKnownRoCompat));
  return Code::ok;
}

struct CopyState {
  bool magic = false;     // the magic word is there
  bool identity = false;  // and its line is intact
  bool geometry = false;
  bool roots = false;
};

CopyState look_at(const pmem::Domain& domain, uint64_t copy_off) noexcept {
  const auto* copy = domain.at<SuperblockLayout>(copy_off);
  CopyState s;
  s.magic = copy->identity.words[kMagicWord] == kMagic;
  s.identity = s.magic && line_intact(0, copy_off, copy->identity);
  s.geometry = line_intact(0, copy_off + kGeometryLineOff, copy->geometry);
  if (s.identity)
    s.roots = line_intact(salt_of(copy->identity.words[kIdLoWord], copy->identity.words[kIdHiWord]),
                          copy_off + kRootsLineOff, copy->roots);
  return s;
}

}  // namespace

Status format_pool(pmem::Domain& domain, const FormatOptions& options) {
  if (!options.geometry.valid())
    return Status::error(Code::invalid_argument, "format: chunk, zone or lane numbers are out of range");
  const uint64_t bytes = options.pool_bytes != 0 ? options.pool_bytes : domain.size_bytes();
  Layout layout(options.geometry, bytes);
  layout.append_zone(layout.largest_capacity(bytes));
  if (layout.chunk_count() < kMinChunks || bytes > kMaxPoolBytes || bytes > domain.size_bytes())
    return Status::error(Code::invalid_argument,
                         "format: %llu bytes give %llu chunks of %u bytes; a pool needs at least %llu chunks, at most "
                         "16 TiB, and not more than the %llu bytes of its file", static_cast<unsigned long long>(bytes),
                         static_cast<unsigned long long>(layout.chunk_count()), options.geometry.chunk_bytes,
                         static_cast<unsigned long long>(kMinChunks),
                         static_cast<unsigned long long>(domain.size_bytes()));
  NACRE_ASSIGN(const auto class_words, default_class_words(options.geometry, options.classes));
  const Salt salt = salt_of(options.identity_lo, options.identity_hi);
  write_class_table(domain, salt, class_words);
  if (!broken(site::kFormatNoLanes)) write_lanes(domain, salt, layout);
  write_zones(domain, salt, layout);
  if (broken(site::kFormatMagicFirst)) publish_magic(domain);
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
    write_superblock(domain, salt, layout, options.max_bytes, copy);
    write_identity(domain, options, copy);
  }
  domain.flush(0, layout.zones_off, site::kFormatFlush);
  domain.fence(site::kFormatFence);  // everything else is durable before the pool has a name
  publish_magic(domain);
  return domain.health();
}

Result<SuperblockView> read_superblock(const pmem::Domain& domain, bool read_only) {
  if (domain.size_bytes() < kLaneAreaOff)
    return Status::error(Code::not_a_pool, "%llu bytes are too few for a Nacre pool",
                         static_cast<unsigned long long>(domain.size_bytes()));
  const CopyState a = look_at(domain, kSuperblockAOff), b = look_at(domain, kSuperblockBOff);
  if (!a.magic && (!b.magic || broken(site::kOpenFirstCopyOnly)))
    return Status::error(Code::not_a_pool, "the file does not begin with a Nacre superblock; it is some other file, or "
                         "its creation was cut short (then remove it and create the pool again)");
  SuperblockView view;
  const CopyState* best = a.identity ? &a : b.identity ? &b : nullptr;
  if (best == nullptr) {  // a later format may check its lines otherwise: the version is looked at first
    for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
      const auto* line = domain.at<GuardedLine>(copy);
      if (line->words[kMagicWord] == kMagic) NACRE_TRY(check_identity(*line, read_only));
    }
    return Status::error(Code::corruption, "both copies of the superblock's identity line are damaged");
  }
  const auto* identity = domain.at<GuardedLine>(a.identity ? kSuperblockAOff : kSuperblockBOff);
  NACRE_TRY(check_identity(*identity, read_only));
  if (!a.geometry && !b.geometry)
    return Status::error(Code::corruption, "both copies of the superblock's geometry line are damaged");
  const auto* geometry = domain.at<GuardedLine>((a.geometry ? kSuperblockAOff : kSuperblockBOff) + kGeometryLineOff);
  view.geometry.chunk_bytes = static_cast<uint32_t>(geometry->words[kChunkWord]);
  view.geometry.lane_count = static_cast<uint32_t>(geometry->words[kLaneWord]);
  view.geometry.lane_cells = static_cast<uint32_t>(geometry->words[kLaneWord] >> 32);
  view.geometry.client = geometry->words[kClientWord];
  view.identity_lo = identity->words[kIdLoWord];
  view.identity_hi = identity->words[kIdHiWord];
  if (!view.geometry.valid() || geometry->words[kChunkWord] >> 32 != 0)
    return Status::error(Code::corruption, "the superblock's geometry makes no sense");
  if (Layout(view.geometry, 0).zones_off > domain.size_bytes())
    return Status::error(Code::corruption,
                         "the file has %llu bytes, less than the lane area of this pool needs: it was "
                         "truncated",
                         static_cast<unsigned long long>(domain.size_bytes()));
  return view;
}

void heal_superblock(pmem::Domain& domain, Salt salt) noexcept {
  bool healed = false;
  const struct {
    uint64_t at;
    Salt salt;
  } lines[] = {{0, 0}, {kGeometryLineOff, 0}, {kRootsLineOff, salt}};
  for (const auto& [at, line_salt] : lines) {
    const uint64_t a = kSuperblockAOff + at, b = kSuperblockBOff + at;
    const bool a_sound = line_intact(line_salt, a, *domain.at<GuardedLine>(a));
    const bool b_sound = line_intact(line_salt, b, *domain.at<GuardedLine>(b));
    if (a_sound == b_sound) continue;
    const auto* good = domain.at<GuardedLine>(a_sound ? a : b);
    const uint64_t bad_off = a_sound ? b : a;
    auto* bad = domain.at<GuardedLine>(bad_off);
    std::memcpy(bad->words, good->words, sizeof bad->words);
    bad->guard = make_guard(line_salt, bad_off, bad->words, guard_seq(good->guard));
    domain.flush(bad_off, kLineBytes, site::kHealFlush);
    healed = true;
  }
  if (healed) domain.fence(site::kHealFence);
}

Status refuse_truncated(const pmem::Domain& domain, Salt salt) {
  for (uint64_t off : kRootsLines) {
    const auto* roots = domain.at<GuardedLine>(off);
    if (line_intact(salt, off, *roots) && roots->words[kPoolBytesWord] > domain.size_bytes())
      return Status::error(Code::corruption, "the pool has %llu bytes but its file only %llu: it was truncated",
                           static_cast<unsigned long long>(roots->words[kPoolBytesWord]),
                           static_cast<unsigned long long>(domain.size_bytes()));
  }
  return Code::ok;
}

Result<RootsView> read_roots(const pmem::Domain& domain, Salt salt) {
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff}) {
    const uint64_t off = copy + kRootsLineOff;
    const auto* roots = domain.at<GuardedLine>(off);
    if (!line_intact(salt, off, *roots)) continue;
    NACRE_TRY(refuse_truncated(domain, salt));
    return RootsView{off, roots->words[kPoolBytesWord]};
  }
  return Status::error(Code::corruption, "both copies of the superblock's roots line are damaged");
}

}  // namespace nacre::alloc
