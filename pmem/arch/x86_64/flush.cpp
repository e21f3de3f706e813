// Which write-back instructions this CPU has: Intel SDM volume 2, CPUID leaves 1 and 7. They need no state
// that the system must enable, so CPUID alone decides.
#include <cpuid.h>

#include "pmem/arch/flush.h"

namespace nacre::pmem {
namespace {

constexpr unsigned kLeaf1EdxClflush = 1u << 19;
constexpr unsigned kLeaf7EbxClflushopt = 1u << 23;
constexpr unsigned kLeaf7EbxClwb = 1u << 24;

struct CpuFeatures {
  bool clflush = false, clflushopt = false, clwb = false;
};

CpuFeatures read_features() noexcept {
  CpuFeatures f;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) != 0) f.clflush = (d & kLeaf1EdxClflush) != 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
    f.clflushopt = (b & kLeaf7EbxClflushopt) != 0;
    f.clwb = (b & kLeaf7EbxClwb) != 0;
  }
  return f;
}

}  // namespace

bool flush_kind_usable(FlushKind kind) noexcept {
  static const CpuFeatures features = read_features();
  switch (kind) {
    case FlushKind::none:
      return true;
    case FlushKind::hooked:
      return false;
    case FlushKind::clflush:
      return features.clflush;
    case FlushKind::clflushopt:
      return features.clflushopt;
    case FlushKind::clwb:
      return features.clwb;
  }
  return false;
}

std::optional<FlushKind> best_flush_kind() noexcept {
  for (const FlushKind kind : {FlushKind::clwb, FlushKind::clflushopt, FlushKind::clflush})
    if (flush_kind_usable(kind)) return kind;
  return std::nullopt;
}

}  // namespace nacre::pmem
