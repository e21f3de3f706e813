#include "engine/record.h"

#include <cstring>

namespace nacre::engine {

uint32_t store_record(alloc::Pool& pool, uint64_t off, RecordKind kind, uint16_t table, std::string_view key,
                      std::string_view value) noexcept {
  auto* r = pool.at<RecordLayout>(off);
  auto* p = reinterpret_cast<char*>(r) + kRecordHeaderBytes;
  r->crc_key_flags = uint64_t{key.size()} << 32 | static_cast<uint64_t>(kind) << 56;
  r->value_table = value.size() | uint64_t{table} << 48;
  if (!key.empty()) std::memcpy(p, key.data(), key.size());
  if (!value.empty()) std::memcpy(p + key.size(), value.data(), value.size());
  const uint32_t crc = alloc::range_crc(pool.salt(), off, reinterpret_cast<const std::byte*>(r),
                                        record_bytes(key.size(), value.size()));
  r->crc_key_flags |= crc;
  return crc;
}

Status damaged_record(uint64_t off) noexcept {
  return Status::error(Code::corruption, "record at offset %llu fails its checksum; run nacre check",
                       static_cast<unsigned long long>(off));
}

}  // namespace nacre::engine
