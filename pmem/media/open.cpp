#include "pmem/media/open.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "pmem/base/os.h"
#include "pmem/media/mapped_domain.h"
#include "pmem/media/msync_domain.h"
#include "pmem/media/pool_file.h"

// Older C libraries lack them; the values are part of the kernel's interface.
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 0x03
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

namespace nacre::pmem {
namespace {

// Without a bound of its own a large pool gets room for several times its size: addresses cost nothing.
constexpr uint64_t kReserveFactor = 4;

// What the environment and the CPU say about write-back on dax.
struct FlushChoice {
  std::optional<FlushKind> kind;  // nothing: this CPU cannot do dax
  bool forced = false;
};

struct MediumPlan {
  Medium medium;
  bool map_sync;
  bool forced;
};

Result<FlushChoice> choose_flush() {
  const char* name = std::getenv("NACRE_FLUSH");
  if (name == nullptr || *name == '\0') return FlushChoice{best_flush_kind(), false};
  const std::optional<FlushKind> kind = flush_kind_from_name(name);
  if (!kind || *kind == FlushKind::hooked)
    return Status::error(Code::invalid_argument,
                         "NACRE_FLUSH=%s is unknown; use clwb, clflushopt, clflush or none", name);
  if (!flush_kind_usable(*kind))
    return Status::error(Code::invalid_argument,
                         "NACRE_FLUSH=%s: this CPU has no such instruction; it has %s", name,
                         best_flush_kind() ? flush_kind_name(*best_flush_kind()) : "none that can be used");
  return FlushChoice{kind, kind != best_flush_kind()};
}

Result<MediumRequest> resolve_request(MediumRequest request) {
  if (request != MediumRequest::automatic) return request;
  const char* name = std::getenv("NACRE_MEDIUM");
  if (name == nullptr || *name == '\0') return request;
  const std::optional<MediumRequest> found = medium_request_from_name(name);
  if (!found)
    return Status::error(Code::invalid_argument, "NACRE_MEDIUM=%s is unknown; use auto, dax, memory or msync",
                         name);
  return *found;
}

// A page of its own, because a refused MAP_FIXED may leave a hole in the reserved range.
bool supports_map_sync(int fd, Access access) noexcept {
  const int protection = access == Access::read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  const uint64_t bytes = os::page_bytes();
  void* at = nullptr;
  if (os::mmap(nullptr, bytes, protection, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0, &at) != 0) return false;
  (void)os::munmap(at, bytes);
  return true;
}

Result<MediumPlan> plan_medium(MediumRequest request, const FlushChoice& flush, const PoolFile& file,
                               Access access) {
  const bool found_dax = flush.kind.has_value() && supports_map_sync(file.fd(), access);
  if (request == MediumRequest::automatic) request = found_dax ? MediumRequest::dax : MediumRequest::msync;
  if (request == MediumRequest::msync) return MediumPlan{Medium::msync, false, found_dax};
  if (!flush.kind)
    return Status::error(Code::not_supported,
                         "open '%s': this CPU has no cache-line write-back for the medium dax",
                         file.path().c_str());
  return MediumPlan{Medium::dax, found_dax, !found_dax || flush.forced};
}

Result<AddressRange> reserve_for(const OpenRequest& request, uint64_t size_bytes) {
  const uint64_t otherwise = std::max(kDefaultReserveBytes, size_bytes * kReserveFactor);
  const uint64_t want_bytes = request.reserve_bytes != 0 ? request.reserve_bytes : otherwise;
  // A reader's image never grows.
  return AddressRange::reserve(request.access == Access::read_only ? size_bytes : want_bytes, size_bytes);
}

Result<OpenedMedium> open_memory(const OpenRequest& request) {
  if (request.access == Access::read_only)
    return Status::error(Code::invalid_argument,
                         "open: the medium memory is always new, so it cannot be read-only");
  if (request.create_bytes < kMinMediumBytes || request.create_bytes > uint64_t{1} << 46)
    return Status::error(Code::invalid_argument, "open: %llu bytes cannot be the size of the medium memory",
                         static_cast<unsigned long long>(request.create_bytes));
  const uint64_t size_bytes = align_up(request.create_bytes, kPageBytes);
  NACRE_ASSIGN(AddressRange range, reserve_for(request, size_bytes));
  NACRE_TRY(range.map_memory(0, size_bytes));
  const MappingPlan plan{.may_grow = true};
  return OpenedMedium{std::make_unique<MappedDomain>(std::move(range), PoolFile(), size_bytes, plan), true};
}

Result<OpenedMedium> open_file(const OpenRequest& request, MediumRequest medium, const FlushChoice& flush) {
  NACRE_ASSIGN(PoolFile file, PoolFile::open(request));
  NACRE_ASSIGN(const MediumPlan plan, plan_medium(medium, flush, file, request.access));
  const uint64_t size_bytes = file.size_bytes();
  const bool created = file.created();
  NACRE_ASSIGN(AddressRange range, reserve_for(request, size_bytes));
  MappingPlan mapping{.medium = plan.medium, .forced = plan.forced};
  if (request.access == Access::read_only) {
    mapping.map_flags = MAP_PRIVATE | MAP_NORESERVE;
  } else {
    mapping.map_flags = plan.map_sync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
    mapping.flush_kind = plan.medium == Medium::msync ? FlushKind::hooked : *flush.kind;
    mapping.may_grow = true;
  }
  NACRE_TRY(range.map_file(file.fd(), 0, size_bytes, mapping.map_flags));
  std::unique_ptr<Domain> domain;
  if (mapping.flush_kind == FlushKind::hooked)
    domain = std::make_unique<MsyncDomain>(std::move(range), std::move(file), size_bytes, mapping);
  else
    domain = std::make_unique<MappedDomain>(std::move(range), std::move(file), size_bytes, mapping);
  return OpenedMedium{std::move(domain), created};
}

}  // namespace

std::optional<MediumRequest> medium_request_from_name(std::string_view name) noexcept {
  if (name == "auto") return MediumRequest::automatic;
  if (name == "dax") return MediumRequest::dax;
  if (name == "memory") return MediumRequest::memory;
  if (name == "msync") return MediumRequest::msync;
  return std::nullopt;
}

Result<OpenedMedium> open_medium(const OpenRequest& request) try {
  NACRE_ASSIGN(const FlushChoice flush, choose_flush());
  NACRE_ASSIGN(const MediumRequest medium, resolve_request(request.medium));
  if (medium == MediumRequest::memory) return open_memory(request);
  return open_file(request, medium, flush);
} catch (const std::bad_alloc&) {
  return Status::error(Code::out_of_memory, "open: not enough memory for the handle");
}

}  // namespace nacre::pmem
