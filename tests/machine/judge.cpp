#include "tests/machine/judge.h"

#include <algorithm>
#include <cstring>

namespace nacre::machine {
namespace {

constexpr std::byte kUntouched{0xEE};

Kind instruction_of(pmem::FlushKind kind) {
  switch (kind) {
    case pmem::FlushKind::clflush:
      return Kind::clflush;
    case pmem::FlushKind::clflushopt:
      return Kind::clflushopt;
    case pmem::FlushKind::clwb:
      return Kind::clwb;
    default:
      return Kind::plain;  // none is to be seen
  }
}

bool copies(Op promise) { return promise == Op::copy_fence; }

bool writes_back(Op promise) {
  return promise == Op::flush_lines || promise == Op::flush || promise == Op::flush_fence ||
         promise == Op::flush_order || copies(promise);
}

bool fences(Op promise) {
  return promise == Op::store_fence || promise == Op::fence || promise == Op::order || promise == Op::flush_fence ||
         promise == Op::flush_order || copies(promise);
}

}  // namespace

Judge::Judge(const Call& call, const pmem::Domain& domain, const std::byte* source)
    : call_(call), promise_(promise_of(call.op)), domain_(domain), source_(source) {
  if (!copies(promise_)) return;
  const uint64_t from = std::max(call_.off, kLineBytes) - kLineBytes;
  const uint64_t to = std::min(call_.off + call_.bytes + kLineBytes, domain_.size_bytes());
  std::fill(domain_.base() + from, domain_.base() + to, kUntouched);
}

uint64_t Judge::line_count() const noexcept {
  if (call_.bytes == 0 || !writes_back(promise_)) return 0;
  return (call_.off + call_.bytes - 1) / kLineBytes - first_line() + 1;
}

void Judge::wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

void Judge::see(const Instruction& instruction) {
  switch (instruction.kind) {
    case Kind::plain:
      break;
    case Kind::clflush:
    case Kind::clflushopt:
    case Kind::clwb:
      see_write_back(instruction);
      break;
    case Kind::sfence:
      ++fences_;
      break;
    case Kind::stream:
      see_stream(instruction);
      break;
    case Kind::locked:
      if (kMayLock) break;
      [[fallthrough]];
    case Kind::mfence:
    case Kind::unknown:
      wrong(std::string("an instruction that has no business here: ") + kind_name(instruction.kind));
  }
}

void Judge::see_write_back(const Instruction& instruction) {
  if (instruction.kind != instruction_of(domain_.flush_kind()))
    return wrong(std::string(kind_name(instruction.kind)) + " and not " + flush_kind_name(domain_.flush_kind()));
  const uint64_t off = instruction.address - reinterpret_cast<uint64_t>(domain_.base()), line = off / kLineBytes;
  if (!in_range(line)) return wrong("line " + std::to_string(line) + ", beside the range, is written back");
  if (fences_ != 0) return wrong("line " + std::to_string(line) + " is written back behind the fence");
  Line& l = lines_[line - first_line()];
  if (l.written_back || l.streamed != 0) return wrong("line " + std::to_string(line) + " goes to the medium twice");
  l.written_back = true;
  const uint64_t begin = std::max(line * kLineBytes, call_.off);
  const uint64_t end = std::min((line + 1) * kLineBytes, call_.off + call_.bytes);
  if (copies(promise_) && !copied(begin, end - begin))
    wrong("line " + std::to_string(line) + " is written back before its bytes are there");
}

void Judge::see_stream(const Instruction& instruction) {
  const uint64_t off = instruction.address - reinterpret_cast<uint64_t>(domain_.base()), line = off / kLineBytes;
  const uint64_t bytes = instruction.store_bytes, at = off % kLineBytes;
  if (!copies(promise_) || off < call_.off || off + bytes > call_.off + call_.bytes || at + bytes > kLineBytes)
    return wrong("a store past the cache at offset " + std::to_string(off) + ", beside the range");
  if (fences_ != 0) return wrong("a store past the cache behind the fence");
  Line& l = lines_[line - first_line()];
  const uint64_t mask = (bytes == kLineBytes ? ~uint64_t{0} : (uint64_t{1} << bytes) - 1) << at;
  if (l.written_back || (l.streamed & mask) != 0)
    return wrong("line " + std::to_string(line) + " goes to the medium twice");
  l.streamed |= mask;
}

bool Judge::copied(uint64_t off, uint64_t bytes) const {
  return std::memcmp(domain_.base() + off, source_ + (off - call_.off), bytes) == 0;
}

std::string Judge::verdict() {
  const bool by_instruction = domain_.flush_kind() != pmem::FlushKind::none;
  for (uint64_t i = 0; by_instruction && i < line_count(); ++i)
    if (!lines_[i].written_back && lines_[i].streamed != ~uint64_t{0})
      wrong("line " + std::to_string(first_line() + i) + " is left in the cache");
  const uint64_t promised = by_instruction && fences(promise_) ? 1 : 0;
  if (fences_ != promised) wrong(std::to_string(fences_) + " fences, and not " + std::to_string(promised));
  if (copies(promise_)) {
    if (!copied(call_.off, call_.bytes)) wrong("the copy is not what was copied");
    const std::byte* base = domain_.base();
    const uint64_t end = call_.off + call_.bytes, last = std::min(end + kLineBytes, domain_.size_bytes());
    const auto untouched = [](std::byte b) { return b == kUntouched; };
    if (!std::all_of(base + std::max(call_.off, kLineBytes) - kLineBytes, base + call_.off, untouched) ||
        !std::all_of(base + end, base + last, untouched))
      wrong("bytes beside the copy are changed");
  }
  return wrong_;
}

}  // namespace nacre::machine
