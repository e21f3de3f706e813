// The record: one key and its value, immutable once published, a sealed range (alloc/sealed_range.h).
//
//   short   0        4       5         6       8           12
//           | crc32c | flags | key_len | table | value_len | key ... | value ...
//             u32      u8      u8        u16     u32
//   long    0        4       5         8           14      16
//           | crc32c | flags | key_len | value_len | table | key ... | value ...
//             u32      u8      u24       u48         u16
//
// A record whose lengths fit takes the short form: 16 + 100 bytes are then 128, two cache lines of their own.
// flags: bits 0..2 kind; bit 3 long form; bit 4 will say that an expiry follows, and is refused today like all others.
// crc covers everything behind it, salted with the pool's identity and the record's own offset.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "alloc/pool.h"
#include "alloc/sealed_range.h"
#include "pmem/base/status.h"

namespace nacre::engine {

inline constexpr uint64_t kShortHeaderBytes = 12;
inline constexpr uint64_t kLongHeaderBytes = 16;
inline constexpr uint64_t kMaxKeyBytes = (1u << 24) - 1;
inline constexpr uint64_t kMaxValueBytes = (uint64_t{1} << 48) - 1;
inline constexpr uint64_t kMaxShortKeyBytes = UINT8_MAX;
inline constexpr uint64_t kMaxShortValueBytes = UINT32_MAX;

enum class RecordKind : uint8_t { pair = 0, table_name = 1 };
inline constexpr uint8_t kRecordKindMask = 7;
inline constexpr uint8_t kRecordLong = 8;

constexpr uint64_t record_header_bytes(uint64_t key_bytes, uint64_t value_bytes) noexcept {
  return key_bytes <= kMaxShortKeyBytes && value_bytes <= kMaxShortValueBytes ? kShortHeaderBytes : kLongHeaderBytes;
}
constexpr uint64_t record_bytes(uint64_t key_bytes, uint64_t value_bytes) noexcept {
  return record_header_bytes(key_bytes, value_bytes) + key_bytes + value_bytes;
}

struct RecordView {
  std::string_view key;
  std::string_view value;
  uint16_t table = 0;
  uint8_t flags = 0;
  uint64_t bytes = 0;
  RecordKind kind() const noexcept { return static_cast<RecordKind>(flags & kRecordKindMask); }
};

/// What stands before the key: short or long, as the lengths ask for.
struct RecordHead {
  RecordHead(RecordKind kind, uint16_t table, uint64_t key_bytes, uint64_t value_bytes) noexcept
      : bytes(record_header_bytes(key_bytes, value_bytes)) {
    const uint64_t flags = static_cast<uint64_t>(kind) << 32;
    if (bytes == kShortHeaderBytes) [[likely]] {
      words[0] = flags | key_bytes << 40 | uint64_t{table} << 48;
      words[1] = value_bytes;
    } else {
      words[0] = flags | uint64_t{kRecordLong} << 32 | key_bytes << 40;
      words[1] = value_bytes | uint64_t{table} << 48;
    }
  }
  /// The record's crc as far as the key.
  uint32_t crc(uint32_t seed) const noexcept {
    return crc32c(seed, reinterpret_cast<const std::byte*>(words) + alloc::kSealBytes, bytes - alloc::kSealBytes);
  }
  void store(std::byte* to, uint32_t crc_of_all) const noexcept {
    const uint64_t first = words[0] | crc_of_all;
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + sizeof first, &words[1], bytes - sizeof first);
  }

  uint64_t words[2];  // little-endian, the crc's place zero
  uint64_t bytes;
};

/// Stores a record at `off` (unreachable bytes) and returns its crc, for Commit::flush_fresh. Not flushed.
uint32_t store_record(alloc::Pool& pool, uint64_t off, RecordKind kind, uint16_t table, std::string_view key,
                      std::string_view value) noexcept;

/// The lengths and views, checked only against the pool's bounds: false if they lead outside. The crc is not looked
/// at; the caller holds a pin.
inline bool view_record(const alloc::Pool& pool, uint64_t off, RecordView& out) noexcept {
  const uint64_t pool_bytes = pool.layout().pool_bytes();
  if (off > pool_bytes || pool_bytes - off < kLongHeaderBytes) return false;  // no unit is shorter than that
  sync::point(sync::Event::load, pool.at<const std::byte>(off));
  uint64_t words[2];
  std::memcpy(words, pool.at<const std::byte>(off), sizeof words);
  out.flags = static_cast<uint8_t>(words[0] >> 32);
  uint64_t header_bytes, key_bytes, value_bytes;
  if ((out.flags & kRecordLong) == 0) [[likely]] {
    header_bytes = kShortHeaderBytes;
    key_bytes = words[0] >> 40 & UINT8_MAX;
    out.table = static_cast<uint16_t>(words[0] >> 48);
    value_bytes = words[1] & kMaxShortValueBytes;
  } else {
    header_bytes = kLongHeaderBytes;
    key_bytes = words[0] >> 40;
    value_bytes = words[1] & kMaxValueBytes;
    out.table = static_cast<uint16_t>(words[1] >> 48);
  }
  if (pool_bytes - off - header_bytes < key_bytes + value_bytes) return false;
  const auto* p = pool.at<const char>(off) + header_bytes;
  out.key = {p, key_bytes};
  out.value = {p + key_bytes, value_bytes};
  out.bytes = header_bytes + key_bytes + value_bytes;
  return true;
}

/// True if the bytes of a viewed record are those that were written there, and all its flags are known.
inline bool record_intact(const alloc::Pool& pool, uint64_t off, const RecordView& view) noexcept {
  return (view.flags & ~(kRecordKindMask | kRecordLong)) == 0 && view.kind() <= RecordKind::table_name &&
         alloc::range_intact(pool.salt(), off, pool.at<const std::byte>(off), view.bytes);
}

Status damaged_record(uint64_t off) noexcept;

}  // namespace nacre::engine
