// The pairs a benchmark has alive, with the size of each value, and the payload they add up to: counted here
// and not by the store. Keys of removed pairs are used again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/store.h"

namespace nacre::bench {

class LiveSet {
 public:
  /// `values` and `store` must outlive it. `key_bytes` bounds the number of keys.
  LiveSet(Store& store, const ValuePool& values, uint64_t key_bytes);

  /// Makes room for `count` keys, so that no insert up to there grows the list of them while it is timed.
  void prepare(uint64_t count);

  uint64_t count() const noexcept { return live_; }
  /// Keys and values alive.
  uint64_t payload_bytes() const noexcept { return payload_bytes_; }
  uint64_t value_bytes_alive() const noexcept { return payload_bytes_ - live_ * key_bytes_; }

  /// Puts a new key with a value of `bytes`. Anything but done leaves everything as it was.
  PutOutcome insert(uint64_t bytes);
  /// Overwrites the pair at `at`, below count(), with a value of `bytes`.
  PutOutcome replace(uint64_t at, uint64_t bytes);
  /// Removes the pair at `at`, below count(). Another pair takes its place.
  void remove(uint64_t at);

  uint64_t bytes_at(uint64_t at) const noexcept { return slots_[at].bytes; }
  /// Reads all pairs back and compares every byte; throws BenchError at the first difference.
  void verify(const char* after);

 private:
  // Slots below live_ are alive; those behind are keys that may be used again.
  struct Slot {
    uint32_t idx;
    uint32_t bytes;
  };
  std::string_view key_of(uint32_t idx) noexcept;
  void add_slot();

  Store& store_;
  const ValuePool& values_;
  uint64_t key_bytes_;
  std::string key_;
  std::vector<Slot> slots_;
  uint64_t live_ = 0;
  uint64_t payload_bytes_ = 0;
};

}  // namespace nacre::bench
