// The part that leaves nothing to chance: a child runs a script and kills itself at its i-th event, for every i. A
// second child dies inside the recovery of what the first one left. Then the parent looks.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include "pmem/media/open.h"
#include "tests/kill/event_domain.h"
#include "tests/kill/rounds.h"
#include "tests/support/files.h"
#include "tests/support/pool_script.h"
#include "tests/support/soundness.h"

namespace nacre::kill_test {
namespace {

using engine::Db;
using test::PoolState;
using test::read_file;
using test::Script;
using test::write_file;

enum class Start : uint8_t { nothing, clean, dirty };
const char* name_of(Start s) noexcept { return s == Start::nothing ? "new" : s == Start::clean ? "clean" : "dirty"; }

/// As Db::open, through a domain that counts events.
Result<std::unique_ptr<Db>> open_counted(const std::string& path, const engine::Options& options) {
  pmem::OpenRequest request;
  request.path = path.c_str();
  request.medium = options.medium == engine::MediumChoice::dax ? pmem::MediumRequest::dax : pmem::MediumRequest::msync;
  request.create = options.create_if_missing;
  request.create_bytes = options.size_bytes;
  NACRE_ASSIGN(pmem::OpenedMedium opened, pmem::open_medium(request));
  return Db::open_domain(std::make_unique<EventDomain>(std::move(opened.domain)), options, opened.created);
}

/// One script in one place, from one kind of start.
class Run {
 public:
  Run(const Script& script, const Place& place, Start start, const test::ProofArguments& arguments, Tally& tally)
      : script_(script),
        place_(place),
        start_(start),
        arguments_(arguments),
        tally_(tally),
        folder_(place.folder),
        path_(folder_ / "pool"),
        options_(test::script_options(script, place.medium, place.one_fence)) {}

  std::string name() const { return std::string(place_.name) + " " + script_.name + " " + name_of(start_); }

  void all(uint64_t stride) {
    test::begin_case(name() + ": preparation");
    prepare();
    ledger_->clear();
    restore();
    const int status = wait_for(spawn([&] { work(UINT64_MAX); }));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || ledger_->ended != 1) {
      violation(tally_, arguments_, name(), "the undisturbed run failed: " + std::string(ledger_->complaint));
      return;
    }
    const uint64_t events = ledger_->events;
    test::ProgressBar bar(name(), events / stride);
    for (uint64_t i = 0; i < events; ++i) {
      const std::string line = name() + " event=" + std::to_string(i) + ".";
      const bool wanted = arguments_.only.empty() ? i % stride == arguments_.seed % stride
                                                  : line.find(arguments_.only) != std::string::npos;
      if (!wanted) {
        ++tally_.cuts;
        continue;
      }
      one(i, line);
      bar.step();
    }
  }

 private:
  const std::vector<test::Step>& steps() const noexcept { return script_.steps; }
  void demand(const Status& s, const char* what) {
    if (s.ok()) return;
    std::fprintf(stderr, "%s: %s: %s %s\n", name().c_str(), what, s.name(), last_message());
    std::abort();
  }

  // Makes the pool the script begins with, and the states it passes through.
  void prepare() {
    if (start_ != Start::nothing) {
      auto db = Db::open(path_.c_str(), options_);
      demand(db.status(), "open");
      for (const test::Step& step : script_.before) demand(step.run(**db), step.name.c_str());
      if (start_ == Start::dirty)
        (*db)->abandon();
      else
        demand((*db)->close(), "close");
    }
    if (start_ != Start::nothing) pool_bytes_ = read_file(path_);
    restore();
    auto db = Db::open(path_.c_str(), options_);
    demand(db.status(), "open");
    states_.push_back(*test::read_state(**db));
    for (const test::Step& step : steps()) {
      // A script that begins with nothing fails where its steps need what is made before them: they change nothing
      // then.
      const Status s = step.run(**db);
      if (start_ != Start::nothing) demand(s, step.name.c_str());
      states_.push_back(*test::read_state(**db));
    }
    demand((*db)->close(), "close");
  }

  void restore() {
    if (start_ == Start::nothing)
      ::unlink(path_.c_str());
    else
      write_file(path_, pool_bytes_);
  }

  // In the child.
  void work(uint64_t die_at) {
    arm_events(die_at);
    auto db = open_counted(path_, options_);
    if (!db) return ledger_->complain("open: %s", last_message());
    ledger_->opened = 1;
    WriterLog& log = ledger_->writers[0];
    for (uint32_t n = 0; n < steps().size(); ++n) {
      log.started = n + 1;
      const Status s = steps()[n].run(**db);
      if (!s.ok() && start_ != Start::nothing)
        return ledger_->complain("%s: %s %s", steps()[n].name.c_str(), s.name(), last_message());
      log.done = n + 1;
    }
    if (const Status s = (*db)->close(); !s.ok()) return ledger_->complain("close: %s", last_message());
    ledger_->events = events_seen();
    ledger_->ended = 1;
  }

  void one(uint64_t event, const std::string& line) {
    test::begin_case(line);
    ledger_->clear();
    restore();
    int status = wait_for(spawn([&] { work(event); }));
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
      return violation(tally_, arguments_, line, "the child did not die: " + std::string(ledger_->complaint));
    ++tally_.rounds;
    const bool opened = ledger_->opened == 1;
    const uint32_t done = ledger_->writers[0].done, started = ledger_->writers[0].started;
    tally_.acknowledged += done;
    // A second death, inside the recovery or the work of opening.
    constexpr uint64_t kEventsOfAnOpen = 24;
    status = wait_for(spawn([&] {
      arm_events(event * 7 % kEventsOfAnOpen);
      engine::Options options = options_;
      options.create_if_missing = false;
      (void)open_counted(path_, options);
      (void)::kill(::getpid(), SIGKILL);
    }));
    tally_.rounds += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (std::string wrong = look(opened, done, started); !wrong.empty()) violation(tally_, arguments_, line, wrong);
  }

  // What the parent finds must be what was acknowledged, with or without the step that was in flight.
  std::string look(bool opened, uint32_t done, uint32_t started) {
    engine::Options options = options_;
    options.create_if_missing = false;
    auto db = Db::open(path_.c_str(), options);
    if (!db) {
      const bool unmade =
          start_ == Start::nothing && !opened && (db.status() == Code::not_found || db.status() == Code::not_a_pool);
      return unmade ? "" : std::string("open: ") + db.status().name() + " " + last_message();
    }
    const auto found = test::read_state(**db);
    if (!found) return std::string("reading: ") + last_message();
    std::string wrong = test::difference(*found, states_[done]);
    if (started != done) {
      ++tally_.in_flight;
      if (!wrong.empty() && test::difference(*found, states_[started]).empty()) {
        ++tally_.kept;
        wrong.clear();
      }
    }
    if (!wrong.empty()) return wrong + (started != done ? ", in flight: " + steps()[done].name : ", nothing in flight");
    if (wrong = test::unsound(**db, static_cast<int64_t>(found->keys())); !wrong.empty()) return wrong;
    return use_and_reopen(std::move(*db), *found);
  }

  // A reader repairs nothing and must find the pool sound all the same.
  std::string look_as_reader() {
    engine::Options options = options_;
    options.create_if_missing = false;
    options.read_only = true;
    const auto db = Db::open(path_.c_str(), options);
    if (!db) return {};  // the writer will say why
    const std::string wrong = test::unsound(**db);
    return wrong.empty() ? wrong : "to a reader: " + wrong;
  }

  std::string use_and_reopen(std::unique_ptr<Db> db, const PoolState& found) {
    if (test::file_bytes(path_) != test::figure(db->info(), "pool_bytes")) return "the file is not as long as the pool";
    if (!db->default_table()->put("later", "1").ok()) return std::string("a put afterwards: ") + last_message();
    if (!db->default_table()->remove("later").ok()) return std::string("a remove afterwards: ") + last_message();
    if (!db->close().ok()) return std::string("close: ") + last_message();
    auto again = Db::open(path_.c_str(), options_);
    if (!again) return std::string("the second open: ") + last_message();
    const auto still = test::read_state(**again);
    if (!still || *still != found) return "the second open finds something else";
    return test::unsound(**again, static_cast<int64_t>(found.keys()));
  }

  const Script& script_;
  const Place place_;
  const Start start_;
  const test::ProofArguments& arguments_;
  Tally& tally_;
  test::TempFolder folder_;
  std::string path_;
  engine::Options options_;
  SharedLedger ledger_;
  std::string pool_bytes_;
  std::vector<PoolState> states_;  // before the first step, after each
};

/// Every how many events, for a place (0: not at all): syncs of a disk take longer than fences.
struct Sampling {
  Place place;
  uint64_t smoke, commit, nightly;
};
const Sampling kSamplings[] = {
    {{"tmpfs dax one_fence", "/dev/shm", engine::MediumChoice::dax, true}, 61, 5, 1},
    {{"tmpfs dax strict", "/dev/shm", engine::MediumChoice::dax, false}, 127, 23, 1},
    {{"disk msync one_fence", "/var/tmp", engine::MediumChoice::msync, true}, 0, 1009, 7},
    {{"disk dax one_fence", "/var/tmp", engine::MediumChoice::dax, true}, 1009, 211, 3},
};

}  // namespace

void scripted_kills(const test::ProofArguments& arguments, Tally& tally) {
  const test::Stopwatch watch;
  for (const Sampling& sampling : kSamplings) {
    const uint64_t stride = arguments.pick(sampling.smoke, sampling.commit, sampling.nightly);
    if (stride == 0) continue;
    for (const Script& script : test::scripts())
      for (const Start start : {Start::nothing, Start::clean, Start::dirty}) {
        if (!script.changes || (start == Start::nothing && script.name != "sizes" && script.name != "splits")) continue;
        Run run(script, sampling.place, start, arguments, tally);
        // --only=NAME runs all of a run, --only='NAME event=N.' one case.
        if (!arguments.only.empty() && arguments.only.find(run.name()) == std::string::npos &&
            run.name().find(arguments.only) == std::string::npos)
          continue;
        const test::Stopwatch one;
        const uint64_t before = tally.rounds;
        run.all(stride);
        if (arguments.verbose)
          std::printf("# %s: %llu rounds, %.2f s\n", run.name().c_str(),
                      static_cast<unsigned long long>(tally.rounds - before), one.seconds());
      }
  }
  tally.seconds = watch.seconds();
}

}  // namespace nacre::kill_test
