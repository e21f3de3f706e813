// Shrinking: empty chunks at the end of a pool go back to the medium, while everybody goes on working.
//
//   1 take the chunks       in DRAM: nobody gets a unit of them any more
//   2 retire advance        no log record names a line in them: recovery would not find the line
//   3 one commit            pool_bytes, and the words of zones that are gone; Layout and Heap before its lines are unlocked
//   4 forget their lines    which lanes meant to flush
//   5 the roots lines home  an open refuses a file that is shorter than a roots line says, before it recovers
//   6 Domain::shrink        the file is shorter
//
// A crash before 3 leaves the pool as it was, later ones a shorter pool in a file whose tail the next writer cuts off.
#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "alloc/commit.h"
#include "alloc/grow.h"
#include "alloc/pool.h"
#include "alloc/sites.h"
#include "alloc/zone.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kKeepChunks = 4;                     // as many as a pool is made with at least
constexpr std::chrono::milliseconds kShrinkPatience{100};  // for operations that pin an older epoch

/// Until now every lane's records are home and dismissed. False if an operation of an older epoch does not end.
bool retire(Pool& pool) noexcept {
  sync::Backoff backoff;
  const auto give_up = std::chrono::steady_clock::now() + kShrinkPatience;
  while (!pool.advance(true)) {
    if (std::chrono::steady_clock::now() >= give_up) return false;
    backoff.wait(&pool);
  }
  return true;
}

struct WordChange {
  uint64_t line_off;
  uint32_t word;
  uint64_t value;
};

/// What the pool keeps when the free chunks at the end of its last zone are gone.
struct Cut {
  uint64_t new_bytes = 0;
  uint64_t kept_in_last = 0;  ///< chunks of the last zone
  bool drops_zone = false;    ///< nothing of it is left
};

Cut cut_of(const Layout& layout, uint64_t free_tail) {
  const uint64_t last = layout.zone_count() - 1;
  const uint64_t kept = layout.chunks_in(last) - free_tail;
  if (last != 0 && kept == 0) {
    const Zone before = layout.zone(last - 1);
    return {layout.chunk_off(before.chunk_frame + layout.chunks_in(last - 1)), 0, true};
  }
  return {layout.chunk_off(layout.zone(last).chunk_frame + kept), kept, false};
}

/// The size in both copies of the roots; and zero for a zone that is gone, or for the chunks that are gone in the line of
/// the chunk table which the last chunk that stays needs.
std::vector<WordChange> changes_of(const Layout& layout, const Cut& cut) {
  std::vector<WordChange> changes;
  for (uint64_t line : kRootsLines) changes.push_back({line, kPoolBytesWord, cut.new_bytes});
  const uint64_t last = layout.zone_count() - 1;
  if (cut.drops_zone) {
    changes.push_back({zone_word_ref(last).line_off, zone_word_ref(last).word, 0});
    return changes;
  }
  const Zone zone = layout.zone(last);
  for (uint64_t i = cut.kept_in_last; i < zone.capacity && i % kLineWords != 0; ++i)
    changes.push_back({layout.place_in(zone, i).line_off, layout.place_in(zone, i).word, 0});
  return changes;
}

Status publish_cut(Pool& pool, const Cut& cut) {
  Layout& layout = pool.growing_layout();
  const std::vector<WordChange> changes = changes_of(layout, cut);
  std::vector<uint64_t> lines;
  for (const WordChange& c : changes)
    if (lines.empty() || lines.back() != c.line_off) lines.push_back(c.line_off);
  Commit commit(pool);
  NACRE_TRY(commit.begin());
  NACRE_TRY(commit.lock(lines, lines.size(), changes.size()));
  for (const WordChange& c : changes) commit.set_word(c.line_off, c.word, c.value);
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
    sync::Backoff backoff;
    while (lane->held.exchange(1, std::memory_order_acquire) != 0) backoff.wait(lane.get());
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
  if (!retire(pool_))
    return Status::error(Code::locked, "shrink: an operation that began before is still running; try again when it has "
                         "ended");
  NACRE_TRY(publish_cut(pool_, cut_of(layout, chunks)));
  taken.chunks = 0;
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
  forget_lines(pool_, new_bytes);
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
