#include "tests/interleave/run.h"

#include <algorithm>

#include "alloc/pool.h"
#include "engine/db.h"
#include "tests/crash/db_client.h"
#include "tests/crash/replay_text.h"
#include "tests/interleave/stepped_domain.h"

namespace nacre::interleave {
namespace {

std::unique_ptr<crash::Client> make_client(const Workload& workload) {
  return crash::db_client_kind().make(crash::parse_config(workload.config));
}

struct Answer {
  Code code = Code::ok;
  std::string effect;
};

Answer get(engine::Table& table, const std::vector<std::string>& parts) {
  uint64_t hash = 0;
  const Status s = table.get(crash::key_text(std::stoull(parts[2])), [&](std::string_view value) {
    Scheduler::reached(Step::begin, value.data());  // the caller takes its time
    hash = crash::value_hash(value);
  });
  // What it saw is checked by the model; that it saw nothing is an answer like any other.
  const bool absent = s.code() == Code::not_found || s.code() == Code::bad_handle;
  return {absent ? Code::ok : s.code(), "saw:" + parts[1] + ":" + parts[2] + ":" + std::to_string(hash)};
}

Answer perform_on(engine::Db& db, const std::string& op) {
  const std::vector<std::string> parts = crash::split(op, ':');
  const std::string& verb = parts[0];
  const auto number = [&](size_t i) { return std::stoull(parts[i]); };
  if (verb == "epoch" || verb == "retire") return db.pool().advance(verb == "retire"), Answer{Code::ok, op};
  if (verb == "reclaim") return db.pool().reclaim(), Answer{Code::ok, op};
  if (verb == "shrink") return {db.shrink().code(), op};
  if (verb == "addclass") return {db.add_class({static_cast<uint32_t>(number(1))}).code(), op};
  if (verb == "noclass") return {db.retire_class(static_cast<uint32_t>(number(1))).code(), op};
  const std::string name = crash::table_name(number(1));
  if (verb == "drop") return {db.drop_table(name).code(), op};
  const bool create = verb == "create";
  auto table = number(1) == 0 ? Result<std::shared_ptr<engine::Table>>(db.default_table())
                              : db.table(name, create ? std::optional(engine::EngineKind::hash) : std::nullopt);
  const Code found = table ? Code::ok : table.status().code();
  if (verb == "get" && found == Code::not_found) return {Code::ok, "saw:" + parts[1] + ":" + parts[2] + ":0"};
  if (!table) return {found, op};
  if (create) return {Code::ok, op};
  if (verb == "get") return get(**table, parts);
  if (verb == "put")
    return {(*table)->put(crash::key_text(number(2)), crash::value_text(number(3), number(4))).code(), op};
  if (verb == "del") return {(*table)->remove(crash::key_text(number(2))).code(), op};
  if (verb == "clear") return {(*table)->clear().code(), op};
  return {Code::invalid_argument, op};
}

}  // namespace

ConcurrentRun::ConcurrentRun(const Workload& workload, bool persistent_caches)
    : workload_(workload), client_(make_client(workload)), medium_(client_->pool_bytes(), client_->max_bytes()) {
  medium_.set_persistent_caches(persistent_caches);
  scheduler_ = std::make_unique<Scheduler>(static_cast<uint32_t>(workload.threads.size()));
}

ConcurrentRun::~ConcurrentRun() = default;

bool ConcurrentRun::apply_all(crash::Store& store, const std::vector<std::string>& ops) {
  for (const std::string& op : ops) {
    const auto [after, expected] = known_.derived(start_state_, op);
    const Code code = op.starts_with("get") ? perform_on(crash::db_of(store), op).code : store.apply(op).code();
    if (code != expected) return fail(op + " says " + code_name(code));
    start_state_ = after;
  }
  return true;
}

bool ConcurrentRun::prepare() {
  start_state_ = known_.add(client_->empty_model());
  if (Status s = client_->format(std::make_unique<SteppedDomain>(medium_)); !s.ok())
    return fail(std::string("format says ") + s.name());
  auto store = client_->open(std::make_unique<SteppedDomain>(medium_));
  if (!store) return fail(std::string("open says ") + store.status().name());
  if (!apply_all(**store, workload_.prepare)) return false;
  if (Status s = (*store)->close(); !s.ok()) return fail(std::string("close says ") + s.name());
  store->reset();
  base_state_ = start_state_;
  crash::Unsettled left;
  medium_.observe();
  medium_.collect(&left);
  crash::Selection latest;
  for (const auto& word : left.words) latest.push_back(word.latest);
  medium_.lose_power(left, latest);
  medium_.clear_undo();
  medium_.clear_deltas();
  base_ = medium_.mark();
  medium_.set_sink(&recording_);
  return true;
}

// A new set of allowed states begins: an operation has begun or returned.
void ConcurrentRun::next_phase() {
  recording_.begin_phase({}, {});
  histories_.push_back(history_.operations());
}

void ConcurrentRun::perform(const std::string& op) {
  Scheduler::reached(Step::begin, nullptr);
  const uint32_t number = history_.begin(op);
  next_phase();
  Answer answer = perform_on(crash::db_of(*store_), op);
  history_.end(number, std::move(answer.effect), answer.code);
  next_phase();
  medium_.observe();
  recording_.on_crash_point(medium_, "an operation returned");
  Scheduler::reached(Step::end, nullptr);
}

void ConcurrentRun::work(const std::vector<std::string>& ops, uint32_t thread) {
  alloc::Pool::prefer_lane(static_cast<int>(thread));
  for (const std::string& op : ops) perform(op);
}

std::string ConcurrentRun::run(Policy& policy) {
  medium_.clear_deltas();
  recording_.clear();
  recording_.set_active(false);
  history_ = {};
  histories_.clear();
  start_state_ = base_state_;
  next_phase();
  auto opened = client_->open(std::make_unique<SteppedDomain>(medium_));
  if (!opened) return std::string("open says ") + opened.status().name();
  store_ = std::move(*opened);
  if (!apply_all(*store_, workload_.setup)) return finding_;
  medium_.observe();
  recording_.set_active(true);
  std::vector<std::function<void()>> tasks;
  for (uint32_t t = 0; t < workload_.threads.size(); ++t)
    tasks.emplace_back([this, t] { work(workload_.threads[t], t); });
  if (!scheduler_->run(tasks, policy)) return scheduler_->stuck() + ": " + history_.text();
  allow();
  std::string what = judge_end();
  medium_.set_blind(true);
  store_.reset();
  medium_.rollback(base_);
  medium_.set_blind(false);
  return what;
}

// For each phase in which there is a crash point: what its history allows.
void ConcurrentRun::allow() {
  std::vector<bool> wanted(histories_.size());
  for (size_t i = 0; i < recording_.count(); ++i) wanted[recording_[i].phase] = true;
  for (uint32_t p = 0; p < histories_.size(); ++p)
    if (wanted[p]) recording_.phase(p).allowed = linearize(histories_[p], start_state_, known_, *client_);
}

std::string ConcurrentRun::judge_end() {
  const crash::Allowed& allowed = recording_.phase(static_cast<uint32_t>(histories_.size() - 1)).allowed;
  if (allowed.states.empty()) return "no order of the operations gives these answers: " + history_.text();
  recording_.set_active(false);
  const crash::Observation seen = store_->check();
  if (!seen.problem.empty()) return "at the end: " + seen.problem;
  if (seen.leaked_bytes != 0) return "at the end: " + std::to_string(seen.leaked_bytes) + " bytes leaked";
  if (std::none_of(allowed.states.begin(), allowed.states.end(),
                   [&](const crash::Known* k) { return k->fingerprint == seen.fingerprint; }))
    return "at the end: holds " + store_->text() + ", which no order of the operations gives: " + history_.text();
  return {};
}

}  // namespace nacre::interleave
