// Is the history of one key that of an atomic register? Values are unique, so each read names the write it
// saw.
//
// Times are tickets of one atomic counter taken before and after each operation. For a register with unique
// values a history is linearizable iff the clusters (a write with its reads) can be put in an order that no
// "ended before began" contradicts (Gibbons and Korach, Testing shared memories, 1997): with first_end the
// earliest end and last_begin the latest begin within a cluster, a cluster with first_end < last_begin is a
// forward zone. No two forward zones may overlap, and no backward zone may lie within a forward one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nacre::test {

struct RegisterEvent {
  uint64_t begin, end;
  bool write;
  uint64_t value;  // unique for each write; a remove writes a value of its own, "absent" at first is 0
};

/// Empty if the history is linearizable, else what is wrong with it.
inline std::string check_register(const std::vector<RegisterEvent>& events) {
  struct Zone {
    uint64_t first_end = ~uint64_t{0}, last_begin = 0, write_begin = 0;
    bool written = false;
    uint64_t value = 0;
  };
  std::map<uint64_t, Zone> zones;
  zones[0] = {.first_end = 0, .last_begin = 0, .write_begin = 0, .written = true, .value = 0};
  for (const RegisterEvent& e : events) {
    Zone& z = zones[e.value];
    z.value = e.value;
    z.first_end = std::min(z.first_end, e.end);
    z.last_begin = std::max(z.last_begin, e.begin);
    if (e.write) {
      z.written = true;
      z.write_begin = e.begin;
    }
  }
  for (const RegisterEvent& e : events) {
    const Zone& z = zones[e.value];
    if (!z.written) return "a read saw a value that nobody wrote";
    if (!e.write && e.end < z.write_begin) return "a read saw a value before it was written";
  }
  std::vector<Zone> forward, backward;
  for (const auto& [value, z] : zones) (z.first_end < z.last_begin ? forward : backward).push_back(z);
  std::sort(forward.begin(), forward.end(),
            [](const Zone& a, const Zone& b) { return a.first_end < b.first_end; });
  for (size_t i = 1; i < forward.size(); ++i)
    if (forward[i].first_end < forward[i - 1].last_begin)
      return "values " + std::to_string(forward[i - 1].value) + " and " + std::to_string(forward[i].value) +
             " were both the current one";
  for (const Zone& b : backward)  // its interval is [last_begin, first_end]
    for (const Zone& f : forward)
      if (f.first_end < b.last_begin && b.first_end < f.last_begin)
        return "value " + std::to_string(b.value) + " lies within the life of value " +
               std::to_string(f.value);
  return {};
}

}  // namespace nacre::test
