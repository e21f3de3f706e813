// The catalogue: which tables a pool has. A chain of nodes of guarded lines; the superblock's roots line names the
// first.
//
//   line 0       | magic u64 | next node off | next table id | 0 | 0 | 0 | 0 | guard
//   lines 1 ..   | state u8, engine u8 (8..15), flags u8 (16..23), table id u16 (32..47) | name record off | root entry
//                | count | 0 | 0 | 0 | guard                          one table each; all zero: free
//
// state: 0 free, 1 live, 2 dropping (what is below the root is being freed; open resumes it). flags: bit 0 = count
// was right at the last clean close. A cleared table moves its old root to a line of its own with state 2 and no name.
#pragma once

#include <cstdint>

#include "engine/table.h"

namespace nacre::engine {

inline constexpr uint64_t kCatalogueMagic = 0x474c5443'4143'4e41;  // "ANCACTLG"

enum CatalogueHeaderWord : uint32_t { kCatMagic, kCatNext, kCatNextTableId };
enum TableLineWord : uint32_t { kTableHead, kTableName, kTableRoot, kTableCount };

enum class TableState : uint8_t { free = 0, live = 1, dropping = 2 };

inline constexpr uint8_t kCountValid = 1;

constexpr uint64_t make_table_head(TableState state, EngineKind engine, uint8_t flags, uint16_t id) noexcept {
  return static_cast<uint64_t>(state) | static_cast<uint64_t>(engine) << 8 | uint64_t{flags} << 16 | uint64_t{id} << 32;
}
constexpr TableState table_state(uint64_t head) noexcept { return static_cast<TableState>(head & 0xff); }
constexpr EngineKind table_engine(uint64_t head) noexcept { return static_cast<EngineKind>(head >> 8 & 0xff); }
constexpr uint8_t table_flags(uint64_t head) noexcept { return static_cast<uint8_t>(head >> 16); }
constexpr uint16_t table_id(uint64_t head) noexcept { return static_cast<uint16_t>(head >> 32); }
/// True if a line with this head may exist: a known state and engine, zero elsewhere.
constexpr bool table_head_clean(uint64_t head) noexcept {
  return (head & 0xffff'0000'ff00'0000) == 0 && (head & 0xff) <= 2 &&
         (head == 0 || table_engine(head) == EngineKind::hash) && (table_flags(head) & ~kCountValid) == 0;
}

}  // namespace nacre::engine
