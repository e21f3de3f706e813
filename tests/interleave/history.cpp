#include "tests/interleave/history.h"

#include <algorithm>

#include "pmem/base/status.h"

namespace nacre::interleave {
namespace {

class Search {
 public:
  Search(const std::vector<Operation>& operations, crash::KnownStates& known, const crash::Client& client)
      : operations_(operations), known_(known), client_(client) {
    for (size_t i = 0; i < operations.size(); ++i) returned_ |= operations[i].returned ? 1u << i : 0;
  }

  void visit(const crash::Known* state, uint32_t done) {
    if (!visited_.insert({state->fingerprint, done}).second) return;
    if ((returned_ & ~done) == 0 && found_.insert(state->fingerprint).second) allowed.states.push_back(state);
    for (uint32_t i = 0; i < operations_.size(); ++i) {
      const Operation& op = operations_[i];
      if ((done >> i & 1) != 0 || (op.returned_before & ~done) != 0) continue;
      if (const crash::Known* next = after(state, op)) visit(next, done | 1u << i);
    }
  }

  crash::Allowed allowed;

 private:
  // Null: the operation could not have given its answer here.
  const crash::Known* after(const crash::Known* state, const Operation& op) {
    if (op.returned && client_.may_refuse(op.text, op.code)) return state;
    const auto [next, expected] = known_.derived(state, op.effect);
    // A table that is dropped while somebody is in it says so in its own way.
    const Code code = op.code == Code::bad_handle ? Code::not_found : op.code;
    return !op.returned || code == expected ? next : nullptr;
  }

  const std::vector<Operation>& operations_;
  crash::KnownStates& known_;
  const crash::Client& client_;
  uint32_t returned_ = 0;
  std::set<std::pair<uint64_t, uint32_t>> visited_;
  std::set<uint64_t> found_;
};

}  // namespace

uint32_t History::begin(std::string text) {
  Operation op{.text = text, .effect = text};
  for (size_t i = 0; i < operations_.size(); ++i) op.returned_before |= operations_[i].returned ? 1u << i : 0;
  operations_.push_back(std::move(op));
  return static_cast<uint32_t>(operations_.size() - 1);
}

void History::end(uint32_t number, std::string effect, Code code) {
  Operation& op = operations_[number];
  op.effect = std::move(effect);
  op.code = code;
  op.returned = true;
}

std::string History::text() const {
  std::string text;
  for (const Operation& op : operations_) {
    text += (text.empty() ? "" : "; ") + op.text + (op.returned ? std::string(" = ") + code_name(op.code) : " ..");
    if (op.effect != op.text) text += " (" + op.effect + ")";
  }
  return text;
}

crash::Allowed linearize(const std::vector<Operation>& operations, const crash::Known* start, crash::KnownStates& known,
                         const crash::Client& client) {
  Search search(operations, known, client);
  search.visit(start, 0);
  return std::move(search.allowed);
}

}  // namespace nacre::interleave
