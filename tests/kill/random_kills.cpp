// The part of chance: four threads work on one pool and the parent kills them at a random time, again and again on the
// same pool. Each thread has keys and a table of its own, so what must be there is known to the operation.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <map>
#include <thread>

#include "tests/kill/rounds.h"
#include "tests/support/files.h"
#include "tests/support/random.h"
#include "tests/support/soundness.h"

namespace nacre::kill_test {
namespace {

using engine::Db;
using engine::EngineKind;
using test::Random;

constexpr uint32_t kSharedKeys = 64, kOwnKeys = 32;  // of each thread

enum class Verb : uint8_t { put, remove, get, clear_own, drop_own, shrink };

struct Op {
  Verb verb;
  bool own;  // in the thread's own table, not the shared one
  uint32_t key;
  uint32_t bytes;  // of the value
  uint64_t seed;   // of the value
};

uint32_t draw_bytes(Random& random) {
  const uint64_t kind = random.below(100);
  if (kind < 60) return static_cast<uint32_t>(1 + random.below(256));
  if (kind < 85) return static_cast<uint32_t>(random.below(4'000));
  if (kind < 97) return static_cast<uint32_t>(random.below(40'000));
  return static_cast<uint32_t>(40'000 + random.below(260'000));
}

/// The n-th operation of a thread in a round: child and parent draw the same.
Op draw_op(uint64_t round_seed, uint32_t writer, uint32_t n) {
  Random random(round_seed * 0x9e3779b97f4a7c15u + writer * 1'000'003 + n);
  Op op{.verb = Verb::put, .own = random.one_in(3), .key = 0, .bytes = 0, .seed = 0};
  op.key = static_cast<uint32_t>(random.below(op.own ? kOwnKeys : kSharedKeys));
  const uint64_t kind = random.below(200);
  if (kind < 120)
    op.verb = Verb::put;
  else if (kind < 165)
    op.verb = Verb::remove;
  else if (kind < 196)
    op.verb = Verb::get;
  else if (kind < 198)
    op.verb = Verb::clear_own;
  else if (kind < 199)
    op.verb = Verb::drop_own;
  else
    op.verb = Verb::shrink;
  op.bytes = draw_bytes(random);
  op.seed = random.next();
  return op;
}

struct ValueSpec {
  uint32_t bytes;
  uint64_t seed;
  bool operator==(const ValueSpec&) const = default;
};

// Every byte depends on the seed, at the cost of one number for eight of them.
std::string value_of_spec(const ValueSpec& spec) {
  std::string text(spec.bytes, '\0');
  Random random(spec.seed);
  for (size_t i = 0; i < text.size(); i += 8) {
    const uint64_t word = random.next();
    std::memcpy(text.data() + i, &word, std::min<size_t>(8, text.size() - i));
  }
  return text;
}

std::string key_text(uint32_t writer, uint32_t key) { return "w" + std::to_string(writer) + "-" + std::to_string(key); }
std::string own_table(uint32_t writer) { return "own" + std::to_string(writer); }

/// What one thread's keys hold.
struct Model {
  std::map<uint32_t, ValueSpec> shared, own;
  bool own_there = false;
  bool operator==(const Model&) const = default;

  std::map<uint32_t, ValueSpec>& of(const Op& op) { return op.own ? own : shared; }
  void apply(const Op& op) {
    switch (op.verb) {
      case Verb::put:
        of(op)[op.key] = {op.bytes, op.seed};
        own_there |= op.own;
        break;
      case Verb::remove:
        of(op).erase(op.key);
        own_there |= op.own;
        break;
      case Verb::get:
        own_there |= op.own;
        break;
      case Verb::clear_own:
        own.clear();
        own_there = true;
        break;
      case Verb::drop_own:
        own.clear();
        own_there = false;
        break;
      case Verb::shrink:
        break;
    }
  }
};
using Models = std::array<Model, kWriters>;

// ---- the child

/// The outcome; complains about whatever is not as the model says.
Status perform(Db& db, Ledger& ledger, const Model& model, uint32_t writer, const Op& op) {
  if (op.verb == Verb::shrink) {
    const Status s = db.shrink();
    return s == Code::locked ? Status() : s;  // somebody else's long operation: nothing to shrink now
  }
  if (op.verb == Verb::drop_own) {
    const Status s = db.drop_table(own_table(writer));
    return s == Code::not_found && !model.own_there ? Status() : s;
  }
  std::shared_ptr<engine::Table> table = db.default_table();
  if (op.own || op.verb == Verb::clear_own) {
    NACRE_ASSIGN(table, db.table(own_table(writer), EngineKind::hash));
  }
  if (op.verb == Verb::clear_own) return table->clear();
  const std::string key = key_text(writer, op.key);
  const auto& keys = op.own ? model.own : model.shared;
  const auto it = keys.find(op.key);
  const Status expected = it == keys.end() ? Code::not_found : Code::ok;
  if (op.verb == Verb::put) return table->put(key, value_of_spec({op.bytes, op.seed}));
  std::string value;
  const Status s =
      op.verb == Verb::remove ? table->remove(key) : table->get(key, [&](std::string_view v) { value.assign(v); });
  if (s != expected) ledger.complain("%s answered %s, not %s", key.c_str(), s.name(), expected.name());
  if (op.verb == Verb::get && s.ok() && value != value_of_spec(it->second))
    ledger.complain("%s: the value read is another one", key.c_str());
  return s == Code::not_found ? Status() : s;
}

void write_until_killed(Db& db, Ledger& ledger, Model model, uint32_t writer, uint64_t round_seed, uint32_t most) {
  WriterLog& log = ledger.writers[writer];
  for (uint32_t n = 0; n < most; ++n) {
    const Op op = draw_op(round_seed, writer, n);
    log.started.store(n + 1, std::memory_order_release);
    const Status s = perform(db, ledger, model, writer, op);
    if (!s.ok() && s != Code::out_of_space) ledger.complain("writer %u, op %u: %s", writer, n, last_message());
    log.codes[n].store(static_cast<uint8_t>(s.code()), std::memory_order_relaxed);
    log.done.store(n + 1, std::memory_order_release);
    if (s.ok()) model.apply(op);
  }
}

// ---- the parent

class Campaign {
 public:
  Campaign(const Place& place, uint64_t pool_number, const test::ProofArguments& arguments, Tally& tally)
      : place_(place), arguments_(arguments), tally_(tally), folder_(place.folder), path_(folder_ / "pool") {
    options_.create_if_missing = true;
    options_.medium = place.medium;
    options_.one_fence = place.one_fence;
    options_.size_bytes = 2 << 20;
    options_.grow_step_bytes = 1 << 20;
    options_.max_size_bytes = 48 << 20;
    options_.grow_helper = pool_number % 2 == 0;
    if (pool_number % 3 == 2) {
      small_ = test::shrunk_geometry();
      small_.lane_count = 4;  // more threads than lanes would be another test
      options_.geometry = &small_;
    }
  }

  /// False when the rest of the campaign makes no sense.
  bool round(uint64_t round_seed, const std::string& line) {
    test::begin_case(line);
    ledger_->clear();
    Random random(round_seed);
    const uint32_t most = random.one_in(10) ? static_cast<uint32_t>(1 + random.below(200)) : kMaxOps;
    const std::chrono::microseconds delay(random.below(patience_us()));
    const pid_t child = spawn([&] { work(round_seed, most); });
    std::this_thread::sleep_for(delay);
    ::kill(child, SIGKILL);
    const int status = wait_for(child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      ++tally_.rounds;
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      return fail(line, "the child ended with status " + std::to_string(status));
    if (ledger_->complaints != 0) return fail(line, ledger_->complaint);
    const std::string wrong = look(round_seed);
    return wrong.empty() || fail(line, wrong);
  }

 private:
  // A disk's syncs take so long that little would happen in the time that is enough on tmpfs.
  uint64_t patience_us() const noexcept { return place_.medium == engine::MediumChoice::msync ? 150'000 : 14'000; }

  bool fail(const std::string& line, const std::string& what) {
    violation(tally_, arguments_, line, what);
    return false;
  }

  void work(uint64_t round_seed, uint32_t most) {
    auto db = Db::open(path_.c_str(), options_);
    if (!db) return ledger_->complain("open: %s", last_message());
    ledger_->opened = 1;
    std::array<std::thread, kWriters> threads;
    for (uint32_t w = 0; w < kWriters; ++w)
      threads[w] = std::thread([&, w] { write_until_killed(**db, *ledger_, models_[w], w, round_seed, most); });
    for (std::thread& t : threads) t.join();
    if (!(*db)->close().ok()) return ledger_->complain("close: %s", last_message());
    ledger_->ended = 1;
  }

  std::string look(uint64_t round_seed) {
    engine::Options options = options_;
    options.create_if_missing = made_;
    auto db = Db::open(path_.c_str(), options);
    if (!db) {
      const bool unmade =
          !made_ && ledger_->opened == 0 && (db.status() == Code::not_found || db.status() == Code::not_a_pool);
      if (!unmade) return std::string("open: ") + last_message();
      ::unlink(path_.c_str());
      return {};
    }
    made_ = true;
    for (uint32_t w = 0; w < kWriters; ++w)
      if (std::string wrong = settle(**db, w, round_seed); !wrong.empty())
        return "writer " + std::to_string(w) + ": " + wrong;
    uint64_t keys = 0;
    for (const Model& m : models_) keys += m.shared.size() + m.own.size();
    if (std::string wrong = test::unsound(**db, static_cast<int64_t>(keys)); !wrong.empty()) return wrong;
    // Now and then the next child finds a pool that was closed, else one that this process also left behind.
    if (round_seed % 4 == 0)
      (void)(*db)->close();
    else
      (*db)->abandon();
    return {};
  }

  // Brings the model to what was acknowledged, then decides by the content whether the last operation happened.
  std::string settle(Db& db, uint32_t w, uint64_t round_seed) {
    const WriterLog& log = ledger_->writers[w];
    const uint32_t done = log.done.load(), started = log.started.load();
    tally_.acknowledged += done;
    Model& model = models_[w];
    for (uint32_t n = 0; n < done; ++n)
      if (log.codes[n].load() == static_cast<uint8_t>(Code::ok)) model.apply(draw_op(round_seed, w, n));
    std::string wrong = compare(db, w, model);
    if (started == done) return wrong;
    ++tally_.in_flight;
    const Op op = draw_op(round_seed, w, done);
    if (wrong.empty()) return wrong;
    for (const Model& possible : after(model, op))
      if (compare(db, w, possible).empty()) {
        ++tally_.kept;
        model = possible;
        return {};
      }
    return wrong + ", with an operation in flight";
  }

  // An operation in the thread's own table may have had the time to make that table only.
  static std::vector<Model> after(const Model& model, const Op& op) {
    std::vector<Model> possible{model, model};
    possible[0].apply(op);
    if (op.own || op.verb == Verb::clear_own) possible[1].own_there = true;
    return possible;
  }

  std::string compare(Db& db, uint32_t w, const Model& model) {
    std::string wrong = compare_table(*db.default_table(), w, model.shared, kSharedKeys);
    if (!wrong.empty()) return wrong;
    auto own = db.table(own_table(w), std::nullopt);
    if (!own) return model.own_there ? "its table is lost" : "";
    if (!model.own_there) return "its table should not be there";
    if ((*own)->count().value_or(~uint64_t{0}) != model.own.size()) return "its table's count is wrong";
    return compare_table(**own, w, model.own, kOwnKeys);
  }

  static std::string compare_table(engine::Table& table, uint32_t w, const std::map<uint32_t, ValueSpec>& keys,
                                   uint32_t key_count) {
    for (uint32_t key = 0; key < key_count; ++key) {
      bool same = false;
      const auto it = keys.find(key);
      const Status s = table.get(
          key_text(w, key), [&](std::string_view v) { same = it != keys.end() && v == value_of_spec(it->second); });
      if (s == Code::not_found ? it == keys.end() : s.ok() && same) continue;
      return key_text(w, key) + (s.ok() ? it == keys.end() ? " should not be there" : " has another value"
                                        : std::string(" answers ") + s.name());
    }
    return {};
  }

  const Place place_;
  const test::ProofArguments& arguments_;
  Tally& tally_;
  test::TempFolder folder_;
  std::string path_;
  alloc::Geometry small_;
  engine::Options options_;
  SharedLedger ledger_;
  Models models_;
  bool made_ = false;
};

struct Share {
  Place place;
  uint64_t smoke, commit, nightly;  // rounds
};
const Share kShares[] = {
    {{"tmpfs dax one_fence", "/dev/shm", engine::MediumChoice::dax, true}, 40, 400, 40'000},
    {{"tmpfs dax strict", "/dev/shm", engine::MediumChoice::dax, false}, 20, 200, 20'000},
    {{"disk msync one_fence", "/var/tmp", engine::MediumChoice::msync, true}, 2, 30, 4'000},
    {{"disk msync strict", "/var/tmp", engine::MediumChoice::msync, false}, 0, 15, 2'000},
    {{"disk dax one_fence", "/var/tmp", engine::MediumChoice::dax, true}, 4, 100, 10'000},
};
constexpr uint64_t kRoundsOfAPool = 40;

}  // namespace

void random_kills(const test::ProofArguments& arguments, Tally& tally) {
  const test::Stopwatch watch;
  for (const Share& share : kShares) {
    const uint64_t rounds = arguments.pick(share.smoke, share.commit, share.nightly);
    test::ProgressBar bar(share.place.name, rounds);
    for (uint64_t pool = 0; pool * kRoundsOfAPool < rounds; ++pool) {
      const std::string name = std::string("random ") + share.place.name + " pool=" + std::to_string(pool) + ".";
      if (!arguments.only.empty() && arguments.only.find(name) == std::string::npos &&
          name.find(arguments.only) == std::string::npos)
        continue;
      Campaign campaign(share.place, pool, arguments, tally);
      const uint64_t end = std::min(kRoundsOfAPool, rounds - pool * kRoundsOfAPool);
      for (uint64_t r = 0; r < end; ++r, bar.step())
        if (!campaign.round(arguments.seed + pool * 1'000'003 + r, name)) break;
    }
    if (arguments.verbose) std::printf("# random %s: %.2f s so far\n", share.place.name, watch.seconds());
  }
  tally.seconds = watch.seconds();
}

}  // namespace nacre::kill_test
