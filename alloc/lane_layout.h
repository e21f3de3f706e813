// A lane: one header line and a ring of cells in two halves. What is on the medium, and nothing else.
//
//   header   0                 8                  16
//            | seal            | retired          | reserved 48 bytes, zero                         |
//              each seq 48 (low) | check 16 (high)
//
//   record   whole cells, never across a half of the ring
//            0      4       6        12      13
//            | crc  | cells | seq 48 | flags | fresh count varint | line count varint | entries ... zero padding |
//
//   entries  fresh   | offset/16 u40 | bytes varint | crc32c u32 |                    one-fence commits only
//            line    | offset/64 u40 | seq - prev seq varint | check u16 | op | op ...
//            op      | u8 = word (bits 0..2), kind (3..4), wide (5), more (6: another op follows) | operand
//                      kind 0 set: u64
//                      kind 1 or, 2 andnot: u64 if wide, else u8 = number of the one bit
//                      kind 3 set to a slot: u24 = bits 40..63; bits 0..39 are the offset/16 of fresh range 0, or if
//                      wide of the range whose number a further u8 gives
//
// A put, an overwrite and a remove of one key are one cell each: that is what the coding is made for.
//
// check is what the line's guard says after the commit (15 bits). Recovery writes it rather than one of its own making:
// so a line with damage in a word that no record of its chain changes is still seen to be damaged.
//
// crc is CRC32C over the record from byte 8 to the end of its last cell and then bytes 4 to 7, seeded with the pool's
// salt and the offset of the cell it starts at (record_seed): a record read at another place, or of another pool, is no
// record.
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

inline constexpr uint64_t kRecordCellsAt = 4;
inline constexpr uint64_t kRecordSeqAt = 6;
inline constexpr uint64_t kRecordFlagsAt = 12;
inline constexpr uint64_t kRecordBodyAt = 13;

inline constexpr uint8_t kRecordStrict = 1;
inline constexpr uint8_t kRecordKnownFlags = kRecordStrict;

enum class OpKind : uint8_t { set = 0, set_bits = 1, clear_bits = 2 };
inline constexpr uint8_t kOpSetSlot = 3;
inline constexpr uint8_t kOpWordMask = 7, kOpKindShift = 3, kOpKindMask = 3, kOpWide = 1u << 5, kOpMore = 1u << 6;
inline constexpr uint64_t kSlotOffBits = 40;

/// seal and retired words: 48 bits of seq, 16 of check over salt, place and seq.
inline uint64_t make_lane_word(Salt salt, uint64_t word_off, uint64_t seq) noexcept {
  const uint32_t crc = crc32c_u64(crc32c_u64(salt, word_off), seq & kSeqMask);
  return (seq & kSeqMask) | static_cast<uint64_t>((crc ^ (crc >> 16) ^ 0x5a5a) & 0xffff) << kSeqBits;
}
inline bool lane_word_intact(Salt salt, uint64_t word_off, uint64_t word) noexcept {
  return make_lane_word(salt, word_off, word) == word;
}

}  // namespace nacre::alloc
