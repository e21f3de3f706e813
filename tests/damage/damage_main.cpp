// nacre_damage_test: damages small pools in every way that is promised to be seen, and in some that are not, and
// prints what came out, by region.
//
//   nacre_damage_test [--tier=smoke|commit|nightly] [--seed=N] [--shape=NAME] [--json=FILE] [--by-shape]
//   nacre_damage_test --shape=NAME --case=TEXT [--write=N]     one case, told in full (tests/damage/damage.h)
//   nacre_damage_test --self-crash=N | --self-hang=N           the N-th case of each shape misbehaves: the run must
//                                                              count it, name it and go on
//   --hang=SECONDS                                             a case that takes longer hangs
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "tests/damage/batch_runner.h"
#include "tests/damage/figures.h"
#include "tests/damage/judge.h"
#include "tests/damage/plan.h"
#include "tests/damage/pool_shape.h"

namespace nacre::damage {
namespace {

struct Tier {
  const char* name;
  Effort effort;
};

// smoke: some seconds, for every run of the tests. commit: half a million flips; the thinned regions are alike in all
// shapes or read by nothing. nightly: every bit of every shape.
constexpr Tier kTiers[] = {
    {"smoke", {60, 400, 200, 60, 400, 100, 50, 0}},
    {"commit", {1, 7, 2, 2, 10, 6'000, 3'000, 1}},
    {"nightly", {1, 1, 1, 1, 1, 300'000, 150'000, 40}},
};

struct Arguments {
  const Tier* tier = &kTiers[0];
  std::string shape, json, damage;
  uint64_t seed = 1, write = 0;
  bool by_shape = false;
  BatchOptions batch;
};

bool take(std::string_view argument, std::string_view name, std::string* value) {
  if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return false;
  *value = argument.substr(name.size() + 1);
  return true;
}

bool parse_argument(std::string_view argument, Arguments* a) {
  std::string v;
  if (take(argument, "--shape", &a->shape) || take(argument, "--json", &a->json) ||
      take(argument, "--case", &a->damage))
    return true;
  if (argument == "--by-shape") return a->by_shape = true;
  if (take(argument, "--seed", &v)) return a->seed = std::stoull(v), true;
  if (take(argument, "--write", &v)) return a->write = std::stoull(v), a->write < Judge::kWrites;
  if (take(argument, "--hang", &v)) return a->batch.hang_s = static_cast<uint32_t>(std::stoul(v)), true;
  if (take(argument, "--self-crash", &v)) return a->batch.self_crash = std::stoull(v), true;
  if (take(argument, "--self-hang", &v)) return a->batch.self_hang = std::stoull(v), true;
  if (!take(argument, "--tier", &v)) return false;
  for (const Tier& tier : kTiers)
    if (v == tier.name) return a->tier = &tier, true;
  return false;
}

bool parse_arguments(int argc, char** argv, Arguments* a) {
  for (int i = 1; i < argc; ++i) {
    bool good = false;
    try {
      good = parse_argument(argv[i], a);
    } catch (const std::exception&) {  // a number that is none
    }
    if (!good)
      return std::fprintf(stderr, "nacre_damage_test: what is %s? See the top of damage_main.cpp\n", argv[i]), false;
  }
  return true;
}

int replay(const PoolShape& shape, const Arguments& a) {
  const auto damage = Damage::parse(a.damage);
  if (!damage) return std::fprintf(stderr, "what is --case=%s?\n", a.damage.c_str()), 2;
  Judge judge(shape);
  if (!judge.changes_anything(*damage)) return std::printf("this damage changes nothing\n"), 2;
  const Region region = judge.region_of(*damage);
  const Verdict v = judge.judge(*damage, static_cast<uint32_t>(a.write), true);
  std::printf("%s in %s\n%s%s%s%s\n", damage->text().c_str(), region_name(region), v.text.c_str(),
              outcome_name(v.outcome), v.check_disagrees ? ", check disagrees" : "", v.odd_error ? ", odd error" : "");
  return is_violation(family_of(*damage), region, v) ? 1 : 0;
}

void print_findings(const PoolShape& shape, const BatchReport& report) {
  for (const Finding& f : report.findings)
    std::printf("# %s%s%s: nacre_damage_test --shape=%s --case=%s --write=%u\n", outcome_name(f.outcome),
                f.check_disagrees ? ", check disagrees" : "", f.odd_error ? ", odd error" : "", shape.name.c_str(),
                f.damage.text().c_str(), f.write);
}

int run(int argc, char** argv) {
  Arguments a;
  if (!parse_arguments(argc, argv, &a)) return 2;
  // A case allocates and frees some hundred KiB: they are kept, not given back to the system and asked for again.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  const bool terminal = isatty(2);
  Figures figures;
  uint64_t shapes = 0;
  for (const PoolShape& shape : make_shapes()) {
    if (!a.shape.empty() && a.shape != shape.name) continue;
    ++shapes;
    if (!a.damage.empty()) return replay(shape, a);
    const auto begin = std::chrono::steady_clock::now();
    Judge judge(shape);
    const Plan plan(shape, judge.regions(), a.tier->effort, a.seed);
    if (terminal)
      a.batch.progress = [&](uint64_t done, uint64_t violations) {
        std::fprintf(stderr, "\r%-12s %8" PRIu64 " of %8" PRIu64 " cases, %" PRIu64 " violations ", shape.name.c_str(),
                     done, plan.size(), violations);
      };
    const BatchReport report = run_plan(judge, plan, a.batch);
    if (terminal) std::fprintf(stderr, "\r%80s\r", "");
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::printf("%s: %" PRIu64 " cases (%" PRIu64 " changed nothing, %" PRIu64 " bits left out), %" PRIu64
                " violations, %" PRIu64 " crashes, %" PRIu64 " hangs, %.1f s\n",
                shape.name.c_str(), report.cases, report.no_change, plan.cut_bits(), report.violations, report.crashes,
                report.hangs, seconds.count());
    print_findings(shape, report);
    if (a.by_shape) print_tables(report.tally);
    std::fflush(stdout);
    figures.add(report, plan.cut_bits(), seconds.count());
  }
  if (shapes == 0) return std::fprintf(stderr, "there is no shape '%s'\n", a.shape.c_str()), 2;
  if (!a.by_shape) print_tables(figures.tally());
  figures.print_summary();
  if (!a.json.empty() && !figures.write_json(a.json)) return 2;
  return figures.violations() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nacre::damage

int main(int argc, char** argv) { return nacre::damage::run(argc, argv); }
