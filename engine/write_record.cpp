#include "engine/write_record.h"

#include <algorithm>
#include <cstring>

namespace nacre::engine {
namespace {

constexpr uint64_t kPieceBytes = 64 * 1024;  // read twice, for the crc and for the copy: the second time from the cache

// The first word is stored last: it holds the crc.
void write_large(alloc::Commit& commit, alloc::Pool& pool, uint64_t off, uint16_t table, std::string_view key,
                 std::string_view value, const pmem::Site& site) {
  RecordLayout head;
  head.crc_key_flags = uint64_t{key.size()} << 32 | static_cast<uint64_t>(RecordKind::pair) << 56;
  head.value_table = value.size() | uint64_t{table} << 48;
  const auto* sealed = reinterpret_cast<const std::byte*>(&head) + alloc::kSealBytes;
  uint32_t crc = crc32c(alloc::range_seed(pool.salt(), off), sealed, sizeof head - alloc::kSealBytes);
  crc = crc32c(crc, key.data(), key.size());
  auto* key_at = pool.at<char>(off + kRecordHeaderBytes);
  if (!key.empty()) std::memcpy(key_at, key.data(), key.size());
  const uint64_t value_off = off + kRecordHeaderBytes + key.size();
  for (uint64_t done = 0; done < value.size();) {
    // Pieces end at lines, so that no line is written twice.
    const uint64_t whole_lines = align_down(value_off + done + kPieceBytes, kLineBytes) - value_off;
    const uint64_t end = std::min<uint64_t>(whole_lines, value.size());
    crc = crc32c(crc, value.data() + done, end - done);
    pool.domain().copy_nt(value_off + done, value.data() + done, end - done, site);
    done = end;
  }
  head.crc_key_flags |= crc;
  std::memcpy(pool.at<RecordLayout>(off), &head, sizeof head);
  pool.domain().flush(off, kRecordHeaderBytes + key.size(), site);
  commit.note_fresh(off, record_bytes(key.size(), value.size()), crc);
}

}  // namespace

void write_record(alloc::Commit& commit, alloc::Pool& pool, uint64_t off, uint16_t table, std::string_view key,
                  std::string_view value, const pmem::Site& site) {
  if (value.size() > alloc::kMaxProvenBytes) return write_large(commit, pool, off, table, key, value, site);
  const uint32_t crc = store_record(pool, off, RecordKind::pair, table, key, value);
  commit.flush_fresh(off, record_bytes(key.size(), value.size()), crc, site);
}

}  // namespace nacre::engine
