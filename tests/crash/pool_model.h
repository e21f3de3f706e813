// What the pool client's store should contain: nodes, records, and the number of the notes.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/crash/client.h"
#include "tests/crash/pool_ops.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {

/// Folded over nodes and records in order of their numbers.
struct Fingerprint {
  uint64_t hash = 1;
  void add(uint64_t v) { hash = mix64(hash ^ v) + 0x9e3779b97f4a7c15ull; }
};

class PoolModel final : public Model {
 public:
  std::unique_ptr<Model> clone() const override { return std::make_unique<PoolModel>(*this); }
  Code apply(std::string_view op) override;
  uint64_t fingerprint() const override;
  std::string text() const override;

  bool has_node(uint64_t node) const { return nodes_.contains(node); }
  void see_node(uint64_t node) { nodes_.insert(node); }
  void see(const Put& put) { records_[put.key] = put; }
  void see_notes(uint64_t notes) { notes_ = notes; }

 private:
  Code apply_call(std::string_view op);

  std::set<uint64_t> nodes_;
  std::map<uint64_t, Put> records_;
  uint64_t notes_ = 0;
};

}  // namespace nacre::crash
