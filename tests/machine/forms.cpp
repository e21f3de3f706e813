#include "tests/machine/forms.h"

#include <array>

#include "pmem/arch/flush.h"

namespace nacre::machine {
namespace {

bool always() { return true; }
bool has_clwb() { return pmem::flush_kind_usable(pmem::FlushKind::clwb); }
bool has_clflushopt() { return pmem::flush_kind_usable(pmem::FlushKind::clflushopt); }
bool has_avx() { return __builtin_cpu_supports("avx") != 0; }
bool has_avx512() { return __builtin_cpu_supports("avx512f") != 0; }

alignas(64) unsigned char g_static_line[64];

// The operand is written twice, once for lea and once for the instruction.
#define NACRE_FORM(before, operand, after, kind, store_bytes, usable)                          \
  Form {                                                                                       \
    before operand after, kind, store_bytes,                                                   \
        [](uint64_t target, uint64_t other) -> uint64_t {                                      \
          uint64_t address = 0;                                                                \
          asm volatile(                                                                        \
              "mov %1, %%rax\n mov %1, %%r12\n mov %1, %%r13\n  mov %2, %%r9\n"                \
              "mov $24, %%ecx\n mov %2, %%r14\n"                                               \
              "lea " operand ", %%rdx\n mov %%rdx, %0\n" before operand after                  \
              : "=&S"(address)                                                                 \
              : "D"(target), "b"(other)                                                        \
              : "rax", "rcx", "rdx", "r8", "r9", "r12", "r13", "r14", "xmm0", "memory", "cc"); \
          return address;                                                                      \
        },                                                                                     \
        usable                                                                                 \
  }

constexpr std::array kForms{
    NACRE_FORM("clflush ", "(%%rax)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "8(%%rax)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "-128(%%rax)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "0x1040(%%rax)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "-0x1040(%%rax)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "(%%r12)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "64(%%r12)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "(%%r13)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "0x400(%%r13)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "(%%r13,%%rcx,2)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "8(%%rsp)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "(%%rsp)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "(%%rax,%%rcx)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "(%%rax,%%rcx,8)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "-64(%%r12,%%rcx,4)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "0x2000(%%r13,%%rcx,4)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "(,%%r9,8)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflush ", "64(,%%r14,8)", "", Kind::clflush, 0, always),
    NACRE_FORM("clflushopt ", "(%%rax)", "", Kind::clflushopt, 0, has_clflushopt),
    NACRE_FORM("clflushopt ", "64(%%r13,%%rcx,2)", "", Kind::clflushopt, 0, has_clflushopt),
    NACRE_FORM("clflushopt ", "(,%%r9,8)", "", Kind::clflushopt, 0, has_clflushopt),
    NACRE_FORM("clwb ", "(%%rax)", "", Kind::clwb, 0, has_clwb),
    NACRE_FORM("clwb ", "0x1000(%%r12)", "", Kind::clwb, 0, has_clwb),
    NACRE_FORM("clwb ", "-8(%%r13,%%rcx,8)", "", Kind::clwb, 0, has_clwb),
    NACRE_FORM("movnti %%ecx, ", "(%%rax)", "", Kind::stream, 4, always),
    NACRE_FORM("movnti %%rcx, ", "8(%%r12)", "", Kind::stream, 8, always),
    NACRE_FORM("movnti %%r9, ", "-0x100(%%rax,%%rcx,8)", "", Kind::stream, 8, always),
    NACRE_FORM("movntdq %%xmm0, ", "(%%rax)", "", Kind::stream, 16, always),
    NACRE_FORM("movntdq %%xmm0, ", "0x30(%%r13)", "", Kind::stream, 16, always),
    NACRE_FORM("movntps %%xmm0, ", "16(%%rax)", "", Kind::stream, 16, always),
    NACRE_FORM("movntpd %%xmm0, ", "32(%%r12)", "", Kind::stream, 16, always),
    NACRE_FORM("vmovntdq %%xmm0, ", "16(%%rax)", "", Kind::stream, 16, has_avx),
    NACRE_FORM("vmovntdq %%ymm0, ", "32(%%rax)", "", Kind::stream, 32, has_avx),
    NACRE_FORM("vmovntdq %%ymm0, ", "-32(%%r12)", "", Kind::stream, 32, has_avx),
    NACRE_FORM("vmovntps %%ymm0, ", "64(,%%r9,8)", "", Kind::stream, 32, has_avx),
    NACRE_FORM("vmovntpd %%ymm0, ", "0x400(%%r13)", "", Kind::stream, 32, has_avx),
    NACRE_FORM("vmovntdq %%zmm0, ", "64(%%rax)", "", Kind::stream, 64, has_avx512),
    NACRE_FORM("vmovntdq %%zmm0, ", "-128(%%r13)", "", Kind::stream, 64, has_avx512),
    NACRE_FORM("vmovntps %%zmm0, ", "0x4000(%%r12)", "", Kind::stream, 64, has_avx512),
    NACRE_FORM("lock addq $1, ", "(%%rax)", "", Kind::locked, 0, always),
    NACRE_FORM("lock cmpxchg %%rcx, ", "8(%%r12)", "", Kind::locked, 0, always),
    NACRE_FORM("xchg %%rcx, ", "(%%r13)", "", Kind::locked, 0, always),
    NACRE_FORM("xchg %%cl, ", "(%%rax)", "", Kind::locked, 0, always),
    Form{"clflush line(%rip)", Kind::clflush, 0,
         [](uint64_t, uint64_t) -> uint64_t {
           asm volatile("clflush %0" : "+m"(g_static_line)::"memory");
           return reinterpret_cast<uint64_t>(g_static_line);
         },
         always},
    Form{"clflush %fs:0", Kind::clflush, 0,
         [](uint64_t, uint64_t) -> uint64_t {
           uint64_t address = 0;
           asm volatile("mov %%fs:0, %0\n clflush %%fs:0" : "=r"(address)::"memory");
           return address;
         },
         always},
    Form{"maskmovdqu %xmm0, %xmm0", Kind::unknown, 0,
         [](uint64_t target, uint64_t) -> uint64_t {
           asm volatile("pxor %%xmm0, %%xmm0\n maskmovdqu %%xmm0, %%xmm0" ::"D"(target) : "xmm0", "memory");
           return 0;
         },
         always},
    Form{"sfence", Kind::sfence, 0,
         [](uint64_t, uint64_t) -> uint64_t {
           asm volatile("sfence" ::: "memory");
           return 0;
         },
         always},
    Form{"mfence", Kind::mfence, 0,
         [](uint64_t, uint64_t) -> uint64_t {
           asm volatile("mfence" ::: "memory");
           return 0;
         },
         always},
};

#undef NACRE_FORM

}  // namespace

std::span<const Form> forms() noexcept { return kForms; }

}  // namespace nacre::machine
