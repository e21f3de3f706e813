#include "tests/damage/plan.h"

#include "tests/support/random.h"

namespace nacre::damage {
namespace {

constexpr uint64_t kLineBits = kLineBytes * 8;

uint32_t stride_of(Region region, const Effort& e) noexcept {
  switch (region) {
    case Region::superblock:
    case Region::class_table:
    case Region::zone_table:
      return e.common_stride;
    case Region::lanes:
      return e.lane_stride;
    case Region::records:
    case Region::extents:
      return e.record_stride;
    case Region::free_space:
      return e.free_stride;
    default:
      return e.used_stride;
  }
}

// What differs from shape to shape and is read.
bool is_content(Region region) noexcept { return region >= Region::chunk_table && region != Region::free_space; }

// Half of the pairs in lines that are in use: most of a small pool is free space and padding.
uint64_t some_line(const PoolShape& shape, const RegionMap& regions, test::Random& random) {
  const uint64_t lines = shape.base.size() / kLineBytes;
  const bool in_use = random.one_in(2);
  for (;;) {
    const uint64_t line = random.below(lines);
    const Region region = regions.of(line * kLineBytes, kLineBytes);
    if (!in_use || is_content(region)) return line;
  }
}

}  // namespace

Plan::Plan(const PoolShape& shape, const RegionMap& regions, const Effort& effort, uint64_t seed) {
  test::Random random(seed);
  const uint64_t file_bytes = shape.base.size();
  for (uint64_t bit = 0; bit < file_bytes * 8; ++bit) {
    const uint32_t stride = stride_of(regions.at(bit / 8), effort);
    if (stride == 1 || random.one_in(stride))
      damages_.push_back(Damage::flip(bit));
    else
      ++cut_bits_;
  }
  for (uint32_t i = 0; i < effort.pairs_in_line; ++i) {
    const uint64_t first = some_line(shape, regions, random) * kLineBits;
    const uint64_t a = random.below(kLineBits), b = (a + 1 + random.below(kLineBits - 1)) % kLineBits;
    damages_.push_back(Damage::flip_two(first + a, first + b));
  }
  for (uint32_t i = 0; i < effort.pairs_across; ++i) {
    const uint64_t a = some_line(shape, regions, random), b = some_line(shape, regions, random);
    damages_.push_back(
        Damage::flip_two(a * kLineBits + random.below(kLineBits), b * kLineBits + random.below(kLineBits)));
  }
  for (const uint64_t bytes : {kLineBytes, kPageBytes})
    for (uint64_t off = 0; off < file_bytes; off += bytes) {
      for (uint64_t moment = 0; moment < shape.earlier.size(); ++moment)
        damages_.push_back(Damage::range(DamageKind::stale, off, bytes, moment));
      damages_.push_back(Damage::range(DamageKind::zero, off, bytes, 0));
      damages_.push_back(Damage::range(DamageKind::foreign, off, bytes, 0));
      for (uint32_t round = 0; round < effort.line_rounds; ++round) {
        damages_.push_back(Damage::range(DamageKind::random, off, bytes, random.next()));
        const uint64_t partner = bytes == kLineBytes ? some_line(shape, regions, random) * kLineBytes
                                                     : random.below(file_bytes / bytes) * bytes;
        damages_.push_back(Damage::range(DamageKind::swap, off, bytes, partner));
      }
    }
}

}  // namespace nacre::damage
