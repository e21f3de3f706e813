// What concurrent operations may have done: durable linearizability (Izraelevitz, Mendes and Scott, Linearizability of
// Persistent Memory Objects under a Full-System-Crash Failure Model, 2016) by brute force over small histories.
//
// A crash finds operations that have returned and operations in flight. The recovered contents are right if they are
// the last state of some order in which
//   every operation that returned is there, with the answer it gave,
//   each operation in flight is there wholly or not at all,
//   an operation that returned before another began comes before it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/crash/known_states.h"

namespace nacre::interleave {

struct Operation {
  std::string text;              ///< as the client of the crash explorer knows it
  std::string effect;            ///< what the model applies: the text, but of a get what it saw
  uint32_t returned_before = 0;  ///< bits of the operations that had returned when it began
  bool returned = false;
  Code code = Code::ok;
};

class History {
 public:
  /// The number of the operation.
  uint32_t begin(std::string text);
  void end(uint32_t number, std::string effect, Code code);
  const std::vector<Operation>& operations() const noexcept { return operations_; }
  /// Who ran when, for people: "put:0:1:8:1 = ok; get:0:1 ..".
  std::string text() const;

 private:
  std::vector<Operation> operations_;
};

/// The states that the history may have led to from `start`, each content once. None: it is not linearizable.
/// `may_refuse` is asked for an answer that leaves everything as it was.
crash::Allowed linearize(const std::vector<Operation>& operations, const crash::Known* start, crash::KnownStates& known,
                         const crash::Client& client);

}  // namespace nacre::interleave
