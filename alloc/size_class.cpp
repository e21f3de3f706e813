#include "alloc/size_class.h"

#include <algorithm>
#include <bit>

namespace nacre::alloc {
namespace {

constexpr uint32_t kFineStep = 16;
constexpr uint32_t kFineTop = 256;
constexpr uint32_t kGeometricTop = 2048;
constexpr uint64_t kTopChunks = 4;          // the largest default unit
constexpr uint64_t kMaxSlabChunks = 255;    // a byte of the class word
constexpr uint64_t kChosenSlabChunks = 32;  // the most that is chosen for a class
constexpr uint64_t kTailPercent = 3;        // of a slab, accepted at once

uint64_t bitmap_units(const Geometry& g) noexcept {
  return ceil_div(g.chunk_bytes / kMinUnitBytes, kUnitsPerBitmapLine) * kUnitsPerBitmapLine;
}

// The fewest chunks of which less than 3 % are left behind the last unit; else those with the smallest share.
uint64_t choose_slab_chunks(uint64_t unit_bytes, const Geometry& g) noexcept {
  if (unit_bytes <= g.chunk_bytes) return 1;
  uint64_t best = 0, best_tail = 1, best_bytes = 1;
  for (uint64_t n = ceil_div(unit_bytes, g.chunk_bytes); n <= kChosenSlabChunks; ++n) {
    const uint64_t bytes = n * g.chunk_bytes, tail = bytes % unit_bytes;
    if (best == 0 || tail * best_bytes < best_tail * bytes) best = n, best_tail = tail, best_bytes = bytes;
    if (tail * 100 < kTailPercent * bytes) return n;
  }
  return best;
}

uint64_t slab_chunks_of(const ClassSpec& s, const Geometry& g) noexcept {
  return s.slab_bytes != 0 ? s.slab_bytes / g.chunk_bytes : choose_slab_chunks(s.unit_bytes, g);
}

std::vector<ClassSpec> default_specs(const Geometry& g) {
  std::vector<ClassSpec> specs;
  for (uint32_t unit = kMinUnitBytes; unit <= kFineTop; unit += kFineStep) specs.push_back({unit});
  for (uint32_t unit = kFineTop;;) {
    unit = static_cast<uint32_t>(align_up(unit + unit / 8, kFineStep));
    if (unit > kGeometricTop) break;
    specs.push_back({unit});
  }
  for (uint32_t parts = g.chunk_bytes / kGeometricTop; parts >= 1;) {
    specs.push_back({static_cast<uint32_t>(align_down(g.chunk_bytes / parts, kUnitAlign))});
    parts = std::min(parts - 1, (parts * 8 + 8) / 9);  // rounded up: no step wastes more
  }
  std::erase_if(specs, [&](const ClassSpec& s) { return s.unit_bytes > g.chunk_bytes; });
  const uint64_t top = std::min<uint64_t>(kTopChunks * g.chunk_bytes, uint64_t{1} << 31);
  for (uint64_t unit = g.chunk_bytes;;) {
    unit = align_up(unit + unit / 8, kFineStep);
    if (unit > top) break;
    specs.push_back({static_cast<uint32_t>(unit)});
  }
  return specs;
}

Status check_spec(const ClassSpec& s, const Geometry& g) {
  const auto ull = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  const uint64_t chunks = slab_chunks_of(s, g);
  if (s.slab_bytes % g.chunk_bytes != 0 || chunks > kMaxSlabChunks)
    return Status::error(Code::invalid_argument, "allocation class of %u bytes: slabs of %llu bytes are not 1 to %llu "
                         "chunks of %u bytes", s.unit_bytes, ull(s.slab_bytes), ull(kMaxSlabChunks), g.chunk_bytes);
  if (s.unit_bytes < kMinUnitBytes || s.unit_bytes > chunks * g.chunk_bytes ||
      chunks * g.chunk_bytes / s.unit_bytes > bitmap_units(g))
    return Status::error(Code::invalid_argument, "allocation class of %u bytes: a slab of %llu chunks has units of "
                         "%llu to %llu bytes, and at most %llu of them", s.unit_bytes, ull(chunks), ull(kMinUnitBytes),
                         ull(chunks * g.chunk_bytes), ull(bitmap_units(g)));
  if (!is_power_of_two(s.align) || s.align < kUnitAlign || s.align > kPageBytes || s.unit_bytes % s.align != 0)
    return Status::error(Code::invalid_argument,
                         "allocation class of %u bytes: alignment %u must be a power of two from 16 to 4096 that "
                         "divides the unit",
                         s.unit_bytes, s.align);
  return Code::ok;
}

}  // namespace

Result<std::vector<uint64_t>> default_class_words(const Geometry& geometry, std::span<const ClassSpec> extra) {
  std::vector<ClassSpec> specs = default_specs(geometry);
  for (const ClassSpec& s : extra) {
    NACRE_TRY(check_spec(s, geometry));
    specs.push_back(s);
  }
  std::sort(specs.begin(), specs.end(), [](const ClassSpec& a, const ClassSpec& b) {
    return a.unit_bytes != b.unit_bytes ? a.unit_bytes < b.unit_bytes : a.align < b.align;
  });
  std::vector<ClassSpec> merged;  // one class per unit size, with the strongest alignment asked for
  for (const ClassSpec& s : specs) {
    if (!merged.empty() && merged.back().unit_bytes == s.unit_bytes)
      merged.back() = s;
    else
      merged.push_back(s);
  }
  if (merged.size() > kMaxClasses)
    return Status::error(Code::limit, "%zu allocation classes: a pool has room for %u", merged.size(), kMaxClasses);
  std::vector<uint64_t> words;
  for (const ClassSpec& s : merged)
    words.push_back(make_class_word(ClassState::live, static_cast<uint8_t>(slab_chunks_of(s, geometry)),
                                    static_cast<uint8_t>(std::countr_zero(s.align)), s.unit_bytes));
  return words;
}

Status SizeClasses::load(std::span<const uint64_t> words, const Geometry& geometry) {
  count_ = 0;
  largest_ = 0;
  for (uint32_t id = 0; id < words.size() && id < kMaxClasses; ++id) {
    const uint64_t word = words[id];
    SizeClass c;
    if (word != 0) {
      c.unit_bytes = static_cast<uint32_t>(word);
      const auto align_log2 = static_cast<uint8_t>(word >> 32);
      const auto slab_chunks = static_cast<uint8_t>(word >> 40);
      const auto state = static_cast<uint8_t>(word >> 56);
      const uint64_t slab_bytes = uint64_t{slab_chunks} * geometry.chunk_bytes;
      const bool fits = state <= 2 && slab_chunks != 0 && align_log2 >= 4 && align_log2 <= 12 &&
                        (word >> 48 & 0xff) == 0 && c.unit_bytes >= kMinUnitBytes &&
                        c.unit_bytes <= slab_bytes && slab_bytes / c.unit_bytes <= bitmap_units(geometry) &&
                        c.unit_bytes % (1u << align_log2) == 0;
      if (!fits)
        return Status::error(Code::corruption, "class table: class %u has the word %016llx, which describes no class",
                             id, static_cast<unsigned long long>(word));
      c.align = 1u << align_log2;
      c.state = static_cast<ClassState>(state);
      c.slab_chunks = slab_chunks;
      c.units_per_slab = static_cast<uint32_t>(slab_bytes / c.unit_bytes);
      count_ = id + 1;
      if (c.state == ClassState::live) largest_ = std::max<uint64_t>(largest_, c.unit_bytes);
    }
    classes_[id] = c;
  }
  for (uint32_t i = 0; i < by_size_.size(); ++i) by_size_[i] = static_cast<uint16_t>(search(i * kUnitAlign, kUnitAlign));
  return Code::ok;
}

uint32_t SizeClasses::search(uint64_t bytes, uint64_t align) const noexcept {
  uint32_t best = kMaxClasses;
  for (uint32_t id = 0; id < count_; ++id) {
    const SizeClass& c = classes_[id];
    if (c.state != ClassState::live || c.unit_bytes < bytes || c.unit_bytes % align != 0) continue;
    if (best == kMaxClasses || c.unit_bytes < classes_[best].unit_bytes) best = id;
  }
  return best;
}

}  // namespace nacre::alloc
