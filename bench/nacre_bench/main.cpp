// nacre_bench: measures a Nacre store in the manner of db_bench, and holds it against a yardstick.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "bench/nacre_bench/clock.h"
#include "bench/nacre_bench/compare.h"
#include "bench/nacre_bench/json.h"
#include "bench/nacre_bench/open_child.h"
#include "bench/nacre_bench/options.h"
#include "bench/nacre_bench/plot.h"
#include "bench/nacre_bench/progress.h"
#include "bench/nacre_bench/report.h"
#include "bench/nacre_bench/runner.h"

namespace nacre::bench {

namespace {

char g_scratch_path[4096];  // a signal handler may read nothing else

// A pool of gigabytes must not stay behind in /dev/shm when somebody presses ^C.
extern "C" void remove_scratch_and_exit(int signal_number) {
  if (g_scratch_path[0] != 0) (void)unlink(g_scratch_path);
  _exit(128 + signal_number);
}

void remove_scratch_when_interrupted(const Options& options) {
  const bool scratch = options.db_is_ours || !options.compare.empty();
  if (!scratch || options.db.size() >= sizeof g_scratch_path) return;
  std::memcpy(g_scratch_path, options.db.c_str(), options.db.size() + 1);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, remove_scratch_and_exit);
}

void run_list(const Options& options, Runner& runner, const std::string& engine, uint64_t round,
              std::vector<RunResult>& results) {
  for (size_t at = 0; at < options.benchmarks.size(); ++at) {
    const Benchmark benchmark = options.benchmarks[at];
    if (const char* obstacle = runner.obstacle(benchmark); obstacle != nullptr) {
      print_skipped(benchmark, engine, obstacle);
      continue;
    }
    RunResult result = runner.run(benchmark);
    result.position = at;
    result.round = round;
    print_line(result, options.histogram);
    results.push_back(result);
  }
}

std::vector<RunResult> run_one(const Options& options) {
  std::vector<RunResult> results;
  Runner runner(options, options.engine);
  print_header(options, {{options.engine, runner.facts()}});
  run_list(options, runner, options.engine, 0, results);
  return results;
}

StoreFacts facts_of(const Options& options, const std::string& engine) {
  Runner runner(options, engine);
  runner.discard();
  return runner.facts();
}

std::vector<RunResult> run_compared(const Options& options) {
  std::vector<RunResult> results;
  print_header(options, {{options.engine, facts_of(options, options.engine)},
                         {options.compare, facts_of(options, options.compare)}});
  for (uint64_t round = 0; round < options.rounds; ++round) {
    for (const std::string& engine : {options.engine, options.compare}) {
      std::printf("-- round %llu of %llu, %s\n", static_cast<unsigned long long>(round + 1),
                  static_cast<unsigned long long>(options.rounds), engine.c_str());
      Runner runner(options, engine);
      runner.discard();
      run_list(options, runner, engine, round, results);
    }
  }
  print_comparison(compare(results, options.engine, options.compare), options.engine, options.compare);
  return results;
}

int run(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    if (options.help) {
      std::fputs(usage().c_str(), stdout);
      return 0;
    }
    calibrate_clock();
    if (options.child != Child::none) {
      run_child(options);
      return 0;
    }
    remove_scratch_when_interrupted(options);
    const std::vector<RunResult> results = options.compare.empty() ? run_one(options) : run_compared(options);
    if (!options.json.empty()) write_json(options.json, options, results);
    if (!options.plot.empty()) write_file(options.plot, svg_of(options, results));
    return 0;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "nacre_bench: %s\nTry nacre_bench --help.\n", error.text.c_str());
    return 2;
  } catch (const BenchError& error) {
    progress("");
    std::fprintf(stderr, "nacre_bench: %s\n", error.text.c_str());
    return 1;
  } catch (const std::bad_alloc&) {
    progress("");
    std::fprintf(stderr, "nacre_bench: out of memory; --num and --reads decide how much is needed\n");
    return 1;
  }
}

}  // namespace

}  // namespace nacre::bench

int main(int argc, char** argv) { return nacre::bench::run(argc, argv); }
