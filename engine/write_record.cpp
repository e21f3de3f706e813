#include "engine/write_record.h"

#include <algorithm>
#include <cstring>

namespace nacre::engine {
namespace {

constexpr uint64_t kPieceBytes = 64 * 1024;  // read twice, for the crc and for the copy: the second time from the cache

// The first word is stored last: it holds the crc.
void write_large(alloc::Commit& commit, alloc::Pool& pool, uint64_t off, uint16_t table, std::string_view key,
                 std::string_view value, const pmem::Site& site) {
  const RecordHead head(RecordKind::pair, table, key.size(), value.size());
  uint32_t crc = head.crc(alloc::range_seed(pool.salt(), off));
  crc = crc32c(crc, key.data(), key.size());
  if (!key.empty()) std::memcpy(pool.at<char>(off + head.bytes), key.data(), key.size());
  const uint64_t value_off = off + head.bytes + key.size();
  for (uint64_t done = 0; done < value.size();) {
    // Pieces end at lines, so that no line is written twice.
    const uint64_t end =
        std::min<uint64_t>(align_down(value_off + done + kPieceBytes, kLineBytes) - value_off, value.size());
    crc = crc32c(crc, value.data() + done, end - done);
    pool.domain().copy_nt(value_off + done, value.data() + done, end - done, site);
    done = end;
  }
  head.store(pool.at<std::byte>(off), crc);
  pool.domain().flush(off, head.bytes + key.size(), site);
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
