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
constexpr uint8_t kMinAlignLog2 = std::countr_zero(kUnitAlign);
constexpr uint8_t kMaxAlignLog2 = std::countr_zero(kPageBytes);

unsigned long long ull(uint64_t v) noexcept { return v; }

uint64_t bitmap_units(const Geometry& g) noexcept {
  return ceil_div(g.chunk_bytes / kMinUnitBytes, kUnitsPerBitmapLine) * kUnitsPerBitmapLine;
}

uint64_t slab_chunks_of(const ClassSpec& s, const Geometry& g) noexcept {
  return s.slab_bytes != 0 ? s.slab_bytes / g.chunk_bytes : chosen_slab_chunks(s.unit_bytes, g);
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

Status bad_class_word(uint32_t id, uint64_t word) {
  return Status::error(Code::corruption, "class table: class %u has the word %016llx, which describes no class", id,
                       static_cast<unsigned long long>(word));
}

bool describes_a_class(uint64_t word, const Geometry& g) noexcept {
  const uint8_t align_log2 = class_word_align_log2(word);
  const uint32_t unit_bytes = class_word_unit_bytes(word);
  const uint8_t state = class_word_state(word);
  const bool known =
      state == static_cast<uint8_t>(ClassState::live) || state == static_cast<uint8_t>(ClassState::retired);
  const uint64_t slab_bytes = uint64_t{class_word_slab_chunks(word)} * g.chunk_bytes;
  return known && class_word_clean(word) && align_log2 >= kMinAlignLog2 && align_log2 <= kMaxAlignLog2 &&
         unit_bytes >= kMinUnitBytes && unit_bytes <= slab_bytes && slab_bytes / unit_bytes <= bitmap_units(g) &&
         unit_bytes % (1u << align_log2) == 0;
}

}  // namespace

// What by_size_ is to say: each class in the entry of its own size, then each entry that has none takes over that of
// the next larger size. Of classes of one size the first counts, as in SizeClasses::best_fit.
class SizeClasses::BestFit {
 public:
  BestFit() noexcept { of_size_.fill(kMaxClasses); }
  void add(uint32_t id, uint32_t unit_bytes) noexcept {
    const uint64_t entry = unit_bytes / kUnitAlign;  // a unit is a multiple of that: describes_a_class
    if (entry < of_size_.size()) {
      if (of_size_[entry] == kMaxClasses) of_size_[entry] = static_cast<uint16_t>(id);
    } else if (larger_ == kMaxClasses || unit_bytes < larger_unit_) {
      larger_ = static_cast<uint16_t>(id), larger_unit_ = unit_bytes;
    }
  }
  // Entry by entry: each is right before and after, and whoever reads an old one may be anywhere between.
  void store_to(Lookup& lookup) const noexcept {
    uint16_t best = larger_;
    for (size_t i = of_size_.size(); i-- > 0;) {
      if (of_size_[i] != kMaxClasses) best = of_size_[i];
      lookup[i].store(best, std::memory_order_release);
    }
  }

 private:
  std::array<uint16_t, std::tuple_size_v<Lookup>> of_size_;
  uint16_t larger_ = kMaxClasses;
  uint32_t larger_unit_ = 0;
};

// The fewest chunks of which less than 3 % are left behind the last unit; else those with the smallest share.
uint32_t chosen_slab_chunks(uint64_t unit_bytes, const Geometry& g) noexcept {
  if (unit_bytes <= g.chunk_bytes) return 1;
  uint64_t best = 0, best_tail = 1, best_bytes = 1;
  for (uint64_t n = ceil_div(unit_bytes, g.chunk_bytes); n <= kChosenSlabChunks; ++n) {
    const uint64_t bytes = n * g.chunk_bytes, tail = bytes % unit_bytes;
    if (best == 0 || tail * best_bytes < best_tail * bytes) best = n, best_tail = tail, best_bytes = bytes;
    if (tail * 100 < kTailPercent * bytes) break;
  }
  return static_cast<uint32_t>(best);
}

Status check_class_spec(const ClassSpec& s, const Geometry& g) {
  const uint64_t chunks = slab_chunks_of(s, g);
  if (s.slab_bytes % g.chunk_bytes != 0 || chunks > kMaxSlabChunks)
    return Status::error(Code::invalid_argument,
                         "allocation class of %u bytes: slabs of %llu bytes are not 1 to %llu chunks of %u bytes",
                         s.unit_bytes, ull(s.slab_bytes), ull(kMaxSlabChunks), g.chunk_bytes);
  const uint64_t most = s.slab_bytes != 0 ? s.slab_bytes : kChosenSlabChunks * g.chunk_bytes;
  if (s.unit_bytes < kMinUnitBytes || s.unit_bytes > most)
    return Status::error(Code::invalid_argument, "allocation class of %u bytes: a unit has %llu to %llu bytes here",
                         s.unit_bytes, ull(kMinUnitBytes), ull(most));
  if (chunks * g.chunk_bytes / s.unit_bytes > bitmap_units(g))
    return Status::error(Code::invalid_argument,
                         "allocation class of %u bytes: a slab of %llu chunks would have %llu units, its bitmap has "
                         "bits for %llu",
                         s.unit_bytes, ull(chunks), ull(chunks * g.chunk_bytes / s.unit_bytes), ull(bitmap_units(g)));
  if (!is_power_of_two(s.align) || s.align < kUnitAlign || s.align > kPageBytes || s.unit_bytes % s.align != 0)
    return Status::error(Code::invalid_argument,
                         "allocation class of %u bytes: alignment %u must be a power of two from 16 to 4096 that "
                         "divides the unit",
                         s.unit_bytes, s.align);
  return Code::ok;
}

uint64_t live_class_word(const ClassSpec& s, const Geometry& g) noexcept {
  return make_class_word(ClassState::live, static_cast<uint8_t>(slab_chunks_of(s, g)),
                         static_cast<uint8_t>(std::countr_zero(s.align)), s.unit_bytes);
}

Result<std::vector<uint64_t>> default_class_words(const Geometry& geometry, std::span<const ClassSpec> extra) {
  std::vector<ClassSpec> specs = default_specs(geometry);
  for (const ClassSpec& s : extra) {
    NACRE_TRY(check_class_spec(s, geometry));
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
  for (const ClassSpec& s : merged) words.push_back(live_class_word(s, geometry));
  return words;
}

Status SizeClasses::load(std::span<const uint64_t> words, const Geometry& geometry) {
  chunk_bytes_ = geometry.chunk_bytes;
  for (uint32_t id = 0; id < words.size() && id < kMaxClasses; ++id) {
    if (words[id] != 0 && !describes_a_class(words[id], geometry)) return bad_class_word(id, words[id]);
    words_[id].store(words[id], std::memory_order_relaxed);
  }
  rebuild_lookup();
  return Code::ok;
}

void SizeClasses::store(uint32_t id, uint64_t word) noexcept {
  sync::point(sync::Event::store, &words_[id]);
  words_[id].store(word, std::memory_order_release);
  sync::point(sync::Event::store, &changes_);
  changes_.fetch_add(1, std::memory_order_release);
  rebuild_lookup();
}

void SizeClasses::rebuild_lookup() noexcept {
  uint32_t count = 0;
  uint64_t largest = 0;
  BestFit best;
  for (uint32_t id = 0; id < kMaxClasses; ++id) {
    const uint64_t word = words_[id].load(std::memory_order_relaxed);
    if (word != 0) count = id + 1;
    if (class_word_state(word) != static_cast<uint8_t>(ClassState::live)) continue;
    largest = std::max<uint64_t>(largest, class_word_unit_bytes(word));
    best.add(id, class_word_unit_bytes(word));
  }
  count_.store(count, std::memory_order_release);
  largest_.store(largest, std::memory_order_release);
  best.store_to(by_size_);
}

SizeClass SizeClasses::operator[](uint32_t id) const noexcept {
  const uint64_t word = words_[id].load(std::memory_order_acquire);
  SizeClass c;
  if (word == 0) return c;
  c.unit_bytes = class_word_unit_bytes(word);
  c.align = 1u << class_word_align_log2(word);
  c.state = static_cast<ClassState>(class_word_state(word));
  c.slab_chunks = class_word_slab_chunks(word);
  c.slab_bytes = uint64_t{c.slab_chunks} * chunk_bytes_;
  c.units_per_slab = static_cast<uint32_t>(c.slab_bytes / c.unit_bytes);
  return c;
}

// One change is one word, so a scan that spans no finished change saw the table of one instant.
uint32_t SizeClasses::search(uint64_t bytes, uint64_t align) const noexcept {
  for (;;) {
    const uint64_t before = changes_.load(std::memory_order_acquire);
    const uint32_t best = best_fit(bytes, align, kMaxClasses);
    if (changes_.load(std::memory_order_acquire) == before) return best;
  }
}

uint32_t SizeClasses::best_fit(uint64_t bytes, uint64_t align, uint32_t without) const noexcept {
  uint32_t best = kMaxClasses, best_unit = 0;
  for (uint32_t id = 0, ids = count(); id < ids; ++id) {
    const uint64_t word = words_[id].load(std::memory_order_acquire);
    const uint32_t unit_bytes = class_word_unit_bytes(word);
    if (class_word_state(word) != static_cast<uint8_t>(ClassState::live) || id == without) continue;
    if (unit_bytes < bytes || unit_bytes % align != 0) continue;
    if (best == kMaxClasses || unit_bytes < best_unit) best = id, best_unit = unit_bytes;
  }
  return best;
}

}  // namespace nacre::alloc
