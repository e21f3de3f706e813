// The free chunks that are known so far, as runs that are as long as they can be: two runs never touch. A run is kept
// in two search trees whose nodes lie at the number of its first chunk, so that putting a run back never allocates:
//
//   by place   each node knows the longest run below it: the lowest run of at least n chunks
//   by size    length, then place: the best fit
//
// The trees are treaps (Seidel and Aragon, "Randomized search trees", 1996) whose priorities are a hash of the chunk's
// number: expected depth O(log runs), and the same every time. One thread at a time.
#pragma once

#include <cstdint>

#include "alloc/growing_array.h"

namespace nacre::alloc {

struct FreeRun {
  uint32_t first = 0;  // chunk 0 is never free (the superblock is there): 0 says "none"
  uint32_t chunks = 0;
};

class FreeRuns {
 public:
  /// Makes room for runs that begin in [first, first + count). May throw bad_alloc.
  void make(uint32_t first, uint32_t count) { nodes_.make(first, count); }
  /// Adds chunks, joined with their neighbours. False, and nothing is added, if one of them is there already. Room was
  /// made before.
  bool insert(FreeRun run) noexcept;
  /// Takes `chunks` from the front of the lowest run that has them; none: {}.
  FreeRun take_lowest(uint32_t chunks) noexcept;
  /// Takes `chunks` from the front of the shortest run that has them, the lowest of these; none: {}.
  FreeRun take_best(uint32_t chunks) noexcept;
  /// Takes exactly these chunks; false if they are not all free.
  bool take(FreeRun run) noexcept;
  /// The run that lies highest, or {}.
  FreeRun last() const noexcept;
  uint32_t longest() const noexcept { return root_[kPlace] == 0 ? 0 : nodes_[root_[kPlace]].longest; }
  uint64_t chunk_count() const noexcept { return chunk_count_; }

 private:
  enum Order : uint32_t { kPlace, kSize };
  struct Node {
    uint32_t chunks;
    uint32_t longest;  // of the runs in this node's subtree by place
    uint32_t left[2];
    uint32_t right[2];
  };
  bool before(Order order, uint32_t a, uint32_t b) const noexcept;
  void update(Order order, uint32_t at) noexcept;
  void split(Order order, uint32_t at, uint32_t key, uint32_t& low, uint32_t& high) noexcept;
  uint32_t join(Order order, uint32_t low, uint32_t high) noexcept;
  uint32_t without(Order order, uint32_t at, uint32_t key) noexcept;
  void add(FreeRun run) noexcept;
  void remove(uint32_t first) noexcept;
  uint32_t at_or_before(uint32_t chunk) const noexcept;
  uint32_t behind(uint32_t chunk) const noexcept;
  FreeRun take_front(uint32_t first, uint32_t chunks) noexcept;

  GrowingArray<Node> nodes_;
  uint32_t root_[2] = {0, 0};
  uint64_t chunk_count_ = 0;
};

}  // namespace nacre::alloc
