// nacre_micro: what the machine's and our own smallest steps cost. Two options of its own, then Google
// Benchmark's:
//
//   --smaller        random reads over 64 MiB instead of 1 GiB
//   --folder=PATH    map files there (a tmpfs, a DAX file system) instead of anonymous memory
//
// Times on a shared machine are noise with a trend: --benchmark_repetitions=5, and trust ratios.
#include <benchmark/benchmark.h>

#include <string_view>

#include "bench/micro/mapping.h"

namespace nacre::bench {

namespace {
MicroOptions g_options;

// Takes our options out of argv and leaves the rest.
void take_options(int& argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    constexpr std::string_view kFolder = "--folder=";
    if (argument == "--smaller") {
      g_options.bytes = uint64_t{64} << 20;
    } else if (argument.starts_with(kFolder)) {
      g_options.folder = argument.substr(kFolder.size());
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
}

}  // namespace

const MicroOptions& micro_options() { return g_options; }

}  // namespace nacre::bench

int main(int argc, char** argv) {
  nacre::bench::take_options(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
