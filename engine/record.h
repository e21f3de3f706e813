// The record: one key and its value, immutable once published, a sealed range (alloc/sealed_range.h).
//
//   0        4          7       8            14      16
//   | crc32c | key_len  | flags | value_len  | table | key ... | value ...
//     u32      u24        u8      u48          u16
//
// flags: bits 0..2 kind; bit 3 will say that an expiry follows, and is refused today like all others. crc covers everything behind
// it, salted with the pool's identity and the record's own offset.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/pool.h"
#include "alloc/sealed_range.h"
#include "pmem/base/status.h"

namespace nacre::engine {

struct RecordLayout {
  uint64_t crc_key_flags;  // crc32c u32 | key_len u24 | flags u8
  uint64_t value_table;    // value_len u48 | table u16
};
static_assert(sizeof(RecordLayout) == 16 && std::has_unique_object_representations_v<RecordLayout>);

inline constexpr uint64_t kRecordHeaderBytes = sizeof(RecordLayout);
inline constexpr uint64_t kMaxKeyBytes = (1u << 24) - 1;
inline constexpr uint64_t kMaxValueBytes = (uint64_t{1} << 48) - 1;

enum class RecordKind : uint8_t { pair = 0, table_name = 1 };
inline constexpr uint8_t kRecordKindMask = 7;

constexpr uint64_t record_bytes(uint64_t key_bytes, uint64_t value_bytes) noexcept {
  return kRecordHeaderBytes + key_bytes + value_bytes;
}

struct RecordView {
  std::string_view key;
  std::string_view value;
  uint16_t table = 0;
  RecordKind kind = RecordKind::pair;
  uint64_t bytes = 0;
};

/// Stores a record at `off` (unreachable bytes) and returns its crc, for Commit::flush_fresh. Not flushed.
uint32_t store_record(alloc::Pool& pool, uint64_t off, RecordKind kind, uint16_t table, std::string_view key,
                      std::string_view value) noexcept;

/// The lengths and views, checked only against the pool's bounds: false if they lead outside. The crc is not looked
/// at; the caller holds a pin.
inline bool view_record(const alloc::Pool& pool, uint64_t off, RecordView& out) noexcept {
  const uint64_t pool_bytes = pool.layout().pool_bytes();
  if (off > pool_bytes || pool_bytes - off < kRecordHeaderBytes) return false;
  const auto* r = pool.at<const RecordLayout>(off);
  const uint64_t key_bytes = r->crc_key_flags >> 32 & 0xffffff;
  const uint64_t value_bytes = r->value_table & kMaxValueBytes;
  if (pool_bytes - off - kRecordHeaderBytes < key_bytes + value_bytes) return false;
  const auto* p = reinterpret_cast<const char*>(r) + kRecordHeaderBytes;
  out.key = {p, key_bytes};
  out.value = {p + key_bytes, value_bytes};
  out.table = static_cast<uint16_t>(r->value_table >> 48);
  out.kind = static_cast<RecordKind>(r->crc_key_flags >> 56 & kRecordKindMask);
  out.bytes = record_bytes(key_bytes, value_bytes);
  return true;
}

/// True if the bytes of a viewed record are those that were written there, and all its flags are known.
inline bool record_intact(const alloc::Pool& pool, uint64_t off, const RecordView& view) noexcept {
  const auto* p = pool.at<const std::byte>(off);
  return static_cast<uint8_t>(p[7]) <= static_cast<uint8_t>(RecordKind::table_name) &&
         alloc::range_intact(pool.salt(), off, p, view.bytes);
}

Status damaged_record(uint64_t off) noexcept;

}  // namespace nacre::engine
