// No write-back instruction is known for this CPU: media that need one are refused.
#include "pmem/arch/flush.h"

namespace nacre::pmem {

bool flush_kind_usable(FlushKind kind) noexcept { return kind == FlushKind::none; }
std::optional<FlushKind> best_flush_kind() noexcept { return std::nullopt; }

}  // namespace nacre::pmem
