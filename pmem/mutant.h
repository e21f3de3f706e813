// Steps that the mutation test breaks on purpose, to see that the crash explorer notices: a check that is skipped, a
// seal that says too much, memory that is handed out too early. (Flushes and fences need no points of their own: a
// test's domain breaks those. See pmem/site.h.)
//
//   if (guard_seq(line->guard) > top && !broken(site::kSkipRule)) return;
//
// In every build but that of the mutation and the interleaving test (NACRE_MUTANTS, set in tests/meson.build for their
// own copy of the libraries) broken() is the constant false, and the compiler removes it together with what it guards.
// A function that only a mutant calls is compiled for that copy alone: `if constexpr (pmem::kMutants)` around the call.
#pragma once

#include <cstdint>

namespace nacre::pmem {

#if defined(NACRE_MUTANTS) && NACRE_MUTANTS
inline constexpr bool kMutants = true;
struct Mutant {
  constexpr Mutant(const char* its_name, const char* its_harm) noexcept : name(its_name), harm(its_harm) {}
  const char* name;  ///< "layer.structure.step", unique in the project
  const char* harm;  ///< what is done wrong
  bool on = false;
  uint64_t hits = 0;  ///< how often the point was passed; not exact with several threads
};
inline bool broken(Mutant& mutant) noexcept {
  __atomic_fetch_add(&mutant.hits, 1, __ATOMIC_RELAXED);
  return __atomic_load_n(&mutant.on, __ATOMIC_RELAXED);
}
#else
inline constexpr bool kMutants = false;
struct Mutant {
  constexpr Mutant(const char*, const char*) noexcept {}
};
consteval bool broken(const Mutant&) noexcept { return false; }
#endif

}  // namespace nacre::pmem
