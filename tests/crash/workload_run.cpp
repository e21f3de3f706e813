#include "tests/crash/workload_run.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "tests/crash/selection.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {

WorkloadRun::WorkloadRun(Client& client, const Workload& workload, KnownStates& known, Recording& recording,
                         SiteTable* sites)
    : client_(client),
      workload_(workload),
      known_(known),
      recording_(recording),
      main_(client.pool_bytes(), client.max_bytes()) {
  main_.set_sites(sites);
  main_.set_sink(&recording);
}

// The store may write when it goes; nobody asks about that.
WorkloadRun::~WorkloadRun() {
  main_.set_blind(true);
  store_.reset();
}

bool WorkloadRun::prepare() {
  current_ = known_.add(client_.empty_model());
  const bool has_preparation = std::find(workload_.ops.begin(), workload_.ops.end(), "|") != workload_.ops.end();
  recording_.set_active(workload_.explore_format);
  recording_.begin_phase("format", {.states = {current_}, .no_pool = true});
  if (Status s = client_.format(std::make_unique<CrashDomain>(main_)); !s.ok())
    return fail("format says %s: %s", s.name(), s.message());
  end_phase("format returned");
  if (!open("open")) return false;
  recording_.set_active(!has_preparation);
  return true;
}

bool WorkloadRun::open(const char* label) {
  recording_.begin_phase(label, {.states = {current_}});
  auto store = client_.open(std::make_unique<CrashDomain>(main_));
  if (!store) return fail("%s says %s: %s", label, store.status().name(), store.status().message());
  store_ = std::move(*store);
  end_phase("open returned");
  return true;
}

// The moment after a call: what it acknowledged must be there, and nothing else.
void WorkloadRun::end_phase(const char* reason) {
  main_.finish_late();
  recording_.begin_phase(reason, {.states = {current_}});
  main_.observe();
  recording_.on_crash_point(main_, reason);
  main_.clear_undo();
}

bool WorkloadRun::step(const std::string& op) {
  if (op == "|") return recording_.set_active(true), true;
  if (op == "!reopen") return reopen_cleanly();
  if (op == "!kill") return kill(), open("open after kill");
  if (op.starts_with("!crash:")) return lose_power(std::stoull(op.substr(7))), open("open after crash");
  return apply(op);
}

bool WorkloadRun::apply(const std::string& op) {
  const auto [after, expected] = known_.derived(current_, op);
  const uint32_t phase = recording_.begin_phase(op, {.states = {current_, after}});
  const Status status = store_->apply(op);
  if (status.code() == expected) {
    current_ = after;
  } else if (client_.may_refuse(op, status.code())) {
    recording_.phase(phase).allowed.states = {current_};
  } else {
    return fail("%s says %s (%s), expected %s", op.c_str(), status.name(), status.message(), code_name(expected));
  }
  end_phase("operation returned");
  return true;
}

bool WorkloadRun::reopen_cleanly() {
  recording_.begin_phase("close", {.states = {current_}});
  if (Status s = store_->close(); !s.ok()) return fail("close says %s: %s", s.name(), s.message());
  main_.observe();
  main_.save_working();
  store_.reset();
  main_.restore_working();
  return open("open after close");
}

void WorkloadRun::kill() {
  main_.observe();
  main_.save_working();
  main_.set_blind(true);
  store_.reset();
  main_.set_blind(false);
  main_.restore_working();
  main_.forget_captures();
}

void WorkloadRun::lose_power(uint64_t seed) {
  kill();
  Unsettled unsettled;
  main_.collect(&unsettled);
  Random random{seed};
  Selection selection;
  for (const auto& word : unsettled.words) selection.push_back(static_cast<uint16_t>(random.below(word.count)));
  main_.lose_power(unsettled, selection);
  main_.clear_undo();
}

// A wrong answer of the workload itself, without any crash.
bool WorkloadRun::fail(const char* format, ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  finding_ = text;
  return false;
}

}  // namespace nacre::crash
