// Shrinking: empty chunks at the end of a pool go back to the medium, while everybody goes on working.
//
//   1 take the chunks       in DRAM: nobody gets a unit of them any more
//   2 retire advance        no log record names a line in them: recovery would not find the line
//   3 one commit a zone     pool_bytes, and the zone's word if it is gone; Layout, Heap before the lines are unlocked
//   4 forget their lines    which lanes meant to flush
//   5 the roots lines home  an open refuses a file that is shorter than a roots line says, before it recovers
//   6 Domain::shrink        the file is shorter
//
// A crash before 3 leaves the pool as it was, later ones a shorter pool in a file whose tail the next writer cuts off.
#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <vector>

#include "alloc/commit.h"
#include "alloc/grow.h"
#include "alloc/mutants.h"
#include "alloc/pool.h"
#include "alloc/sites.h"
#include "alloc/zone.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kKeepChunks = 4;                     // as many as a pool is made with at least
constexpr std::chrono::milliseconds kShrinkPatience{100};  // for operations that pin an older epoch

/// Until now every lane's records are home and dismissed. False if an operation of an older epoch does not end, or if
/// the medium fails, for then nothing comes home any more.
bool retire(Pool& pool) noexcept {
  sync::Backoff backoff;
  const auto give_up = std::chrono::steady_clock::now() + kShrinkPatience;
  while (!pool.advance(true)) {
    if (!pool.writable().ok() || std::chrono::steady_clock::now() >= give_up) return false;
    backoff.wait(&pool);
  }
  return true;
}

/// What the pool keeps when the free chunks at the end of its last zone are gone. Their words in the chunk table stay:
/// they say "free", and so they may where the last chunk that stays needs the line.
struct Cut {
  uint64_t new_bytes = 0;
  bool drops_zone = false;  ///< nothing of the last zone is left
};

Cut cut_of(const Layout& layout, uint64_t free_tail) {
  const uint64_t last = layout.zone_count() - 1;
  const uint64_t kept = layout.chunks_in(last) - free_tail;
  if (last != 0 && kept == 0) {
    const Zone before = layout.zone(last - 1);
    return {layout.chunk_off(before.chunk_frame + layout.chunks_in(last - 1)), true};
  }
  return {layout.chunk_off(layout.zone(last).chunk_frame + kept), false};
}

Status publish_cut(Pool& pool, const Cut& cut) {
  Layout& layout = pool.growing_layout();
  const ZoneWordRef zone = zone_word_ref(layout.zone_count() - 1);
  const std::array lines{kRootsLines[0], kRootsLines[1], zone.line_off};
  const size_t count = cut.drops_zone ? 3 : 2;
  Commit commit(pool);
  NACRE_TRY(commit.begin());
  NACRE_TRY(commit.lock(std::span(lines).first(count), count, count));
  for (uint64_t line : kRootsLines)
    if (line == kRootsLines[0] || !broken(site::kShrinkOneCopy)) commit.set_word(line, kPoolBytesWord, cut.new_bytes);
  if (cut.drops_zone && !broken(site::kShrinkKeepsZone)) commit.set_word(zone.line_off, zone.word, 0);
  return commit.publish([&] {
    layout.set_pool_bytes(cut.new_bytes);
    if (cut.drops_zone) layout.drop_last_zone();
    pool.heap().tail_cut();
  });
}

/// Slabs of which nothing is allocated become free chunks.
Status free_empty_slabs(Pool& pool) {
  uint64_t freed;
  Commit commit(pool);
  NACRE_TRY(commit.begin());
  return commit.free_empty_slabs(0, freed);
}

/// No lane flushes a line that is no longer mapped.
void forget_lines(Pool& pool, uint64_t end_off) noexcept {
  for (auto& lane : pool.lanes()) {
    Pool::take(*lane);
    for (auto& lines : lane->half_lines) lines.forget_from(end_off);
    pool.release_lane(*lane);
  }
}

}  // namespace

// The free chunks at the end of the last zone; `cut` is false if there are none.
Status Growth::cut_tail(bool& cut) {
  Heap& heap = pool_.heap();
  const Layout& layout = pool_.layout();
  NACRE_ASSIGN(uint32_t chunks, heap.free_tail());
  if (layout.zone_count() == 1) {
    const uint64_t spare = layout.chunks_in(0) - std::min(layout.chunks_in(0), kKeepChunks);
    chunks = std::min(chunks, static_cast<uint32_t>(spare));
  }
  cut = heap.take_tail(chunks);
  if (!cut) return Code::ok;
  struct GiveBack {
    Pool& pool;
    uint32_t chunks;
    ~GiveBack() {
      if (chunks != 0 && pool.writable().ok()) pool.heap().give_tail(chunks);  // else the next open knows what happened
    }
  } taken{pool_, chunks};
  if (!broken(site::kShrinkUnretired) && !retire(pool_)) {
    NACRE_TRY(pool_.writable());
    return Status::error(Code::locked, "shrink: an operation that began before is still running; try again when it has "
                         "ended");
  }
  NACRE_TRY(publish_cut(pool_, cut_of(layout, chunks)));
  if (!broken(site::kShrinkTailBack)) taken.chunks = 0;
  return Code::ok;
}

Status Growth::cut_tails(bool& any) {
  for (bool cut = true; cut; any |= cut) NACRE_TRY(cut_tail(cut));
  return Code::ok;
}

Status Growth::shrink() {
  const sync::Guard guard(mutex_);
  NACRE_TRY(pool_.writable());
  pool_.reclaim();  // what was freed lately counts as empty
  NACRE_TRY(free_empty_slabs(pool_));
  bool any = false;
  const Status s = cut_tails(any);
  if (!any || !pool_.writable().ok()) return s;
  const uint64_t new_bytes = pool_.layout().pool_bytes();
  if (!broken(site::kShrinkKeepsLines)) forget_lines(pool_, new_bytes);
  if (broken(site::kShrinkFileFirst)) NACRE_TRY(pool_.domain().shrink(new_bytes));
  for (uint64_t line : kRootsLines) pool_.domain().flush(line, kLineBytes, site::kShrinkRootsFlush);
  pool_.domain().fence(site::kShrinkRootsFence);
  NACRE_TRY(pool_.domain().health());
  prefaulted_off_.store(0, std::memory_order_relaxed);
  refused_.store(false, std::memory_order_relaxed);
  shrinks_.fetch_add(1, std::memory_order_relaxed);
  const Status shorter = pool_.domain().shrink(new_bytes);
  if (!shorter.ok() && shorter.code() != Code::not_supported) return shorter;  // the next open of a writer tries again
  return s;
}

}  // namespace nacre::alloc
