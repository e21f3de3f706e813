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

/// The size in both copies of the roots; zero for each zone that is gone, and for the chunks that are gone in the line
/// of the chunk table which the last chunk that stays needs.
std::vector<WordChange> changes_of(const Layout& layout, const Heap::Tail& tail, uint64_t new_bytes) {
  std::vector<WordChange> changes;
  for (uint64_t line : kRootsLines) changes.push_back({line, kPoolBytesWord, new_bytes});
  for (uint64_t z = tail.zone_count(); z < layout.zone_count(); ++z)
    changes.push_back({zone_word_ref(z).line_off, zone_word_ref(z).word, 0});
  const Zone last = layout.zone(tail.zone_count() - 1);
  for (uint64_t i = tail.chunks_in_last(); i < last.capacity && i % kLineWords != 0; ++i)
    changes.push_back({layout.place_in(last, i).line_off, layout.place_in(last, i).word, 0});
  return changes;
}

Status publish_size(Pool& pool, Heap::Tail& tail, uint64_t new_bytes) {
  Layout& layout = pool.growing_layout();
  const std::vector<WordChange> changes = changes_of(layout, tail, new_bytes);
  std::vector<uint64_t> lines;
  for (const WordChange& c : changes)
    if (lines.empty() || lines.back() != c.line_off) lines.push_back(c.line_off);
  const uint64_t gone = layout.zone_count() - tail.zone_count();
  Commit commit(pool);
  NACRE_TRY(commit.begin());
  NACRE_TRY(commit.lock(lines, lines.size(), changes.size()));
  for (const WordChange& c : changes) commit.set_word(c.line_off, c.word, c.value);
  return commit.publish([&] {
    layout.set_pool_bytes(new_bytes);
    for (uint64_t i = 0; i < gone; ++i) layout.drop_last_zone();
    pool.heap().drop(tail);
  });
}

/// No lane flushes a line that is no longer mapped.
void forget_lines(Pool& pool, uint64_t end_off) noexcept {
  for (auto& lane : pool.lanes()) {
    sync::Backoff backoff;
    while (lane->held.exchange(1, std::memory_order_acquire) != 0) backoff.wait(lane.get());
    for (auto& lines : lane->half_lines) std::erase_if(lines, [&](uint64_t off) { return off >= end_off; });
    pool.release_lane(*lane);
  }
}

}  // namespace

Status Growth::shrink() {
  const sync::Guard guard(mutex_);
  NACRE_TRY(pool_.writable());
  pool_.reclaim();  // what was freed lately counts as empty
  Heap::Tail tail(pool_.heap());
  NACRE_TRY(tail.take(kKeepChunks));
  const Layout& layout = pool_.layout();
  const uint64_t new_bytes =
      layout.chunk_off(layout.zone(tail.zone_count() - 1).chunk_frame + tail.chunks_in_last());
  if (new_bytes >= layout.pool_bytes()) return Code::ok;
  if (!retire(pool_))
    return Status::error(Code::locked, "shrink: an operation that began before is still running; try again when it has "
                         "ended");
  if (const Status s = publish_size(pool_, tail, new_bytes); !s.ok()) {
    if (!pool_.writable().ok()) tail.forget();  // whether it happened is known at the next open
    return s;
  }
  forget_lines(pool_, new_bytes);
  for (uint64_t line : kRootsLines) pool_.domain().flush(line, kLineBytes, site::kShrinkRootsFlush);
  pool_.domain().fence(site::kShrinkRootsFence);
  NACRE_TRY(pool_.domain().health());
  prefaulted_off_.store(0, std::memory_order_relaxed);
  refused_.store(false, std::memory_order_relaxed);
  shrinks_.fetch_add(1, std::memory_order_relaxed);
  const Status cut = pool_.domain().shrink(new_bytes);
  return cut.code() == Code::not_supported ? Status() : cut;  // the next open of a writer tries again
}

}  // namespace nacre::alloc
