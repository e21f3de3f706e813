// The machine's price table: what a fence, a flushed line and a cache miss cost before any code of ours runs.
// A design is argued for in these units; see what they are here before believing a number from elsewhere.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "bench/micro/mapping.h"
#include "pmem/arch/flush.h"
#include "pmem/base/units.h"

namespace nacre::bench {

namespace {

constexpr uint64_t kFlushedBytes = 64u << 20;  // the lines that are dirtied: more than a second-level cache

uint64_t splitmix(uint64_t& state) {
  uint64_t x = state += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The kind to measure: the benchmark's argument. Skips where this CPU does not have it.
std::optional<pmem::FlushKind> kind_of(benchmark::State& state, int64_t argument) {
  const auto kind = static_cast<pmem::FlushKind>(argument);
  state.SetLabel(pmem::flush_kind_name(kind));
  if (pmem::flush_kind_usable(kind)) return kind;
  state.SkipWithError("this CPU does not have it");
  return std::nullopt;
}

void store_word(std::byte* at, uint64_t word) { std::memcpy(at, &word, sizeof word); }

// n lines side by side are dirtied and flushed, then one fence. 0 lines: a fence with nothing outstanding.
void lines_and_fence(benchmark::State& state) {
  const auto kind = kind_of(state, state.range(0));
  if (!kind) return;
  const auto lines = static_cast<uint64_t>(state.range(1));
  const Mapping memory(kFlushedBytes);
  const uint64_t span = std::max<uint64_t>(1, lines) * kLineBytes;
  uint64_t off = 0, word = 0;
  for (auto _ : state) {
    for (uint64_t line = 0; line < lines; ++line) store_word(memory.data() + off + line * kLineBytes, ++word);
    if (lines != 0) pmem::flush_lines(*kind, memory.data() + off, lines * kLineBytes);
    pmem::store_fence(*kind);
    off = off + 2 * span <= kFlushedBytes ? off + span : 0;
  }
  state.SetItemsProcessed(state.iterations());
}

// The same line again and again without a fence: each flush waits for the one before.
void same_line_without_fence(benchmark::State& state) {
  const auto kind = kind_of(state, state.range(0));
  if (!kind) return;
  const Mapping memory(kPageBytes);
  uint64_t word = 0;
  for (auto _ : state) {
    store_word(memory.data(), ++word);
    pmem::flush_lines(*kind, memory.data(), kWordBytes);
  }
  pmem::store_fence(*kind);
  state.SetItemsProcessed(state.iterations());
}

// One cycle through all lines of the mapping in random order (Sattolo 1986): each address comes from the load
// before, so misses cannot overlap.
void dependent_read(benchmark::State& state) {
  const Mapping memory(micro_options().bytes, state.range(0) != 0);
  state.SetLabel(state.range(0) != 0 ? "2 MiB pages" : "4 KiB pages");
  const uint64_t lines = memory.size_bytes() / kLineBytes;
  std::vector<uint32_t> next(lines);
  std::iota(next.begin(), next.end(), 0u);
  uint64_t seed = 1;
  for (uint64_t left = lines - 1; left > 0; --left) std::swap(next[left], next[splitmix(seed) % left]);
  for (uint64_t line = 0; line < lines; ++line) store_word(memory.data() + line * kLineBytes, next[line]);
  next = {};

  uint64_t at = 0;
  for (auto _ : state) std::memcpy(&at, memory.data() + at * kLineBytes, sizeof at);
  benchmark::DoNotOptimize(at);
  state.SetItemsProcessed(state.iterations());
}

// Addresses that do not depend on what was read: as many misses in flight as the CPU can hold.
void independent_read(benchmark::State& state) {
  const Mapping memory(micro_options().bytes, state.range(0) != 0);
  state.SetLabel(state.range(0) != 0 ? "2 MiB pages" : "4 KiB pages");
  const uint64_t mask = memory.size_bytes() / kLineBytes - 1;  // sizes are powers of two
  uint64_t seed = 1, sum = 0;
  for (auto _ : state) {
    uint64_t word;
    std::memcpy(&word, memory.data() + (splitmix(seed) & mask) * kLineBytes, sizeof word);
    sum += word;
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations());
}

void flush_arguments(benchmark::internal::Benchmark* b) {
  for (const auto kind : {pmem::FlushKind::clwb, pmem::FlushKind::clflushopt, pmem::FlushKind::clflush})
    for (const int64_t lines : {0, 1, 2, 4, 8, 16}) b->Args({static_cast<int64_t>(kind), lines});
}

BENCHMARK(lines_and_fence)->ArgNames({"kind", "lines"})->Apply(flush_arguments);
BENCHMARK(same_line_without_fence)
    ->ArgName("kind")
    ->Arg(static_cast<int64_t>(pmem::FlushKind::clwb))
    ->Arg(static_cast<int64_t>(pmem::FlushKind::clflushopt))
    ->Arg(static_cast<int64_t>(pmem::FlushKind::clflush));
BENCHMARK(dependent_read)->ArgName("huge")->Arg(0)->Arg(1);
BENCHMARK(independent_read)->ArgName("huge")->Arg(0)->Arg(1);

}  // namespace

}  // namespace nacre::bench
