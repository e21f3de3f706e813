// Writing a record into fresh bytes of a commit: small ones through the cache, large ones past it.
#pragma once

#include <string_view>

#include "alloc/commit.h"
#include "engine/record.h"

namespace nacre::engine {

/// Stores the record at `off`, which `commit` allocated, flushes it at `site` and tells the commit. A value of more
/// than alloc::kMaxProvenBytes is copied past the cache, a piece at a time, while its crc is computed.
void write_record(alloc::Commit& commit, alloc::Pool& pool, uint64_t off, uint16_t table, std::string_view key,
                  std::string_view value, const pmem::Site& site);

}  // namespace nacre::engine
