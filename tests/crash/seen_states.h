// Image hash -> what the image was recovered to. Open addressing, as there are millions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nacre::crash {

/// What became of an image.
struct Seen {
  uint64_t outcome = 0;  ///< see oracle.h
  uint64_t image = 0;    ///< hash of the image right after recovery; 0: nobody asked
};

class SeenStates {
 public:
  SeenStates() : slots_(1024) {}

  /// Null if the hash is new. Hashes are well mixed already; 0 is stored as 1.
  const Seen* find(uint64_t hash) const noexcept {
    const Slot& slot = slots_[place(slots_, hash | (hash == 0))];
    return slot.hash == 0 ? nullptr : &slot.seen;
  }
  void insert(uint64_t hash, const Seen& seen) {
    hash |= hash == 0;
    if (count_ * 2 >= slots_.size()) grow();
    Slot& slot = slots_[place(slots_, hash)];
    count_ += slot.hash == 0;
    slot = {hash, seen};
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    Seen seen;
  };
  static size_t place(const std::vector<Slot>& slots, uint64_t hash) noexcept {
    size_t i = hash & (slots.size() - 1);
    while (slots[i].hash != 0 && slots[i].hash != hash) i = (i + 1) & (slots.size() - 1);
    return i;
  }
  void grow() {
    std::vector<Slot> bigger(slots_.size() * 2);
    for (const Slot& slot : slots_)
      if (slot.hash != 0) bigger[place(bigger, slot.hash)] = slot;
    slots_.swap(bigger);
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

}  // namespace nacre::crash
