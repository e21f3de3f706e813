#include "tests/fault/life.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <new>

#include "tests/support/files.h"
#include "tests/support/soundness.h"

namespace nacre::fault_test {
namespace {

using engine::Db;
using test::PoolState;
using test::read_file;
using test::write_file;

/// What a process must not lose.
struct Belongings {
  int descriptor;          // the lowest free one
  uint64_t address_pages;  // mapped, or reserved
  int64_t allocations;

  static Belongings now() noexcept {
    Belongings b{::dup(0), 0, allocations_alive()};
    ::close(b.descriptor);
    unsigned long long pages = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
      if (std::fscanf(file, "%llu", &pages) == 1) b.address_pages = pages;
      std::fclose(file);
    }
    return b;
  }
};

// Little, for each munmap that is made to fail keeps it; more than the C library takes for itself meanwhile.
constexpr uint64_t kReservedBytes = uint64_t{64} << 20;
constexpr uint64_t kLostRangePages = kReservedBytes / 2 / 4096;

// What munmap refuses to take back stays.
bool may_lose_addresses(const Fault& fault) noexcept { return fault.what == What::call; }

}  // namespace

const char* name_of(Outcome::Where where) noexcept {
  static constexpr const char* kNames[] = {"open", "step", "close", "nowhere"};
  return kNames[static_cast<size_t>(where)];
}

std::string Scenario::name() const {
  static constexpr const char* kStarts[] = {"new", "clean", "dirty"};
  return script->name + " " + kStarts[static_cast<size_t>(start)] + (read_only ? " read_only" : "") +
         (medium == engine::MediumChoice::dax ? " dax" : " msync") + (one_fence ? " one_fence" : " strict");
}

Life::Life(const Scenario& scenario) : scenario_(scenario), folder_("/dev/shm"), path_(folder_ / "pool") {}

engine::Options Life::options(bool create) const {
  engine::Options o = test::script_options(*scenario_.script, scenario_.medium, scenario_.one_fence);
  o.create_if_missing = create;
  o.max_size_bytes = kReservedBytes;
  if (scenario_.start == Start::nothing) o.identity_seed = 0;  // asks the system for a number
  return o;
}

bool Life::rehearse() {
  const auto failed = [&](const char* what) {
    std::printf("%s: %s: %s\n", scenario_.name().c_str(), what, last_message());
    return false;
  };
  if (scenario_.start != Start::nothing) {
    auto db = Db::open(path_.c_str(), options(true));
    if (!db) return failed("open");
    for (const test::Step& step : scenario_.script->before)
      if (!step.run(**db).ok()) return failed(step.name.c_str());
    if (scenario_.start == Start::dirty)
      (*db)->abandon();
    else if (!(*db)->close().ok())
      return failed("close");
    db->reset();
    pool_bytes_ = read_file(path_);
  }
  restore();
  {
    auto db = Db::open(path_.c_str(), options(true));
    if (!db) return failed("open");
    auto state = test::read_state(**db);
    if (!state) return failed("scan");
    states_.push_back(std::move(*state));
    for (const test::Step& step : scenario_.script->steps) {
      if (!step.run(**db).ok()) return failed(step.name.c_str());
      state = test::read_state(**db);
      if (!state) return failed("scan");
      states_.push_back(std::move(*state));
    }
  }
  Outcome outcome;
  if (const std::string wrong = run({}, outcome); !wrong.empty()) return failed(wrong.c_str());
  arm({});
  restore();
  std::unique_ptr<Db> db;
  outcome = live(db);
  bool thrown = false;
  if (outcome.code != Code::ok || !close_under_fault(db, thrown).ok()) return failed("a life without faults");
  allocations_ = allocations_seen();
  calls_.assign(calls_seen().begin(), calls_seen().end());
  return true;
}

void Life::restore() {
  if (scenario_.start == Start::nothing)
    ::unlink(path_.c_str());
  else
    write_file(path_, pool_bytes_);
}

// Ends at the first failure.
Outcome Life::live(std::unique_ptr<Db>& db) {
  engine::Options o = options(scenario_.start == Start::nothing);
  o.read_only = scenario_.read_only;
  Outcome outcome;
  outcome.where = Outcome::Where::open;
  try {
    const Injecting now;
    auto opened = Db::open(path_.c_str(), o);
    outcome.code = opened.status().code();
    if (opened) db = std::move(*opened);
  } catch (const std::bad_alloc&) {
    outcome = {.where = Outcome::Where::open, .code = Code::out_of_memory, .thrown = true};
  }
  if (db == nullptr) return outcome;
  outcome.where = Outcome::Where::step;
  for (outcome.step = 0; outcome.step < scenario_.script->steps.size(); ++outcome.step) {
    try {
      const Injecting now;
      outcome.code = scenario_.script->steps[outcome.step].run(*db).code();
    } catch (const std::bad_alloc&) {
      outcome.code = Code::out_of_memory;
      outcome.thrown = true;
    }
    if (outcome.code != Code::ok) return outcome;
  }
  outcome.where = Outcome::Where::nowhere;
  return outcome;
}

Status Life::close_under_fault(std::unique_ptr<Db>& db, bool& thrown) {
  const Injecting now;
  Status s;
  try {
    s = db->close();
  } catch (const std::bad_alloc&) {
    s = Code::out_of_memory;
    thrown = true;
  }
  db.reset();
  return s;
}

std::string Life::run(const Fault& fault, Outcome& outcome) {
  const Belongings before = Belongings::now();
  std::string wrong = run_and_judge(fault, outcome);
  disarm();
  if (!wrong.empty()) return wrong;
  const Belongings after = Belongings::now();
  if (after.descriptor != before.descriptor) return "a file descriptor is lost";
  if (after.allocations != before.allocations)
    return std::to_string(after.allocations - before.allocations) + " allocations are lost";
  if (!may_lose_addresses(fault) && after.address_pages > before.address_pages + kLostRangePages)
    return "a range of addresses is lost";
  return {};
}

std::string Life::run_and_judge(const Fault& fault, Outcome& outcome) {
  restore();
  arm(fault);
  std::unique_ptr<Db> db;
  outcome = live(db);
  uint32_t at_least = 0;  // the state that the file must have reached
  if (outcome.where == Outcome::Where::nowhere || (fault.mode != Mode::once && db != nullptr)) {
    // With a fault that stays, the handle ends under it, too.
    const bool whole = outcome.where == Outcome::Where::nowhere;
    bool thrown = false;
    const Status s = close_under_fault(db, thrown);
    if (whole && !s.ok())
      outcome = {.where = Outcome::Where::close, .step = outcome.step, .code = s.code(), .thrown = thrown};
    at_least = outcome.step;
  }
  disarm();
  if (db != nullptr) {
    std::string wrong = judge_handle(fault, outcome, *db, at_least);
    db.reset();
    if (!wrong.empty()) return std::string(name_of(outcome.where)) + ", same handle: " + wrong;
  }
  if (outcome.where == Outcome::Where::open && scenario_.start == Start::nothing) return judge_unmade(fault);
  const std::string wrong = judge_file(fault, outcome, at_least);
  return wrong.empty() ? wrong : std::string(name_of(outcome.where)) + ", opened again: " + wrong;
}

// The handle on which a step failed: old or new state, sound, and the step can be repeated unless the medium is broken.
std::string Life::judge_handle(const Fault& fault, const Outcome& outcome, Db& db, uint32_t& at_least) {
  at_least = outcome.step;
  const bool refuses = db.read_only() && !scenario_.read_only;
  if (refuses && fault.what == What::allocation) return "it refuses writes after a failed allocation";
  const auto found = test::read_state(db);
  if (!found) return std::string("reading: ") + last_message();
  const test::Step& step = scenario_.script->steps[outcome.step];
  if (const std::string wrong = test::difference(*found, states_[outcome.step]); !wrong.empty()) {
    if (!test::difference(*found, states_[outcome.step + 1]).empty()) return step.name + ": " + wrong;
    at_least = outcome.step + 1;
  }
  if (const std::string wrong = test::unsound(db); !wrong.empty()) return step.name + ": " + wrong;
  if (fault.mode == Mode::once && !refuses && !may_keep_a_tail(fault, step) && !file_fits(db))
    return step.name + ": the file is not as long as the pool";
  if (scenario_.read_only) return step.run(db).ok() ? "" : "a second try fails";
  if (refuses) {
    const Status s = db.default_table()->put("later", "1");
    return s == Code::io_error || s == Code::read_only ? "" : std::string("a later put says ") + s.name();
  }
  if (const Status s = step.run(db); !s.ok()) return step.name + ": repeated: " + s.name() + " " + last_message();
  at_least = outcome.step + 1;
  const auto then = test::read_state(db);
  if (!then) return std::string("reading: ") + last_message();
  if (const std::string wrong = test::difference(*then, states_[at_least]); !wrong.empty())
    return step.name + ": repeated: " + wrong;
  if (const std::string wrong = test::unsound(db); !wrong.empty()) return step.name + ": repeated: " + wrong;
  return db.close().ok() ? "" : std::string("close: ") + last_message();
}

// What ftruncate refuses to take away stays until the next growth or open, and so does what a shrink could not unmap.
bool Life::may_keep_a_tail(const Fault& fault, const test::Step& step) const {
  return step.name == "shrink" ||
         (fault.what == What::call && fault.k < calls_.size() && calls_[fault.k] == os::Call::ftruncate);
}

bool Life::file_fits(Db& db) const { return test::file_bytes(path_) == test::figure(db.info(), "pool_bytes"); }

std::string Life::judge_file(const Fault&, const Outcome& outcome, uint32_t at_least) {
  if (scenario_.read_only && read_file(path_) != pool_bytes_) return "a reader changed the file";
  engine::Options o = options(false);
  o.read_only = true;
  auto db = Db::open(path_.c_str(), o);
  if (!db) return std::string("to a reader: ") + db.status().name() + ": " + last_message();
  if (const std::string wrong = test::unsound(**db); !wrong.empty()) return "to a reader: " + wrong;
  db->reset();
  db = Db::open(path_.c_str(), options(false));
  if (!db) return std::string(db.status().name()) + ": " + last_message();
  const auto found = test::read_state(**db);
  if (!found) return std::string("reading: ") + last_message();
  std::string wrong = test::difference(*found, states_[at_least]);
  const bool in_flight = outcome.where == Outcome::Where::step && at_least == outcome.step;
  if (!wrong.empty() && in_flight && test::difference(*found, states_[at_least + 1]).empty()) wrong.clear();
  if (!wrong.empty()) return wrong;
  if (wrong = test::unsound(**db, static_cast<int64_t>(found->keys())); !wrong.empty()) return wrong;
  if (!file_fits(**db)) return "the file is not as long as the pool";
  if (!(*db)->default_table()->put("later", "1").ok()) return std::string("a put: ") + last_message();
  return (*db)->close().ok() ? "" : std::string("close: ") + last_message();
}

// A pool that could not be made leaves no file, unless that could not be removed either. Without the lock on it an
// empty file is left alone, for it may be somebody else's by now; whoever comes next fills it.
std::string Life::judge_unmade(const Fault& fault) {
  const bool cannot_remove = fault.what == What::call && fault.mode == Mode::sticky;
  const bool unlocked = fault.what == What::call && fault.k < calls_.size() && calls_[fault.k] == os::Call::lock;
  if (test::file_exists(path_) && !(unlocked && test::file_bytes(path_) == 0)) {
    if (!cannot_remove) return "open: the file is still there";
    ::unlink(path_.c_str());
  }
  auto db = Db::open(path_.c_str(), options(true));
  if (!db) return std::string("open, made again: ") + last_message();
  const std::string wrong = test::unsound(**db, 0);
  return wrong.empty() && !(*db)->close().ok() ? "open, made again: close" : wrong;
}

}  // namespace nacre::fault_test
