// Accounts for every byte of a pool. The layer above reports each unit it can reach, exactly once; the check compares
// that with the bitmaps on the medium and with the pool's size. Never writes; the pool must be quiescent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alloc/pool.h"

namespace nacre::alloc {

struct HeapAccount {
  uint64_t pool_bytes = 0;
  uint64_t superblock_bytes = 0;  // superblocks, class table and zone table
  uint64_t lane_bytes = 0;        // with the alignment behind them
  uint64_t zone_meta_bytes = 0;
  uint64_t live_bytes = 0;        // units and extents that are allocated
  uint64_t free_unit_bytes = 0;   // units that are not
  uint64_t slab_tail_bytes = 0;   // too short for a unit
  uint64_t free_chunk_bytes = 0;
  uint64_t slack_bytes = 0;       // behind the last chunk
  uint64_t live_units = 0;
  uint64_t leaked_units = 0;      // allocated, reached from nowhere
  uint64_t leaked_bytes = 0;
  uint64_t sum() const noexcept {
    return superblock_bytes + lane_bytes + zone_meta_bytes + live_bytes + free_unit_bytes + slab_tail_bytes +
           free_chunk_bytes + slack_bytes;
  }
};

class HeapCheck {
 public:
  static constexpr size_t kMaxProblems = 100;

  explicit HeapCheck(Pool& pool);

  /// Verifies superblock, class table, lanes, chunk table and bitmaps.
  void check_metadata();
  /// Reports a unit that is reachable, of `bytes` used bytes. False (and a problem) if no allocated unit of at least
  /// that size starts there, or it was reported before. `what` names it in the finding.
  bool mark(uint64_t off, uint64_t bytes, const char* what);
  /// Adds a finding of the caller's.
  [[gnu::format(printf, 2, 3)]] void problem(const char* format, ...);
  /// Finds what is allocated but was not marked, and sums up.
  void finish();

  const HeapAccount& account() const noexcept { return account_; }
  const std::vector<std::string>& problems() const noexcept { return problems_; }
  uint64_t problem_count() const noexcept { return problem_count_; }

 private:
  struct Chunk {
    ChunkUse use;           // free for all but the first chunk of a slab or extent
    uint32_t back = 0;      // chunks from the first one of the slab or extent that it belongs to
    bool damaged = false;   // its word makes no sense
    std::vector<uint64_t> allocated;  // bits of a slab's units; one bit for an extent
    std::vector<uint64_t> marked;
  };
  void check_line(uint64_t off, Salt salt, const char* what);
  void check_lanes();
  void check_zone(uint64_t index);
  void load_zone(uint64_t index);
  void load_chunk(uint64_t chunk, uint64_t room, Chunk& c);
  void load_bitmap(uint64_t chunk, uint64_t bitmap_off, Chunk& c);
  Chunk* head_at(uint64_t off, uint64_t& head_off);
  uint64_t unit_bytes(const ChunkUse& use) const noexcept;
  uint64_t unit_count(const ChunkUse& use) const noexcept;
  void sum_up(uint64_t chunk, const Chunk& c);

  Pool& pool_;
  struct ZoneChunks {
    uint64_t first = 0;
    std::vector<Chunk> chunks;
  };
  std::vector<ZoneChunks> zones_;
  HeapAccount account_;
  std::vector<std::string> problems_;
  uint64_t problem_count_ = 0;
};

}  // namespace nacre::alloc
