// The oracle: recovers an image and says whether that was right.
//
//   open -> check -> contents are an allowed model state -> one more operation -> check -> close (or kill) -> open
//   -> check
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/crash/known_states.h"
#include "tests/crash/seen_states.h"

namespace nacre::crash {

inline constexpr uint64_t kOutcomeFailed = 1;  // outcomes are fingerprints; these two stand for none
inline constexpr uint64_t kOutcomeNoPool = 2;

/// What became of one image.
struct Outcome {
  uint64_t fingerprint = kOutcomeFailed;
  std::string finding;   ///< empty: the oracle is content
  uint64_t image = 0;    ///< hash of the image right after recovery, if somebody asked
  bool is_twin = false;  ///< recovered to the image of its twin, so there was nothing more to check
};

bool allows(const Allowed& allowed, uint64_t outcome);

class Oracle {
 public:
  /// `trace` may be null; otherwise it gets what was seen.
  Oracle(Client& client, KnownStates& known, std::string* trace) : client_(client), known_(known), trace_(trace) {}

  /// Recovers what `medium` holds. `nested` null: nobody will ask about the crashes of this recovery. `salt` chooses
  /// the operation that follows. `twin` may be null; else a state with the same log, which was checked or has an image
  /// of 0: then this one is only recovered if that gives the image of the twin.
  Outcome check(CrashMedium& medium, const Allowed& allowed, Recording* nested, uint64_t salt,
                const Seen* twin = nullptr);
  uint64_t leaked_bytes() const noexcept { return leaked_bytes_; }

 private:
  Outcome recover_and_check(CrashMedium& medium, const Allowed& allowed, Recording* nested, uint64_t salt,
                            const Seen* twin);
  const Known* probe(CrashMedium& medium, Store& store, const Known* state, Recording* nested, uint64_t salt,
                     std::string* finding);
  void reopen_and_look(CrashMedium& medium, std::unique_ptr<Store> store, const Known* state, uint64_t salt,
                       std::string* finding);
  const Known* look(Store& store, const Allowed& allowed, const char* when, std::string* finding);

  Client& client_;
  KnownStates& known_;
  std::string* trace_;
  uint64_t leaked_bytes_ = 0;
};

}  // namespace nacre::crash
