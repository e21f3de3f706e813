#include "tests/machine/decode.h"

#include <cstring>

namespace nacre::machine {
namespace {

constexpr uint8_t kRexW = 8, kRexX = 2, kRexB = 1;
constexpr unsigned kMapOf0F = 1;

class Decoder {
 public:
  Decoder(const uint8_t* code, const user_regs_struct& registers) : begin_(code), at_(code), r_(registers) {}

  Instruction run() {
    read_prefixes();
    if (lock_) return {Kind::locked};
    const uint8_t first = take();
    if (first == 0xC4 || first == 0xC5) return vex(first == 0xC5);
    if (first == 0x62) return evex();
    if (first == 0x86 || first == 0x87) return {*at_ >> 6 == 3 ? Kind::plain : Kind::locked};  // xchg
    if (first != 0x0F) return {};
    const uint8_t second = take();
    if (second == 0x38) return map_0f38(take());
    return map_0f(second);
  }

 private:
  uint8_t take() { return *at_++; }

  void read_prefixes() {
    for (;; ++at_) {
      const uint8_t b = *at_;
      if (b == 0xF0)
        lock_ = true;
      else if (b == 0x66)
        operand16_ = true;
      else if (b == 0x67)
        address32_ = true;
      else if (b == 0xF2 || b == 0xF3)
        repeat_ = b;
      else if (b == 0x64 || b == 0x65)
        segment_ = b;
      else if (b != 0x2E && b != 0x36 && b != 0x3E && b != 0x26)
        break;
    }
    if ((*at_ & 0xF0) == 0x40) rex_ = take();
  }

  // ---- operands

  uint64_t general(unsigned number) const {
    const unsigned long long all[] = {r_.rax, r_.rcx, r_.rdx, r_.rbx, r_.rsp, r_.rbp, r_.rsi, r_.rdi,
                                      r_.r8,  r_.r9,  r_.r10, r_.r11, r_.r12, r_.r13, r_.r14, r_.r15};
    return all[number];
  }

  int64_t displacement(unsigned bytes, uint64_t scale) {
    if (bytes == 1) return static_cast<int8_t>(take()) * static_cast<int64_t>(scale);
    int32_t d = 0;
    std::memcpy(&d, at_, sizeof d);
    at_ += sizeof d;
    return d;
  }

  // The address of the memory operand. No immediate may follow, for rip-relative addresses count from the end.
  uint64_t memory_operand(uint64_t disp8_scale = 1) {
    const uint8_t modrm = take();
    const unsigned mod = modrm >> 6, rm = modrm & 7;
    uint64_t address = 0;
    bool no_base = false;
    if (rm == 4) {
      const uint8_t sib = take();
      const unsigned index = (sib >> 3 & 7) | ((rex_ & kRexX) != 0 ? 8 : 0);
      no_base = (sib & 7) == 5 && mod == 0;
      if (index != 4) address += general(index) << (sib >> 6);
      if (!no_base) address += general((sib & 7) | ((rex_ & kRexB) != 0 ? 8 : 0));
    } else if (rm == 5 && mod == 0) {
      const int64_t d = displacement(4, 1);
      return base_of_segment() + r_.rip + static_cast<uint64_t>(at_ - begin_) + static_cast<uint64_t>(d);
    } else {
      address = general(rm | ((rex_ & kRexB) != 0 ? 8 : 0));
    }
    if (mod == 1) address += static_cast<uint64_t>(displacement(1, disp8_scale));
    if (mod == 2 || no_base) address += static_cast<uint64_t>(displacement(4, 1));
    return base_of_segment() + address;
  }

  uint64_t base_of_segment() const { return segment_ == 0x64 ? r_.fs_base : segment_ == 0x65 ? r_.gs_base : 0; }

  Instruction on_memory(Kind kind, uint8_t store_bytes = 0, uint64_t disp8_scale = 1) {
    if (address32_ || *at_ >> 6 == 3) return {Kind::unknown};
    const uint64_t address = memory_operand(disp8_scale);
    return {kind, length(), store_bytes, address};
  }

  uint8_t length() const { return static_cast<uint8_t>(at_ - begin_); }

  // ---- opcodes

  Instruction map_0f(uint8_t opcode) {
    switch (opcode) {
      case 0xAE:
        return group_15();
      case 0xC3:  // movnti
        return operand16_ || repeat_ != 0 ? Instruction{Kind::unknown}
                                          : on_memory(Kind::stream, (rex_ & kRexW) != 0 ? 8 : 4);
      case 0xE7:  // movntq, movntdq
        return repeat_ != 0 ? Instruction{Kind::unknown} : on_memory(Kind::stream, operand16_ ? 16 : 8);
      case 0x2B:  // movntps, movntpd, and AMD's movntss, movntsd
        return on_memory(Kind::stream, repeat_ == 0xF3 ? 4 : repeat_ == 0xF2 ? 8 : 16);
      case 0xF7:  // maskmovq, maskmovdqu
      case 0x09:  // wbinvd
        return {Kind::unknown};
      case 0xA2:  // cpuid
        return {Kind::locked};
      case 0x01:
        return {*at_ == 0xE8 && repeat_ == 0 ? Kind::locked : Kind::plain};  // serialize
      default:
        return {};
    }
  }

  Instruction map_0f38(uint8_t opcode) const {
    const bool direct_store = (opcode == 0xF8 && (operand16_ || repeat_ != 0)) || (opcode == 0xF9 && repeat_ == 0);
    return {direct_store ? Kind::unknown : Kind::plain};  // movdir64b, enqcmd, movdiri
  }

  Instruction group_15() {
    const unsigned mod = *at_ >> 6, operation = *at_ >> 3 & 7;
    if (mod == 3) {
      if (operand16_) return {Kind::unknown};
      if (repeat_ != 0) return {operation <= 3 ? Kind::plain : Kind::unknown};  // rdfsbase and its like
      ++at_;
      if (operation == 7) return {Kind::sfence, length()};
      if (operation == 6) return {Kind::mfence, length()};
      return {operation == 5 ? Kind::plain : Kind::unknown};  // lfence
    }
    if (repeat_ != 0) return {Kind::unknown};
    if (operation == 7) return on_memory(operand16_ ? Kind::clflushopt : Kind::clflush);
    if (operation == 6 && operand16_) return on_memory(Kind::clwb);
    return {operand16_ ? Kind::unknown : Kind::plain};  // fxsave ... xsaveopt
  }

  Instruction vector(unsigned map, unsigned prefix, uint8_t opcode, uint8_t vector_bytes, uint64_t disp8_scale) {
    const bool packed = prefix <= 1;  // none or 66
    if (map == kMapOf0F && ((opcode == 0xE7 && prefix == 1) || (opcode == 0x2B && packed)))
      return on_memory(Kind::stream, vector_bytes, disp8_scale);
    if (map == kMapOf0F && (opcode == 0xE7 || opcode == 0x2B || opcode == 0xF7)) return {Kind::unknown};
    return {};
  }

  Instruction vex(bool short_form) {
    unsigned map = kMapOf0F;
    if (!short_form) {
      const uint8_t rxb = take();
      map = rxb & 31;
      rex_ = static_cast<uint8_t>(~rxb >> 5 & 7);
    }
    const uint8_t last = take();
    return vector(map, last & 3, take(), (last & 4) != 0 ? 32 : 16, 1);
  }

  Instruction evex() {
    const uint8_t p0 = take(), p1 = take(), p2 = take();
    rex_ = static_cast<uint8_t>(~p0 >> 5 & 7);
    const auto vector_bytes = static_cast<uint8_t>(16u << (p2 >> 5 & 3));
    return vector(p0 & 7, p1 & 3, take(), vector_bytes, vector_bytes);
  }

  const uint8_t* const begin_;
  const uint8_t* at_;
  const user_regs_struct& r_;
  bool lock_ = false, operand16_ = false, address32_ = false;
  uint8_t repeat_ = 0, segment_ = 0, rex_ = 0;
};

}  // namespace

const char* kind_name(Kind kind) noexcept {
  constexpr const char* kNames[] = {"plain",           "clflush", "clflushopt",         "clwb",
                                    "sfence",          "mfence",  "non-temporal store", "locked instruction",
                                    "unknown encoding"};
  return kNames[static_cast<size_t>(kind)];
}

Instruction decode(const uint8_t* code, const user_regs_struct& registers) noexcept {
  return Decoder(code, registers).run();
}

}  // namespace nacre::machine
