// Cache-line write-back, one contract for every CPU:
//
//   flush_lines(kind, p, bytes)  starts the write-back of each line that [p, p + bytes) touches; it may
//                                return before the lines have left the cache.
//   store_fence(kind)            returns when every line this thread passed to flush_lines before is in the
//                                persistence domain, and orders later stores after that.
//
// `none` is for media where nothing needs to leave the cache; it still keeps the compiler from reordering.
// An architecture without a usable user-level flush does not implement dax at all: never a silent no-op.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nacre::pmem {

enum class FlushKind : uint8_t {
  none,        ///< nothing to do (memory)
  hooked,      ///< the domain's virtual functions do it (msync, explorer)
  clflush,     ///< x86-64: ordered with itself, evicts
  clflushopt,  ///< x86-64: needs sfence, evicts
  clwb,        ///< x86-64: needs sfence, may keep the line
};

const char* flush_kind_name(FlushKind kind) noexcept;
std::optional<FlushKind> flush_kind_from_name(std::string_view name) noexcept;

/// True if this CPU can execute `kind` for real persistence. `none` is always possible, `hooked` never.
bool flush_kind_usable(FlushKind kind) noexcept;

/// The best kind this CPU has; nothing if it has none that reaches persistent memory from user level.
std::optional<FlushKind> best_flush_kind() noexcept;

}  // namespace nacre::pmem

#if defined(__x86_64__)
#include "pmem/arch/x86_64/flush_inline.h"
#else
#include "pmem/arch/generic/flush_inline.h"
#endif
