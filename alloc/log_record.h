// Log records between their two forms: the updates a commit means to make, and the bytes in lane cells.
#pragma once

#include <cstdint>

#include "alloc/lane_layout.h"
#include "alloc/reserved_vector.h"
#include "pmem/site.h"

namespace nacre::alloc {

/// One change of one payload word.
struct WordOp {
  uint8_t word;
  OpKind kind;
  uint64_t operand;
};

inline uint64_t apply_op(uint64_t old, const WordOp& op) noexcept {
  switch (op.kind) {
    case OpKind::set: return op.operand;
    case OpKind::set_bits: return old | op.operand;
    case OpKind::clear_bits: return old & ~op.operand;
  }
  return old;
}

struct LineUpdate {
  uint64_t line_off;
  uint64_t prev_seq;
  uint64_t guard;     // after the commit: check and seq
  uint32_t first_op;  // index into the ops of the same record
  uint32_t op_count;  // at least one
};

/// Bytes that were unreachable before the commit, and what they are.
struct FreshRange {
  uint64_t off;
  uint64_t bytes;
  uint32_t crc;
  const pmem::Site* unflushed = nullptr;  // volatile: where the flush that is still owed is made
};

struct LogRecord {
  uint64_t seq = 0;
  bool strict = false;
  uint32_t cells = 0;
  ReservedVector<FreshRange> fresh;  // of a strict record in the log: none
  ReservedVector<LineUpdate> updates;
  ReservedVector<WordOp> ops;

  void clear() noexcept {
    fresh.clear();
    updates.clear();
    ops.clear();
  }
};

/// What one commit may hold; more is Code::too_large.
inline constexpr uint64_t kMaxFreshRanges = 255;

/// A line entry takes no less than this: offset, seq delta, check, one op.
inline constexpr uint64_t kLeastLineEntryBytes = 5 + 1 + 2 + 2;

/// The most cells a record of these counts can take, whatever the seqs turn out to be.
uint64_t max_record_cells(uint64_t fresh_count, uint64_t line_count, uint64_t op_count) noexcept;

/// CRC seed of a record that starts at `cell_off` (an offset in the pool, so it names lane and cell).
inline uint32_t record_seed(Salt salt, uint64_t cell_off) noexcept { return crc32c_u64(salt, cell_off ^ 0x4c4f47); }

/// Encodes into the cells at `cell`, of which max_record_cells(...) must be free; sets record.cells. Each word of them
/// is stored once, the one with the crc last.
void encode_record(LogRecord& record, uint32_t seed, std::byte* cell) noexcept;

/// The crc that a record of so many cells must have: over words 1 and up, then the upper half of word 0, which the
/// writer knows last.
uint32_t record_crc(const std::byte* cell, uint32_t cells, uint32_t seed) noexcept;

/// Just the header's counts and crc: the number of cells of the record that starts at `cell`, 0 if there is none.
/// `cells_left` bounds it (to the end of the half).
uint32_t probe_record(const std::byte* cell, uint32_t cells_left, uint32_t seed) noexcept;

/// Decodes a record that probe_record accepted. False if its entries do not parse (a crc collision, or damage).
/// Allocates; every count is bounded by the record's own size.
bool decode_record(const std::byte* cell, LogRecord& out);

/// The seq alone, of a record that probe_record accepted.
uint64_t record_seq(const std::byte* cell) noexcept;

}  // namespace nacre::alloc
