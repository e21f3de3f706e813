// From a path to a domain: makes or opens the file, locks it, chooses the medium, maps it.
//
// A file made here is allocated in full (never a hole: a store into a hole on a full file system is SIGBUS)
// and all zero. It is removed again when the domain is destroyed, unless Domain::keep_created() was called.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "pmem/base/result.h"
#include "pmem/domain.h"

namespace nacre::pmem {

enum class Access : uint8_t { read_write, read_only };

enum class MediumRequest : uint8_t {
  automatic,  ///< what the environment's NACRE_MEDIUM says, else dax if MAP_SYNC works, else msync
  dax,        ///< also without MAP_SYNC; Domain::forced() then says so
  memory,     ///< anonymous and always new; the path is ignored
  msync,
};
/// "auto", "dax", "memory" or "msync".
std::optional<MediumRequest> medium_request_from_name(std::string_view name) noexcept;

struct OpenRequest {
  const char* path = nullptr;
  MediumRequest medium = MediumRequest::automatic;
  Access access = Access::read_write;
  bool create = false;         ///< make the file if it is missing (or empty)
  bool must_create = false;    ///< Code::exists if it is there; implies create
  uint64_t create_bytes = 0;   ///< size of a file to be made, rounded up to whole pages
  /// Addresses to grow into, less if they cannot be had; 0: 64 GiB, or four times the size of a large file.
  uint64_t reserve_bytes = 0;
};

struct OpenedMedium {
  std::unique_ptr<Domain> domain;
  bool created = false;  ///< the bytes are new and zero
};

inline constexpr uint64_t kMinMediumBytes = kPageBytes;
inline constexpr uint64_t kDefaultReserveBytes = uint64_t{64} << 30;

/// Opens as asked. A writer locks the file against everybody, a reader against writers, until the domain is
/// destroyed. A read-only domain is a private image: stores into it are allowed and never reach the file.
///
/// The environment: NACRE_MEDIUM (auto, dax, memory, msync) decides for `automatic`; NACRE_FLUSH (clwb,
/// clflushopt, clflush, none) forces the instruction used on dax.
///
/// Errors: not_found; exists; locked (the text says by whom); not_a_pool (too small, no regular file);
/// out_of_space (the file is removed); invalid_argument (unknown or unusable name in the environment, no
/// path, sizes); not_supported (dax on a CPU without a usable write-back); out_of_memory; io_error with
/// errno.
Result<OpenedMedium> open_medium(const OpenRequest& request);

}  // namespace nacre::pmem
