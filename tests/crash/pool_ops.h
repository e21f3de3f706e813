// The operations of the pool client, as texts: what they mean is in pool_client.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/geometry.h"
#include "tests/crash/replay_text.h"

namespace nacre::crash {

inline constexpr uint64_t kNodes = alloc::kLineWords - 1;  // the root's last word leads to the notes
inline constexpr uint32_t kNotesWord = kNodes;
inline constexpr uint64_t kSlots = alloc::kLineWords;
inline constexpr uint64_t kKeys = kNodes * kSlots;

//  0    4      8       16      24
//  |crc |key   |bytes  |seed   |a byte pattern that follows from the seed ...
struct RecordHead {
  uint32_t crc;
  uint32_t key;
  uint64_t bytes;
  uint64_t seed;
};
static_assert(sizeof(RecordHead) == 24);

/// A node's word for a record: as a slot of the hash engine, which the log has a short form for.
inline uint64_t slot_of_record(uint64_t off, uint64_t key) { return (key + 1) << 40 | off / alloc::kUnitAlign; }
inline uint64_t off_of_slot(uint64_t slot) { return (slot & ((uint64_t{1} << 40) - 1)) * alloc::kUnitAlign; }

struct Put {
  uint64_t key, bytes, seed;
};

inline std::vector<uint64_t> numbers(std::string_view op) {
  std::vector<uint64_t> n;
  const std::vector<std::string> parts = split(op, ':');
  for (size_t i = 1; i < parts.size(); ++i) n.push_back(std::stoull(parts[i]));
  return n;
}

inline std::vector<Put> parse_puts(std::string_view op) {
  const std::vector<uint64_t> n = numbers(op);
  std::vector<Put> puts;
  for (size_t i = 0; i + 2 < n.size(); i += 3)
    puts.push_back({n[i] % kKeys, std::max<uint64_t>(n[i + 1], sizeof(RecordHead)), n[i + 2]});
  return puts;
}

/// One of the calls that an operation is made of.
struct PoolCall {
  uint32_t thread = 0;  ///< 0: the main one
  bool must_fit = false;
  std::string what;
};

inline std::vector<PoolCall> parse_calls(std::string_view op) {
  std::vector<PoolCall> calls;
  for (const std::string& part : split(op, '+')) {
    PoolCall call;
    std::string_view text = part;
    if (text.starts_with('@')) {
      call.thread = static_cast<uint32_t>(text[1] - '0');
      text.remove_prefix(3);
    }
    call.must_fit = text.starts_with("fits:");
    if (call.must_fit) text.remove_prefix(5);
    call.what = text;
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace nacre::crash
