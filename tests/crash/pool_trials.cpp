#include "tests/crash/pool_trials.h"

#include <array>

#include "alloc/commit.h"
#include "alloc/superblock_layout.h"
#include "tests/crash/pool_ops.h"

namespace nacre::crash {
namespace {

using alloc::Commit;
using alloc::GuardedLine;
using alloc::UnitUse;

constexpr pmem::Site kDamageFlush{"pool_client.damage_flush"}, kDamageFence{"pool_client.damage_fence"};
constexpr uint64_t kDamage = 0x40;                     // one bit
constexpr uint32_t kHurtWord = alloc::kLineWords - 1;  // no commit of these runs changes it

Status wrong(const char* what) { return Status::error(Code::corruption, "trial: %s", what); }

bool intact(alloc::Pool& pool, uint64_t line_off) {
  return alloc::line_intact(pool.salt(), line_off, *pool.line(line_off));
}

void turn_bit(alloc::Pool& pool, uint64_t line_off) { pool.line(line_off)->words[kHurtWord] ^= kDamage; }

/// No crash is to bring the damage back.
void heal(alloc::Pool& pool, uint64_t line_off) {
  turn_bit(pool, line_off);
  pool.domain().flush(line_off, kLineBytes, kDamageFlush);
  pool.domain().fence(kDamageFence);
}

/// Locks the node for a change that sets its first word to what it is.
Status lock_node(alloc::Pool& pool, Commit& c, uint64_t node_off) {
  NACRE_TRY(c.begin());
  NACRE_TRY(c.lock(std::array{node_off}, 1, 1));
  c.set_word(node_off, 0, pool.line(node_off)->words[0]);
  return Code::ok;
}

Status try_damaged(alloc::Pool& pool, uint64_t node_off) {
  Commit c(pool);
  turn_bit(pool, node_off);
  NACRE_TRY(lock_node(pool, c, node_off));
  const Code code = c.publish().code();
  heal(pool, node_off);
  return code == Code::corruption ? Status() : wrong("a damaged line was changed");
}

Status try_late(alloc::Pool& pool, uint64_t node_off) {
  Commit c(pool);
  NACRE_TRY(lock_node(pool, c, node_off));
  c.lines_are_verified();
  turn_bit(pool, node_off);
  NACRE_TRY(c.publish());
  const bool shows = !intact(pool, node_off);
  heal(pool, node_off);
  if (!shows) return wrong("a commit gave a good check to a damaged line");
  return intact(pool, node_off) ? Status() : wrong("without its damage the line is no better");
}

Status try_mend(alloc::Pool& pool, uint64_t node_off) {
  const bool shows = !intact(pool, node_off);
  heal(pool, node_off);
  if (!shows) return wrong("recovery gave a good check to a damaged line");
  return intact(pool, node_off) ? Status() : wrong("without its damage the line is no better");
}

Status try_twice(alloc::Pool& pool, uint64_t bytes) {
  Commit c(pool);
  uint64_t off;
  NACRE_TRY(c.begin());
  NACRE_TRY(c.allocate(bytes, UnitUse::record, off));
  NACRE_TRY(c.free(off, UnitUse::record));
  NACRE_TRY(c.lock({}, 0, 0));
  return c.publish().code() == Code::corruption ? Status() : wrong("a unit that is not allocated was freed");
}

Status try_giveup(alloc::Pool& pool, uint64_t node_off, uint64_t bytes) {
  Commit c(pool);
  uint64_t off;
  NACRE_TRY(c.begin());
  NACRE_TRY(c.allocate(bytes, UnitUse::record, off));
  NACRE_TRY(c.free(off_of_slot(pool.line(node_off)->words[0]), UnitUse::record));
  NACRE_TRY(c.lock(std::array{node_off}, 1, 1));
  c.set_word(node_off, 0, off);
  return Code::ok;
}

Status try_chunks(alloc::Pool& pool) {
  pool.reclaim();
  if (pool.limbo_count() != 0) return wrong("units stay in limbo");
  NACRE_ASSIGN(const uint64_t known, pool.heap().free_chunks());
  NACRE_ASSIGN(const alloc::HeapUsage usage, pool.heap().usage());
  if (known == usage.free_chunks) return Code::ok;
  return Status::error(Code::corruption, "trial: %llu chunks are free and the heap knows of %llu",
                       static_cast<unsigned long long>(usage.free_chunks), static_cast<unsigned long long>(known));
}

Status lose_magic(alloc::Pool& pool) {
  pool.line(alloc::kSuperblockAOff)->words[alloc::kMagicWord] = 0;
  pool.domain().flush(alloc::kSuperblockAOff, kLineBytes, kDamageFlush);
  pool.domain().fence(kDamageFence);
  return Code::ok;
}

}  // namespace

Status run_trial(alloc::Pool& pool, std::string_view name, const TrialPlace& place, uint64_t number) {
  if (name == "damaged") return try_damaged(pool, place.node_off);
  if (name == "late") return try_late(pool, place.node_off);
  if (name == "hurt") return turn_bit(pool, place.node_off), Code::ok;
  if (name == "guard") return pool.line(place.node_off)->guard &= ~alloc::kSeqMask, Code::ok;
  if (name == "mend") return try_mend(pool, place.node_off);
  if (name == "twice") return try_twice(pool, number);
  if (name == "giveup") return try_giveup(pool, place.node_off, number);
  if (name == "chunks") return try_chunks(pool);
  if (name == "magic") return lose_magic(pool);
  return Code::invalid_argument;
}

}  // namespace nacre::crash
