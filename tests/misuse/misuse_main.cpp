// nacre_misuse_test [--only=ID] [--json=FILE] [--tier=commit|nightly] [--seed=N] [--list]: prints TAP, one line a
// group. There is nothing random in it and one size of it: tier and seed are taken because all proofs take them.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/misuse/cases.h"
#include "tests/support/files.h"

using namespace nacre::misuse;

namespace {

struct Group {
  const char* name;
  void (*run)(Report&, const Place&);
};
constexpr Group kGroups[] = {
    {"every exported function has a row", [](Report& r, const Place&) { run_exports(r); }},
    {"null, dead, foreign and forged arguments", run_arguments},
    {"lengths, names, numbers and texts", run_limits},
    {"a read-only pool", run_read_only},
    {"calls from inside callbacks", run_inside_callbacks},
    {"handles in the child of a fork", run_after_fork},
    {"two pools", run_other_pool},
    {"files that are no sound pool", run_damaged_files},
    {"a damaged record", run_damaged_records},
};

// Fewer would mean that a generator lost its rows.
constexpr uint64_t kLeastCases = 1000;

bool write_json(const std::string& path, const Report& report, double seconds) {
  FILE* out = std::fopen(path.c_str(), "w");
  if (out == nullptr) return false;
  std::fprintf(out,
               "[{\"figure\": \"API misuse cases\", \"count\": %llu, \"violations\": %llu, \"cuts\": 0, "
               "\"model\": \"the C ABI through libnacre.so, medium msync\", \"seconds\": %.2f}]\n",
               static_cast<unsigned long long>(report.cases()), static_cast<unsigned long long>(report.violations()),
               seconds);
  return std::fclose(out) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string only, json;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg.starts_with("--only="))
      only = arg.substr(7);
    else if (arg.starts_with("--json="))
      json = arg.substr(7);
    else if (!arg.starts_with("--tier=") && !arg.starts_with("--seed=")) {
      std::fprintf(stderr, "usage: %s [--only=ID] [--json=FILE] [--tier=commit|nightly] [--seed=N]\n", argv[0]);
      return 2;
    }
  }
  ::unsetenv("NACRE_MEDIUM");  // the environment must not decide for "auto"
  const char* tmp = std::getenv("TMPDIR");
  const nacre::test::TempFolder folder(tmp != nullptr ? tmp : "/tmp");
  const Place place{folder / "", folder / "template"};
  if (::mkdir((folder / "second").c_str(), 0700) != 0 || !make_template(place.template_path)) return 1;
  Report report(only);
  const auto start = std::chrono::steady_clock::now();
  int number = 0;
  for (const Group& group : kGroups) {
    const uint64_t cases = report.cases(), violations = report.violations();
    group.run(report, place);
    const uint64_t wrong = report.violations() - violations;
    std::printf("%s %d - %s: %llu cases\n", wrong == 0 ? "ok" : "not ok", ++number, group.name,
                static_cast<unsigned long long>(report.cases() - cases));
    std::fflush(stdout);
  }
  const bool enough = !only.empty() || report.cases() >= kLeastCases;
  std::printf("%s %d - at least %llu cases\n1..%d\n", enough ? "ok" : "not ok", number + 1,
              static_cast<unsigned long long>(kLeastCases), number + 1);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("# %llu misuse cases, %llu violations, %.1f s\n", static_cast<unsigned long long>(report.cases()),
              static_cast<unsigned long long>(report.violations()), seconds.count());
  if (!json.empty() && !write_json(json, report, seconds.count())) return 2;
  return report.violations() == 0 && enough ? 0 : 1;
}
