#include "tests/crash/oracle.h"

#include <algorithm>
#include <exception>

namespace nacre::crash {
namespace {

constexpr uint64_t kProbeVariants = 4;

void note_return(CrashMedium& medium, Recording* nested, Allowed allowed, const char* reason) {
  if (nested == nullptr) return;
  medium.finish_late();
  nested->begin_phase(reason, std::move(allowed));
  medium.observe();
  nested->on_crash_point(medium, reason);
}

}  // namespace

bool allows(const Allowed& allowed, uint64_t outcome) {
  if (outcome == kOutcomeNoPool) return allowed.no_pool;
  return std::any_of(allowed.states.begin(), allowed.states.end(),
                     [&](const Known* state) { return state->fingerprint == outcome; });
}

Outcome Oracle::check(CrashMedium& medium, const Allowed& allowed, Recording* nested, uint64_t salt, const Seen* twin) {
  medium.set_blind(nested == nullptr);
  medium.set_sink(nested);
  if (nested) {
    nested->clear();
    nested->begin_phase("recovery", allowed);
  }
  Outcome outcome;
  try {
    outcome = recover_and_check(medium, allowed, nested, salt, twin);
  } catch (const std::exception& e) {
    outcome.finding = std::string("exception: ") + e.what();
  }
  medium.set_sink(nullptr);
  if (!outcome.finding.empty()) outcome.fingerprint = kOutcomeFailed;
  return outcome;
}

Outcome Oracle::recover_and_check(CrashMedium& medium, const Allowed& allowed, Recording* nested, uint64_t salt,
                                  const Seen* twin) {
  Outcome outcome;
  auto opened = client_.open(std::make_unique<CrashDomain>(medium));
  if (!opened) {
    if (allowed.no_pool && client_.says_no_pool(opened.status())) return {kOutcomeNoPool, {}};
    outcome.finding =
        std::string("open after the crash says ") + opened.status().name() + ": " + opened.status().message();
    return outcome;
  }
  std::unique_ptr<Store> store = std::move(*opened);
  if (twin != nullptr) {
    outcome.image = medium.hash_after_blind_run();
    if (outcome.image == twin->image) {
      outcome.fingerprint = twin->outcome;
      outcome.is_twin = true;
      return outcome;
    }
  }
  if (nested) medium.observe();
  const size_t stores_before = medium.store_count();
  const Known* state = look(*store, allowed, "after recovery", &outcome.finding);
  if (state == nullptr) return outcome;
  if (nested) medium.observe();
  if (medium.store_count() != stores_before) {
    outcome.finding = "after recovery: the check wrote to the pool";
    return outcome;
  }
  outcome.fingerprint = state->fingerprint;
  note_return(medium, nested, {{state}}, "recovery returned");
  state = probe(medium, *store, state, nested, salt, &outcome.finding);
  medium.set_blind(true);
  if (state == nullptr || look(*store, {{state}}, "after one more operation", &outcome.finding) == nullptr)
    return outcome;
  reopen_and_look(medium, std::move(store), state, salt, &outcome.finding);
  return outcome;
}

const Known* Oracle::probe(CrashMedium& medium, Store& store, const Known* state, Recording* nested, uint64_t salt,
                           std::string* finding) {
  const std::string op = client_.probe(*state->model, salt % kProbeVariants);
  const auto [after, expected] = known_.derived(state, op);
  if (nested) nested->begin_phase(op, {.states = {state, after}});
  const Status status = store.apply(op);
  if (status.code() == expected) {
    state = after;
  } else if (!client_.may_refuse(op, status.code())) {
    *finding = "after recovery " + op + " says " + status.name() + " (" + status.message() + "), expected " +
               code_name(expected);
    return nullptr;
  }
  note_return(medium, nested, {{state}}, "operation after recovery returned");
  return state;
}

void Oracle::reopen_and_look(CrashMedium& medium, std::unique_ptr<Store> store, const Known* state, uint64_t salt,
                             std::string* finding) {
  const bool kill = (salt >> 8) & 1;
  if (kill) {
    medium.save_working();
  } else if (Status s = store->close(); !s.ok()) {
    *finding = std::string("close says ") + s.name() + ": " + s.message();
    return;
  }
  store.reset();
  if (kill) medium.restore_working();
  auto opened = client_.open(std::make_unique<CrashDomain>(medium));
  if (!opened) {
    *finding = std::string("the second open says ") + opened.status().name() + ": " + opened.status().message();
    return;
  }
  look(**opened, {{state}}, kill ? "after recovery and kill" : "after recovery and reopen", finding);
}

/// The allowed state that the store is in; null with a finding if none.
const Known* Oracle::look(Store& store, const Allowed& allowed, const char* when, std::string* finding) {
  const Observation seen = store.check();
  leaked_bytes_ += seen.leaked_bytes;
  if (!seen.problem.empty()) {
    *finding = std::string(when) + ": " + seen.problem;
    return nullptr;
  }
  if (seen.leaked_bytes != 0) {
    *finding = std::string(when) + ": " + std::to_string(seen.leaked_bytes) + " bytes leaked";
    return nullptr;
  }
  for (const Known* state : allowed.states)
    if (state->fingerprint == seen.fingerprint) {
      if (trace_) *trace_ += std::string("  ") + when + ": " + store.text() + "\n";
      return state;
    }
  *finding = std::string(when) + ": holds " + store.text() + ", allowed";
  for (const Known* state : allowed.states) *finding += " [" + state->model->text() + "]";
  if (allowed.no_pool) *finding += " [no pool]";
  return nullptr;
}

}  // namespace nacre::crash
