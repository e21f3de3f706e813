#include "tests/machine/tracee.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace nacre::machine {
namespace {

constexpr uint8_t kInt3 = 0xCC;
constexpr int kMayNotTrace = 77;

// The child is a copy of this process: its code is here, too, and without breakpoints.
const uint8_t* code_at(uint64_t address) { return reinterpret_cast<const uint8_t*>(address); }

bool may_be_skipped(Kind kind) {
  return kind == Kind::clflush || kind == Kind::clflushopt || kind == Kind::clwb || kind == Kind::sfence ||
         kind == Kind::mfence;
}

user_regs_struct registers_of(pid_t child) {
  user_regs_struct registers;
  if (::ptrace(PTRACE_GETREGS, child, nullptr, &registers) != 0)
    throw std::runtime_error(std::string("ptrace: cannot read registers: ") + std::strerror(errno));
  return registers;
}

void set_rip(pid_t child, uint64_t address) {
  if (::ptrace(PTRACE_POKEUSER, child, offsetof(user_regs_struct, rip), address) != 0)
    throw std::runtime_error(std::string("ptrace: cannot set rip: ") + std::strerror(errno));
}

}  // namespace

struct Tracee::Shared {
  Call call;
  uint64_t answer;
};

std::unique_ptr<Tracee> Tracee::start(pmem::Domain& domain, const std::byte* source, std::string& why_not) {
  void* shared = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::runtime_error("no shared memory");
  auto* s = new (shared) Shared{};
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(0);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(kMayNotTrace);
    ::raise(SIGSTOP);
    for (;;) {
      const Call call = s->call;
      perform(call, domain, source, s->answer);
    }
  }
  auto tracee = std::unique_ptr<Tracee>(new Tracee(child, s));
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
    why_not = "this process may not trace its child (ptrace is not permitted here)";
    return nullptr;
  }
  return tracee;
}

Tracee::~Tracee() {
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  ::munmap(shared_, sizeof(Shared));
}

uint64_t Tracee::answer() const noexcept { return shared_->answer; }

void Tracee::resume(int request) {
  ++stops_;
  if (::ptrace(static_cast<__ptrace_request>(request), child_, nullptr, nullptr) != 0)
    throw std::runtime_error(std::string("ptrace: cannot go on: ") + std::strerror(errno));
  int status = 0;
  while (::waitpid(child_, &status, 0) != child_)
    if (errno != EINTR) throw std::runtime_error("the traced process is gone");
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
    throw std::runtime_error("the traced process got signal " +
                             std::to_string(WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status)));
}

void Tracee::step(const Call& call, Watcher& watcher) {
  shared_->call = call;
  resume(PTRACE_CONT);  // to the first int3
  for (;;) {
    const user_regs_struct registers = registers_of(child_);
    const uint8_t* code = code_at(registers.rip);
    if (*code == kInt3) return set_rip(child_, registers.rip + 1);
    const Instruction instruction = decode(code, registers);
    if (instruction.kind != Kind::plain) {
      if (instruction.length_bytes != 0 && instruction.kind != Kind::stream)
        seen_[registers.rip] = instruction.length_bytes;
      watcher.see(instruction);
    }
    ++instructions_;
    resume(PTRACE_SINGLESTEP);
  }
}

void Tracee::leap(const Call& call, Watcher& watcher) {
  shared_->call = call;
  resume(PTRACE_CONT);
  for (;;) {
    resume(PTRACE_CONT);
    user_regs_struct registers = registers_of(child_);
    --registers.rip;  // int3 has run
    if (!seen_.contains(registers.rip)) return;
    const Instruction instruction = decode(code_at(registers.rip), registers);
    watcher.see(instruction);
    if (!may_be_skipped(instruction.kind)) throw std::runtime_error("a breakpoint on what cannot be skipped");
    set_rip(child_, registers.rip + instruction.length_bytes);
  }
}

void Tracee::set_breakpoints() {
  for (const auto& [address, length] : seen_) {
    errno = 0;
    auto word = static_cast<uint64_t>(::ptrace(PTRACE_PEEKTEXT, child_, address, nullptr));
    word = (word & ~uint64_t{0xFF}) | kInt3;
    if (errno != 0 || ::ptrace(PTRACE_POKETEXT, child_, address, word) != 0)
      throw std::runtime_error(std::string("ptrace: cannot set a breakpoint: ") + std::strerror(errno));
  }
}

int64_t unseen_code(const SeenCode& seen) {
  const CodeRange range = code_of_perform();
  for (const uint8_t* p = range.begin; p + 2 < range.end; ++p) {
    if (p[0] != 0x0F || p[1] != 0xAE) continue;
    const auto address = reinterpret_cast<uint64_t>(p);
    auto next = seen.upper_bound(address);
    if (next == seen.begin() || std::prev(next)->first + std::prev(next)->second <= address) return p - range.begin;
  }
  return -1;
}

}  // namespace nacre::machine
