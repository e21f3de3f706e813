#include "tests/machine/calls.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>

#include "pmem/arch/copy.h"
#include "tests/machine/forms.h"

extern "C" {
extern const uint8_t __start_nacre_calls[], __stop_nacre_calls[];  // made by the linker for a section of that name
}

namespace nacre::machine {
namespace {

using pmem::FlushKind;
constexpr pmem::Site kSite{"test.machine"};

inline void write_back(FlushKind kind, uintptr_t address) {
  pmem::flush_lines(kind, reinterpret_cast<const void*>(address & ~(kLineBytes - 1)), 1);
}

// ---- planted errors, outside of the section below

inline void from_pointer(FlushKind kind, uintptr_t p, uint64_t bytes) {
  for (uintptr_t a = p; a < p + bytes; a += kLineBytes) write_back(kind, a);
}

inline void by_length(FlushKind kind, uintptr_t p, uint64_t bytes) {
  for (uint64_t line = 0; line < ceil_div(bytes, kLineBytes); ++line) write_back(kind, p + line * kLineBytes);
}

inline void one_more(FlushKind kind, uintptr_t p, uint64_t bytes) {
  for (uintptr_t a = align_down(p, kLineBytes); bytes != 0 && a <= p + bytes; a += kLineBytes) write_back(kind, a);
}

inline void other_instruction(FlushKind kind, const pmem::Domain& domain, const Call& c) {
  const FlushKind other = kind == FlushKind::clflush ? FlushKind::clflushopt : FlushKind::clflush;
  if (c.bytes != 0) pmem::flush_lines(other, domain.base() + c.off, c.bytes);
}

[[gnu::noinline]] void copy_wrongly(const Call& c, pmem::Domain& domain, const std::byte* source) {
  std::byte* to = domain.base() + c.off;
  if (c.op == Op::plant_copy_early) {
    domain.flush(c.off, c.bytes, kSite);
    std::memcpy(to, source, c.bytes);
    return domain.fence(kSite);
  }
  if (c.op == Op::plant_copy_unfenced) return domain.copy_nt(c.off, source, c.bytes, kSite);
  const uint64_t head_bytes = std::min(align_up(c.off, kLineBytes) - c.off, c.bytes);
  const uint64_t whole_bytes = align_down(c.bytes - head_bytes, kLineBytes);
  const uint64_t at = head_bytes + whole_bytes, tail_bytes = c.bytes - at;
  const bool is_short = c.op == Op::plant_copy_short && whole_bytes != 0;
  pmem::stream_lines(to + head_bytes, source + head_bytes, whole_bytes - (is_short ? kLineBytes : 0));
  std::memcpy(to, source, head_bytes);
  domain.flush(c.off, head_bytes, kSite);
  std::memcpy(to + at, source + at, tail_bytes);
  if (c.op != Op::plant_copy_no_tail) domain.flush(c.off + at, tail_bytes, kSite);
  domain.fence(kSite);
}

[[gnu::noinline]] void flush_wrongly(const Call& c, pmem::Domain& domain) {
  const FlushKind kind = domain.flush_kind();
  const auto p = reinterpret_cast<uintptr_t>(domain.base() + c.off);
  if (c.op == Op::plant_fence_first) domain.fence(kSite);
  switch (c.op) {
    case Op::plant_from_pointer:
      from_pointer(kind, p, c.bytes);
      break;
    case Op::plant_by_length:
      by_length(kind, p, c.bytes);
      break;
    case Op::plant_one_more:
      one_more(kind, p, c.bytes);
      break;
    case Op::plant_weaker:
      other_instruction(kind, domain, c);
      break;
    default:
      domain.flush(c.off, c.bytes, kSite);
  }
  if (c.op == Op::plant_twice && c.bytes != 0) write_back(kind, p);
  if (c.op == Op::plant_locked) {
    std::atomic<uint64_t> somewhere{0};
    somewhere.exchange(1);
  }
  if (c.op != Op::plant_no_fence && c.op != Op::plant_fence_first) domain.fence(kSite);
}

struct OpName {
  Op op;
  const char* name;
};
constexpr OpName kNames[] = {
    {Op::flush_lines, "flush_lines"},
    {Op::store_fence, "store_fence"},
    {Op::flush, "flush"},
    {Op::fence, "fence"},
    {Op::order, "order"},
    {Op::wait, "wait"},
    {Op::dirty, "dirty"},
    {Op::flush_fence, "flush and fence"},
    {Op::flush_order, "flush and order"},
    {Op::copy_fence, "copy_nt and fence"},
    {Op::form, "form"},
    {Op::plant_from_pointer, "lines counted from the pointer"},
    {Op::plant_by_length, "lines counted by the length"},
    {Op::plant_one_more, "one line too many"},
    {Op::plant_twice, "a line twice"},
    {Op::plant_no_fence, "no fence"},
    {Op::plant_fence_first, "fence before the write-back"},
    {Op::plant_locked, "locked instruction before the fence"},
    {Op::plant_weaker, "another instruction"},
    {Op::plant_copy_early, "write-back before the copy"},
    {Op::plant_copy_no_tail, "tail of a copy not written back"},
    {Op::plant_copy_short, "last whole line not copied"},
    {Op::plant_copy_unfenced, "copy past the cache without a fence"},
};

}  // namespace

const char* op_name(Op op) noexcept {
  for (const OpName& n : kNames)
    if (n.op == op) return n.name;
  return "unnamed";
}

Op promise_of(Op op) noexcept {
  return op < kFirstPlant ? op : op < kFirstCopyPlant ? Op::flush_fence : Op::copy_fence;
}

// In a section of its own, so that all its code can be looked through: see unseen_code().
[[gnu::section("nacre_calls"), gnu::noinline]] void perform(const Call& call, pmem::Domain& domain,
                                                            const std::byte* source, uint64_t& answer) {
  const Call c = call;
  asm volatile("int3" ::: "memory");
  switch (c.op) {
    case Op::flush_lines:
      pmem::flush_lines(domain.flush_kind(), domain.base() + c.off, c.bytes);
      break;
    case Op::store_fence:
      pmem::store_fence(domain.flush_kind());
      break;
    case Op::flush:
      domain.flush(c.off, c.bytes, kSite);
      break;
    case Op::fence:
      domain.fence(kSite);
      break;
    case Op::order:
      domain.order(kSite);
      break;
    case Op::wait:
      domain.wait({}, kSite);
      break;
    case Op::dirty:
      domain.dirty(c.off, c.bytes);
      break;
    case Op::flush_fence:
      domain.flush(c.off, c.bytes, kSite);
      domain.fence(kSite);
      break;
    case Op::flush_order:
      domain.flush(c.off, c.bytes, kSite);
      domain.wait(domain.order(kSite), kSite);
      break;
    case Op::copy_fence:
      domain.copy_nt(c.off, source, c.bytes, kSite);
      domain.fence(kSite);
      break;
    case Op::form: {
      const auto target = reinterpret_cast<uint64_t>(domain.base() + c.off);
      answer = forms()[c.bytes].run(target, target / 8);
      break;
    }
    default:
      if (c.op < kFirstCopyPlant)
        flush_wrongly(c, domain);
      else
        copy_wrongly(c, domain, source);
  }
  asm volatile("int3" ::: "memory");
}

CodeRange code_of_perform() noexcept { return {__start_nacre_calls, __stop_nacre_calls}; }

}  // namespace nacre::machine
