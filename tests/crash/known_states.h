// The model states of a run: what operations make of them, each computed once.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tests/crash/recording.h"

namespace nacre::crash {

class KnownStates {
 public:
  const Known* add(std::unique_ptr<Model> model) {
    const uint64_t fingerprint = model->fingerprint();
    return &states_.emplace_back(Known{std::move(model), fingerprint});
  }

  struct Derived {
    const Known* state;
    Code expected;
  };
  /// What `op` makes of `from`.
  Derived derived(const Known* from, const std::string& op) {
    const auto key = std::make_pair(from, op);
    if (const auto it = derived_.find(key); it != derived_.end()) return it->second;
    auto model = from->model->clone();
    const Code expected = model->apply(op);
    return derived_.emplace(key, Derived{add(std::move(model)), expected}).first->second;
  }

 private:
  std::deque<Known> states_;
  std::map<std::pair<const Known*, std::string>, Derived> derived_;
};

}  // namespace nacre::crash
