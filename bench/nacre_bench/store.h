// What a benchmark needs of a store, and the stores there are: Nacre through its public API, and a bare
// tbb::concurrent_hash_map. A virtual call costs all of them the same 1 to 2 ns.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/nacre_bench/clock.h"
#include "bench/nacre_bench/histogram.h"

namespace nacre::bench {

/// A store failed, or answered what it must not: exit status 1. The text is a sentence.
struct BenchError {
  std::string text;
};

/// What the calling thread asked of the medium so far.
struct FlushCounts {
  uint64_t fences = 0;
  uint64_t lines = 0;
  uint64_t bytes = 0;

  FlushCounts& operator+=(const FlushCounts& other) noexcept {
    fences += other.fences;
    lines += other.lines;
    bytes += other.bytes;
    return *this;
  }
  friend FlushCounts operator-(FlushCounts a, const FlushCounts& b) noexcept {
    return {a.fences - b.fences, a.lines - b.lines, a.bytes - b.bytes};
  }
};

/// The sum of the 8-byte words of `bytes` and of its remainder: reads every byte.
inline uint64_t sum_of(std::string_view bytes) noexcept {
  uint64_t sum = 0;
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= bytes.size(); at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  uint64_t rest = 0;
  if (at < bytes.size()) std::memcpy(&rest, bytes.data() + at, bytes.size() - at);
  return sum + rest;
}

/// Takes the pairs of a scan: sums every byte of them, and times them by the thousand, since a clock read a
/// pair would be a quarter of the pair's time.
class ScanSink {
 public:
  void start() noexcept { last_ticks_ = ticks(); }
  void pair(std::string_view key, std::string_view value) noexcept {
    sum_ += sum_of(key) + sum_of(value);
    if (++pairs_ % kLap == 0) lap(kLap);
  }
  void finish() noexcept {
    if (pairs_ % kLap != 0) lap(pairs_ % kLap);
  }
  uint64_t pairs() const noexcept { return pairs_; }
  uint64_t sum() const noexcept { return sum_; }
  const Histogram& latency() const noexcept { return latency_; }

 private:
  static constexpr uint64_t kLap = 1024;
  void lap(uint64_t pairs) noexcept {
    const uint64_t now = ticks();
    latency_.add((now - last_ticks_) / pairs, pairs);
    last_ticks_ = now;
  }
  uint64_t pairs_ = 0;
  uint64_t sum_ = 0;
  uint64_t last_ticks_ = 0;
  Histogram latency_;
};

/// What a store is on, for the header and the results.
struct StoreFacts {
  std::string medium;   ///< "none" when there is none
  std::string flush;    ///< the kind of flush, "" when unknown
  bool forced = false;  ///< the medium was asked for rather than found
};

/// Numbers by name, in the order the store gives them; a name may come more than once.
using Figures = std::vector<std::pair<std::string, uint64_t>>;

enum class PutOutcome : uint8_t { done, out_of_space, too_large };

/// Every function but close and open_again may be called from any thread at any time. All throw BenchError.
class Store {
 public:
  virtual ~Store() = default;
  virtual void put(std::string_view key, std::string_view value) = 0;
  /// As put, for benchmarks that drive a store to its limits: these refusals are answers.
  virtual PutOutcome try_put(std::string_view key, std::string_view value) = 0;
  /// Copies the value to `buffer`; false when the key is absent.
  virtual bool get(std::string_view key, char* buffer, size_t buffer_bytes, size_t* value_bytes) = 0;
  /// False when the key is absent.
  virtual bool remove(std::string_view key) = 0;
  virtual void scan(ScanSink& sink) = 0;
  virtual uint64_t count() = 0;
  virtual FlushCounts thread_counts() = 0;
  virtual StoreFacts facts() = 0;
  /// The figures of nacre_info and nacre_stats that are numbers; empty when there is no pool.
  virtual Figures info_figures() = 0;
  virtual Figures stats_figures() = 0;
  /// Whether keys and values lie in a pool, whose space can be measured.
  virtual bool has_pool() const = 0;
  /// Whether what is in it outlives a close.
  virtual bool keeps() const = 0;
  /// Two steps, so that each can be timed. In between no other function may be called.
  virtual void close() = 0;
  virtual void open_again() = 0;
};

struct StoreOptions {
  std::string engine;
  std::string db;
  std::string medium;
  std::string commit_form;
  uint64_t pool_bytes = 0;  ///< when the pool is made
  bool grow = false;        ///< the pool may become larger; only where pools_grow()
};

/// Whether this library has pools that grow.
bool pools_grow() noexcept;

enum class StoreUse : uint8_t {
  fresh,     ///< empty; a pool at `db` is replaced
  existing,  ///< the pool that is there
  unopened,  ///< as existing, but open_again() is still to be called, and facts() stays empty
};

std::unique_ptr<Store> make_nacre_store(const StoreOptions& options, StoreUse use);
std::unique_ptr<Store> make_tbb_store(bool by_view);
std::unique_ptr<Store> make_store(const StoreOptions& options, StoreUse use);

/// Removes the pool file at `path`; refuses whatever is there and is not a pool.
void remove_pool(const std::string& path);

}  // namespace nacre::bench
