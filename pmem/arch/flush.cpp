#include "pmem/arch/flush.h"

#include <array>

namespace nacre::pmem {
namespace {

struct Named {
  FlushKind kind;
  const char* name;
};
constexpr std::array<Named, 5> kNames = {{
    {FlushKind::none, "none"},
    {FlushKind::hooked, "hooked"},
    {FlushKind::clflush, "clflush"},
    {FlushKind::clflushopt, "clflushopt"},
    {FlushKind::clwb, "clwb"},
}};

}  // namespace

const char* flush_kind_name(FlushKind kind) noexcept {
  for (const Named& n : kNames)
    if (n.kind == kind) return n.name;
  return "unknown";
}

std::optional<FlushKind> flush_kind_from_name(std::string_view name) noexcept {
  for (const Named& n : kNames)
    if (name == n.name) return n.kind;
  return std::nullopt;
}

}  // namespace nacre::pmem
