// Every function in a situation it must refuse, or survive: a read-only pool, the inside of a callback, the child of a
// fork, two pools side by side.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/misuse/cases.h"

namespace nacre::misuse {
namespace {

std::string expected_text(int status, int expected) {
  return std::string("answered ") + nacre_status_name(status) + ", not " + nacre_status_name(expected) + ": " +
         nacre_errormsg();
}

bool has_handle(const Function& f) {
  for (const Role role : {Role::db, Role::table, Role::iterator})
    if (f.find(role) >= 0) return true;
  return false;
}

// In the child: the number of violations, each printed.
int misuse_in_child(World& world, const std::string& pool_path) {
  int violations = 0;
  const auto expect = [&](const char* what, int status, int expected) {
    if (status == expected) return;
    ++violations;
    std::printf("# violation: fork/%s: %s\n", what, expected_text(status, expected).c_str());
  };
  for (const Function& f : functions())
    if (has_handle(f)) expect(f.name, f.call(world.valid_words(f)), NACRE_BAD_HANDLE);
  nacre_options* options = nullptr;
  nacre_db* db = nullptr;
  expect("nacre_options_new", nacre_options_new(&options), NACRE_OK);
  expect("nacre_options_set_medium", nacre_options_set_medium(options, "msync"), NACRE_OK);
  expect("nacre_open of the parent's pool", nacre_open(pool_path.c_str(), options, &db), NACRE_LOCKED);
  nacre_options_delete(options);
  std::fflush(stdout);
  return violations;
}

}  // namespace

void run_read_only(Report& report, const Place& place) {
  for (const Function& f : functions()) {
    const std::string id = std::string("read-only/") + f.name;
    if (!report.wants(id)) continue;
    const Watchdog watchdog(id);
    World world(place.folder, place.template_path, true);
    if (!world.trouble().empty()) return report.note(id, world.trouble());
    const Words words = world.valid_words(f);
    world.remember();
    const int status = f.call(words);
    const int expected = f.traits.writes ? NACRE_READ_ONLY : NACRE_OK;
    std::string violation = judge(world, f, words, status, expected);
    if (violation.empty() && !world.unchanged()) violation = "the pool's bytes changed";
    if (std::strcmp(f.name, "nacre_open") == 0)
      static_cast<void>(nacre_close(reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(world.out()))));
    report.note(id, violation);
  }
  const std::string id = "read-only/nacre_table_open makes no table";
  if (!report.wants(id)) return;
  World world(place.folder, place.template_path, true);
  const Function& f = function("nacre_table_open");
  Words words = world.valid_words(f);
  words[1] = word_of("fresh");
  world.remember();
  report.note(id, judge(world, f, words, f.call(words), NACRE_READ_ONLY));
}

// Each function that calls back, with each function called from inside.
void run_inside_callbacks(Report& report, const Place& place) {
  for (const Function& outer : functions()) {
    if (outer.callback() < 0) continue;
    for (const Function& inner : functions()) {
      const std::string id = std::string("inside/") + outer.name + "/" + inner.name;
      if (!report.wants(id)) continue;
      const Watchdog watchdog(id);
      World world(place.folder, place.template_path);
      if (!world.trouble().empty()) return report.note(id, world.trouble());
      const Words inner_words = world.valid_words(inner);
      const Words words = world.valid_words(outer);
      world.reentry().function = &inner;
      world.reentry().words = inner_words;
      // What calls back inside would call back into itself: it gets a plain argument.
      if (const int arg = inner.find(Role::callback_arg); arg >= 0) world.reentry().words[static_cast<size_t>(arg)] = 0;
      world.remember();
      const int outer_status = outer.call(words);
      const int status = world.reentry().status,
                expected = inner.traits.waits_for_calls ? NACRE_INVALID_ARGUMENT : NACRE_OK;
      std::string violation;
      if (world.reentry().calls == 0)
        violation = "the callback did not run";
      else if (inner.traits.has_status && status != expected)
        violation = "inside: " + expected_text(status, expected);
      else if (outer_status != NACRE_OK)
        violation = "outside: " + expected_text(outer_status, NACRE_OK);
      else if (expected != NACRE_OK && !world.unchanged())
        violation = "the pool's bytes changed";
      if (status == NACRE_OK && std::strcmp(inner.name, "nacre_open") == 0)
        static_cast<void>(nacre_close(reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(world.out()))));
      if (violation.empty() && !world.sound_at_end()) violation = std::string("at the end: ") + nacre_errormsg();
      report.note(id, violation);
    }
  }
}

void run_after_fork(Report& report, const Place& place) {
  const std::string id = "fork/";
  if (!report.wants(id)) return;
  const Watchdog watchdog(id);
  World world(place.folder, place.template_path);
  if (!world.trouble().empty()) return report.note(id, world.trouble());
  world.remember();
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(misuse_in_child(world, world.pool_path()));
  int ended = 0;
  const bool waited = ::waitpid(child, &ended, 0) == child;
  const int wrong = waited && WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
  for (const Function& f : functions())  // each was a case of the child's
    if (has_handle(f)) report.note(id + f.name, "");
  for (int i = 0; i < wrong; ++i) report.note(id, "in the child, see above");
  report.note(id + "the child ends by itself", wrong >= 0 ? "" : "it did not");
  report.note(id + "the parent's pool is as it was", world.unchanged() ? "" : "its bytes changed");
  report.note(id + "the parent's handles live", world.alive() ? "" : nacre_errormsg());
  report.note(id + "the parent's pool is sound", world.sound_at_end() ? "" : nacre_errormsg());
}

// Names and handles of one pool never reach another one.
void run_other_pool(Report& report, const Place& place) {
  const std::string id = "other pool/";
  if (!report.wants(id)) return;
  const std::string folder = place.folder + "/second";
  World first(place.folder, place.template_path), second(folder, place.template_path);
  const auto note = [&](const char* what, bool good) { report.note(id + what, good ? "" : nacre_errormsg()); };
  nacre_db* db = reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(second.handle(Role::db)));
  nacre_table* made = nullptr;
  note("a table of the second pool", nacre_table_open(db, "mine", 4, "hash", &made) == NACRE_OK);
  first.remember();
  second.remember();
  nacre_db* first_db = reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(first.handle(Role::db)));
  note("is not in the first", nacre_table_drop(first_db, "mine", 4) == NACRE_NOT_FOUND);
  nacre_table* none = nullptr;
  note("is not opened there", nacre_table_open(first_db, "mine", 4, nullptr, &none) == NACRE_NOT_FOUND);
  note("neither changed", first.unchanged() && second.unchanged());
  note("a put reaches the pool of its handle", nacre_put(made, "k", 1, "v", 1) == NACRE_OK && !second.unchanged());
  note("and no other", first.unchanged());
  note("closing one", nacre_close(db) == NACRE_OK);
  note("retires its tables", nacre_put(made, "k", 1, "v", 1) == NACRE_BAD_HANDLE);
  for (const Role role : {Role::table, Role::iterator}) {
    const Function& f = function(role == Role::table ? "nacre_clear" : "nacre_iterator_next");
    note(f.name, f.call({second.handle(role)}) == NACRE_BAD_HANDLE);
  }
  note("the other lives", first.alive() && first.unchanged());
}

}  // namespace nacre::misuse
