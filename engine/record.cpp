#include "engine/record.h"

#include <cstring>

namespace nacre::engine {

// The crc is made of what is stored, not of where it is stored: the lines of a fresh unit are on their way into the
// cache, and reading them back would wait for that (100 ns a put).
uint32_t store_record(alloc::Pool& pool, uint64_t off, RecordKind kind, uint16_t table, std::string_view key,
                      std::string_view value) noexcept {
  const RecordHead h(kind, table, key.size(), value.size());
  uint32_t crc = h.crc(alloc::range_seed(pool.salt(), off));
  crc = crc32c(crc, key.data(), key.size());
  crc = crc32c(crc, value.data(), value.size());
  auto* p = pool.at<std::byte>(off);
  sync::point(sync::Event::store, p);
  h.store(p, crc);
  if (!key.empty()) std::memcpy(p + h.bytes, key.data(), key.size());
  if (!value.empty()) std::memcpy(p + h.bytes + key.size(), value.data(), value.size());
  return crc;
}

Status damaged_record(uint64_t off) noexcept {
  return Status::error(Code::corruption, "record at offset %llu fails its checksum; run nacre check",
                       static_cast<unsigned long long>(off));
}

}  // namespace nacre::engine
