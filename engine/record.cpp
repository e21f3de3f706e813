#include "engine/record.h"

#include <cstring>

namespace nacre::engine {

namespace {

struct Header {
  uint64_t words[2];  // the crc's place is zero
  uint64_t bytes;
};

Header make_header(RecordKind kind, uint16_t table, uint64_t key_bytes, uint64_t value_bytes) noexcept {
  const uint64_t flags = static_cast<uint64_t>(kind) << 32;
  if (record_header_bytes(key_bytes, value_bytes) == kShortHeaderBytes) [[likely]]
    return {{flags | key_bytes << 40 | uint64_t{table} << 48, value_bytes}, kShortHeaderBytes};
  return {{flags | uint64_t{kRecordLong} << 32 | key_bytes << 40, value_bytes | uint64_t{table} << 48}, kLongHeaderBytes};
}

}  // namespace

// The crc is made of what is stored, not of where it is stored: the lines of a fresh unit are on their way into the
// cache, and reading them back would wait for that (100 ns a put).
uint32_t store_record(alloc::Pool& pool, uint64_t off, RecordKind kind, uint16_t table, std::string_view key,
                      std::string_view value) noexcept {
  const Header h = make_header(kind, table, key.size(), value.size());
  const auto* head = reinterpret_cast<const std::byte*>(h.words);
  uint32_t crc = alloc::range_seed(pool.salt(), off);
  crc = crc32c(crc, head + alloc::kSealBytes, h.bytes - alloc::kSealBytes);
  crc = crc32c(crc, key.data(), key.size());
  crc = crc32c(crc, value.data(), value.size());
  auto* p = pool.at<std::byte>(off);
  const uint64_t first = h.words[0] | crc;
  std::memcpy(p, &first, sizeof first);
  std::memcpy(p + sizeof first, &h.words[1], h.bytes - sizeof first);
  if (!key.empty()) std::memcpy(p + h.bytes, key.data(), key.size());
  if (!value.empty()) std::memcpy(p + h.bytes + key.size(), value.data(), value.size());
  return crc;
}

Status damaged_record(uint64_t off) noexcept {
  return Status::error(Code::corruption, "record at offset %llu fails its checksum; run nacre check",
                       static_cast<unsigned long long>(off));
}

}  // namespace nacre::engine
