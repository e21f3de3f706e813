#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tests/misuse/cases.h"

namespace nacre::misuse {
namespace {

constexpr unsigned kHangSeconds = 60;
char g_running[256];

// write() alone is safe in a signal handler.
void say_running(const char* text) {
  for (const char* part : {text, static_cast<const char*>(g_running), "\n"})
    if (::write(STDOUT_FILENO, part, std::strlen(part)) < 0) ::_exit(2);
}

void on_alarm(int) {
  say_running("not ok - a case hangs: ");
  ::_exit(1);
}

void on_death(int number) {
  say_running("not ok - a case dies: ");
  ::signal(number, SIG_DFL);
  ::raise(number);
}

bool is_answer(int status) noexcept { return status == NACRE_NOT_FOUND || status == NACRE_STOPPED; }

// Nothing a case opened may stay open.
void close_opened(World& world, const Function& f, int status) {
  if (status == NACRE_OK && std::strcmp(f.name, "nacre_open") == 0)
    static_cast<void>(nacre_close(reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(world.out()))));
}

// Runs cases, each on a world that no case before it has changed.
template <class MakeCases>
void run_cases(Report& report, const Place& place, const char* group, const MakeCases& make_cases) {
  auto world = std::make_unique<World>(place.folder, place.template_path);
  const size_t count = make_cases(*world).size();
  for (size_t i = 0; i < count; ++i) {
    const Case c = make_cases(*world).at(i);  // anew: the words name handles of this world
    const std::string id = std::string(group) + "/" + c.function->name + "/" + c.what;
    if (!report.wants(id)) continue;
    const Watchdog watchdog(id);
    if (!world->trouble().empty()) return report.note(id, world->trouble());
    Words words = world->valid_words(*c.function);
    for (const auto& [argument, word] : c.changed) words[argument] = word;
    world->remember();
    const int status = c.function->call(words);
    std::string violation = judge(*world, *c.function, words, status, c.expected);
    close_opened(*world, *c.function, status);
    const bool spent = c.expected == NACRE_OK || !violation.empty();
    if (spent) {
      world.reset();  // before the next one makes its files
      world = std::make_unique<World>(place.folder, place.template_path);
    }
    report.note(id, violation);
  }
  if (world->trouble().empty() && !world->sound_at_end())
    report.note(std::string(group) + "/the pool is sound at the end", nacre_errormsg());
}

}  // namespace

void Report::note(const std::string& id, const std::string& violation) {
  ++cases_;
  if (violation.empty()) return;
  ++violations_;
  std::printf("# violation: %s: %s\n#   again: nacre_misuse_test --only='%s'\n", id.c_str(), violation.c_str(),
              id.c_str());
}

Watchdog::Watchdog(const std::string& id) {
  std::snprintf(g_running, sizeof g_running, "%s", id.c_str());
  ::signal(SIGALRM, on_alarm);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)  // a sanitizer has more to say
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) ::signal(number, on_death);
#else
  static_cast<void>(on_death);
#endif
  ::alarm(kHangSeconds);
}
Watchdog::~Watchdog() { ::alarm(0); }

std::string judge(World& world, const Function& f, const Words& words, int status, int expected) {
  if (!f.traits.has_status) {
    if (expected == NACRE_OK) return {};  // a valid call, which has no answer to judge
  } else if (status != expected) {
    return std::string("answered ") + nacre_status_name(status) + ", not " + nacre_status_name(expected) + ": " +
           nacre_errormsg();
  }
  if (expected == NACRE_OK) return {};
  if (!is_answer(expected) && f.traits.has_status && *nacre_errormsg() == '\0') return "the failure has no text";
  const int out = f.find(Role::out_handle);
  if (out >= 0 && words[static_cast<size_t>(out)] != 0 && world.out() != 0) return "out is not null after a failure";
  if (world.reentry().calls != 0) return "a callback ran in a refused call";
  // Whoever looks for space everywhere retires the log on the way; what the pool holds is as it was.
  if (expected != NACRE_OUT_OF_SPACE && !world.unchanged()) return "the pool's bytes changed";
  if (!world.alive()) return "a living handle was harmed";
  return {};
}

void run_arguments(Report& report, const Place& place) {
  run_cases(report, place, "argument", [](World& world) { return argument_cases(world); });
}

void run_limits(Report& report, const Place& place) {
  run_cases(report, place, "limit", [](World&) { return limit_cases(); });
}

void run_exports(Report& report) {
  std::vector<std::string> exported = exported_functions();
  report.note("exports/can be read", exported.empty() ? "no symbols in libnacre.so" : "");
  for (const std::string& name : exported) {
    const bool known =
        std::any_of(functions().begin(), functions().end(), [&](const Function& f) { return name == f.name; });
    report.note("exports/" + name, known ? "" : "it has no row in tests/misuse/abi.cpp");
  }
  for (const Function& f : functions())
    if (std::find(exported.begin(), exported.end(), f.name) == exported.end())
      report.note(std::string("exports/") + f.name, "the row names a function that libnacre.so does not export");
}

}  // namespace nacre::misuse
