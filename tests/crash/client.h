// What the explorer drives: a store under test, its model, and the workloads worth exploring.
//
//   Client   knows how to make a store on a domain, how to open it, and what it should contain
//   Store    an open handle
//   Model    what the store should contain: the oracle
//
// An operation is a short text such as "put:1:24", so that a failure can be written down and replayed. The
// driver has operations of its own, which no client sees:
//
//   |            operations up to here are preparation: their crash points are not explored
//   !reopen      clean close and open
//   !kill        the process dies, its stores stay visible; open
//   !crash:SEED  power loss with a random selection; open
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pmem/base/result.h"
#include "pmem/domain.h"

namespace nacre::crash {

class Model {
 public:
  virtual ~Model() = default;
  virtual std::unique_ptr<Model> clone() const = 0;
  /// Applies the operation as if it succeeded and returns the answer it should give (not_found for a remove
  /// of nothing, for instance). On an operation that changes nothing the model must stay as it is.
  virtual Code apply(std::string_view op) = 0;
  /// Equal contents have equal fingerprints, different ones differ (64 bits are enough).
  virtual uint64_t fingerprint() const = 0;
  virtual std::string text() const = 0;
};

/// What a full look at an open store found.
struct Observation {
  std::string problem;        ///< empty: structure, bytes and counts are sound
  uint64_t fingerprint = 0;   ///< of its contents, comparable with Model::fingerprint
  uint64_t leaked_bytes = 0;  ///< allocated and unreachable, or otherwise unaccounted for
};

class Store {
 public:
  /// Destruction without close() may write: the driver undoes that.
  virtual ~Store() = default;
  virtual Status apply(std::string_view op) = 0;
  /// Structural check with the accounting of every byte, full dump, count. Must not write. A structural error
  /// must be a problem, never an empty store.
  virtual Observation check() = 0;
  virtual std::string text() = 0;
  virtual Status close() = 0;
};

/// A run to explore. `config` is a list key=value,key=value that the client understands (geometry, commit
/// form, a seeded bug, ...): the same client name and config always mean the same store.
struct Workload {
  std::string name;
  std::string client;
  std::string config;
  std::vector<std::string> ops;
  bool explore_format = false;  ///< also the crash points of format and of the first open
  bool is_sequence = false;     ///< one of all the sequences of an alphabet
};

class Client {
 public:
  virtual ~Client() = default;
  virtual uint64_t pool_bytes() const = 0;
  /// What a pool may grow to: the medium is full then.
  virtual uint64_t max_bytes() const { return pool_bytes(); }
  virtual std::unique_ptr<Model> empty_model() const = 0;
  /// Makes an empty pool on a domain of zeros, and closes it.
  virtual Status format(std::unique_ptr<pmem::Domain> domain) = 0;
  /// Opens, which recovers.
  virtual Result<std::unique_ptr<Store>> open(std::unique_ptr<pmem::Domain> domain) = 0;
  /// The operation applied after a recovery, to see that the store still works. `salt` varies it.
  virtual std::string probe(const Model& model, uint64_t salt) const = 0;
  /// True for the answer of open() to a pool whose format was interrupted.
  virtual bool says_no_pool(Status status) const { return status.code() == Code::not_a_pool; }
  /// True if the operation may be refused with this code and leave everything as it was.
  virtual bool may_refuse(std::string_view op, Code code) const {
    return (void)op, code == Code::out_of_space;
  }
};

using Config = std::vector<std::pair<std::string, std::string>>;
Config parse_config(std::string_view text);
/// The value of `key`, or `otherwise`.
std::string_view config_value(const Config& config, std::string_view key, std::string_view otherwise);

/// A kind of client: how to make one from a config, and its workloads, the most valuable ones first.
struct ClientKind {
  std::string name;
  /// Null if the config makes no sense.
  std::unique_ptr<Client> (*make)(const Config& config);
  std::vector<Workload> (*workloads)();
};
const std::vector<ClientKind>& client_kinds();
const ClientKind* find_client_kind(std::string_view name);

}  // namespace nacre::crash
