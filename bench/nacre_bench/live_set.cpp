#include "bench/nacre_bench/live_set.h"

#include <algorithm>

#include "bench/nacre_bench/loops.h"

namespace nacre::bench {

LiveSet::LiveSet(Store& store, const ValuePool& values, uint64_t key_bytes)
    : store_(store), values_(values), key_bytes_(key_bytes), key_(key_bytes, '0') {}

std::string_view LiveSet::key_of(uint32_t idx) noexcept {
  write_key(key_.data(), key_bytes_, idx);
  return key_;
}

void LiveSet::add_slot() {
  if (slots_.size() >= keys_that_fit(key_bytes_))
    throw BenchError{"keys of " + std::to_string(key_bytes_) +
                     " bytes are used up: give a larger --key_size"};
  slots_.push_back({static_cast<uint32_t>(slots_.size()), 0});
}

void LiveSet::prepare(uint64_t count) {
  slots_.reserve(count);
  while (slots_.size() < count) add_slot();
}

PutOutcome LiveSet::insert(uint64_t bytes) {
  if (live_ == slots_.size()) add_slot();
  Slot& slot = slots_[live_];
  const PutOutcome outcome = store_.try_put(key_of(slot.idx), values_.sized(slot.idx, bytes));
  if (outcome != PutOutcome::done) return outcome;
  slot.bytes = static_cast<uint32_t>(bytes);
  ++live_;
  payload_bytes_ += key_bytes_ + bytes;
  return outcome;
}

PutOutcome LiveSet::replace(uint64_t at, uint64_t bytes) {
  Slot& slot = slots_[at];
  const PutOutcome outcome = store_.try_put(key_of(slot.idx), values_.sized(slot.idx, bytes));
  if (outcome != PutOutcome::done) return outcome;
  payload_bytes_ += bytes - slot.bytes;
  slot.bytes = static_cast<uint32_t>(bytes);
  return outcome;
}

void LiveSet::remove(uint64_t at) {
  Slot& slot = slots_[at];
  if (!store_.remove(key_of(slot.idx))) throw BenchError{quoted(key_) + " was put and cannot be removed"};
  payload_bytes_ -= key_bytes_ + slot.bytes;
  std::swap(slot, slots_[--live_]);
}

void LiveSet::verify(const char* after) {
  if (store_.count() != live_)
    throw BenchError{"after " + std::string(after) + " the store counts " + std::to_string(store_.count()) +
                     " keys, not " + std::to_string(live_)};
  uint32_t most = 0;
  for (uint64_t at = 0; at < live_; ++at) most = std::max(most, slots_[at].bytes);
  std::string buffer(uint64_t{most} + 1, 0);
  for (uint64_t at = 0; at < live_; ++at) {
    const auto [idx, bytes] = slots_[at];
    size_t got_bytes = 0;
    if (!store_.get(key_of(idx), buffer.data(), buffer.size(), &got_bytes))
      throw BenchError{"after " + std::string(after) + " " + quoted(key_) + " is absent"};
    if (std::string_view(buffer.data(), got_bytes) != values_.sized(idx, bytes))
      throw BenchError{"after " + std::string(after) + " " + quoted(key_) +
                       " has a value that was not put last"};
  }
}

}  // namespace nacre::bench
