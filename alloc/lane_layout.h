// A lane: one header line and a ring of cells in two halves. What is on the medium, and nothing else.
//
//   header   0                 8                  16
//            | seal            | retired          | reserved 48 bytes, zero                         |
//              each seq 48 (low) | check 16 (high)
//
//   record   whole cells, never across a half of the ring
//            0      4       6       8        14      15            16
//            | crc  | cells | lines | seq 48 | flags | fresh count | entries ... zero padding        |
//
//   entries  fresh   | offset/16 u40 | bytes varint | crc32c u32 |                    one-fence commits only
//            line    | offset/64 u40 | seq - prev seq varint | check u16 | op count u8 | ops ... |
//            op      | u8 = word (bits 0..2) | kind (bits 3..4) | wide (bit 5) | operand |
//                      kind set: u64; or, andnot: u64 if wide, else u8 = number of the one bit
//
// check is what the line's guard says after the commit (15 bits). Recovery writes it rather than one of its own making:
// so a line with damage in a word that no record of its chain changes is still seen to be damaged.
//
// crc is CRC32C over the record from byte 4 to the end of its last cell, seeded with the pool's salt and the
// offset of the cell it starts at (record_seed): a record read at another place, or of another pool, is no record.
#pragma once

#include <cstdint>
#include <type_traits>

#include "alloc/guarded_line.h"

namespace nacre::alloc {

struct alignas(64) LaneHeader {
  uint64_t seal;     // highest seq known complete
  uint64_t retired;  // records up to here are home, or never counted
  uint64_t reserved[6];
};
static_assert(sizeof(LaneHeader) == kLineBytes);
static_assert(std::has_unique_object_representations_v<LaneHeader>, "padding would carry garbage to the medium");

struct RecordHeader {
  uint32_t crc;
  uint16_t cells;
  uint16_t lines;
  uint16_t seq_low;  // 48 bits in three halves, so that the struct has no padding and no bit-fields
  uint16_t seq_mid;
  uint16_t seq_high;
  uint8_t flags;
  uint8_t fresh_count;
};
static_assert(sizeof(RecordHeader) == 16 && std::has_unique_object_representations_v<RecordHeader>);

inline constexpr uint8_t kRecordStrict = 1;
inline constexpr uint8_t kRecordKnownFlags = kRecordStrict;

enum class OpKind : uint8_t { set = 0, set_bits = 1, clear_bits = 2 };

/// seal and retired words: 48 bits of seq, 16 of check over salt, place and seq.
inline uint64_t make_lane_word(Salt salt, uint64_t word_off, uint64_t seq) noexcept {
  const uint32_t crc = crc32c_u64(crc32c_u64(salt, word_off), seq & kSeqMask);
  return (seq & kSeqMask) | static_cast<uint64_t>((crc ^ (crc >> 16) ^ 0x5a5a) & 0xffff) << kSeqBits;
}
inline bool lane_word_intact(Salt salt, uint64_t word_off, uint64_t word) noexcept {
  return make_lane_word(salt, word_off, word) == word;
}

}  // namespace nacre::alloc
