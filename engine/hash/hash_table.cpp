#include "engine/hash/hash_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>

#include "engine/hash/segment_split.h"
#include "engine/historic_mutants.h"
#include "engine/mutants.h"
#include "engine/record.h"
#include "engine/sites.h"
#include "engine/write_record.h"

namespace nacre::engine::hash {
namespace {

constexpr uint64_t kPrefetchLines = 2;  // a record of 12 + 16 + 100 bytes

/// Which words of a line, as bits.
struct SlotMask {
  uint32_t zero = 0;      // never used since the line was last without a zero word
  uint32_t matching = 0;  // live, with the wanted tag and displacement
};

inline SlotMask look_at(const LineView& line, uint64_t want) noexcept {
  SlotMask m;
#pragma GCC unroll 7
  for (uint32_t w = 0; w < alloc::kLineWords; ++w) {
    const uint64_t slot = line.words[w];
    m.zero |= static_cast<uint32_t>(slot == 0) << w;
    // In one comparison: the wanted head, and an offset that is not 0 (the smallest such difference is 1).
    m.matching |= static_cast<uint32_t>((slot ^ want) - 1 < kOffMask) << w;
  }
  return m;
}

uint32_t free_slots(const LineView& line) noexcept {
  uint32_t mask = 0;
  for (uint32_t w = 0; w < alloc::kLineWords; ++w) mask |= static_cast<uint32_t>(!slot_live(line.words[w])) << w;
  return mask;
}

}  // namespace

HashTree::HashTree(alloc::Pool& pool, const Shape& shape, uint16_t table_id, uint64_t root_line_off, uint32_t root_word)
    : pool_(pool),
      shape_(shape),
      table_id_(table_id),
      seed_(pool.identity_lo() ^ (pool.identity_hi() + table_id * 0x9e3779b97f4a7c15u)),
      directory_(pool, shape, root_line_off, root_word),
      counter_count_(pool.layout().geometry.lane_count),
      counters_(std::make_unique<Counter[]>(counter_count_)) {}

HashTree::~HashTree() { delete spare_scratch_.load(std::memory_order_relaxed); }

// Source of the hash: XXH3 64, seeded (xxHash specification 0.1.1), so that keys cannot be chosen to collide.
KeyHash HashTree::hash_key(std::string_view key) const noexcept {
  const uint64_t bits = XXH3_64bits_withSeed(key.data(), key.size(), seed_);
  KeyHash h;
  h.bits = bits;
  h.tag = (bits << shape_.tag_skip >> (64 - kTagBits)) << kOffBits;
  h.home = static_cast<uint32_t>((bits & 0xffffffff) * shape_.home_lines() >> 32);
  return h;
}

uint64_t HashTree::probe_line_off(uint64_t segment_off, uint32_t home, uint32_t n) const noexcept {
  if (n == 0) return home_line_off(segment_off, home);
  if (n == 1) return home_line_off(segment_off, home + 1 == shape_.home_lines() ? 0 : home + 1);
  return segment_off + (1 + shape_.home_lines() + n - 2) * kLineBytes;
}

Status HashTree::match_record(uint64_t slot, std::string_view key, bool& matches, RecordView& view) const noexcept {
  const uint64_t off = slot_off(slot);
  matches = false;
  if (!view_record(pool_, off, view)) return damaged_record(off);
  if (view.key == key || broken(site::kHashGetByTag)) {
    matches = true;
    return Code::ok;
  }
  if (record_intact(pool_, off, view) || broken(site::kReadKeyUnchecked)) return Code::ok;
  return damaged_record(off);  // a damaged key looks like another key
}

Status HashTree::is_record_of(uint64_t slot, std::string_view key, bool& matches) const noexcept {
  RecordView view;
  return match_record(slot, key, matches, view);
}

// What an operation will need next, asked for while it does something else.
inline void HashTree::prefetch_home(const KeyHash& hash) const noexcept {
  if (const uint64_t entry = directory_.peek(hash.bits); entry != 0)
    __builtin_prefetch(pool_.line(home_line_off(entry_off(entry), hash.home)));
}

void HashTree::prefetch_record(uint64_t slot) const noexcept {
  const auto* p = pool_.at<const std::byte>(slot_off(slot));
  for (uint64_t i = 0; i < kPrefetchLines; ++i) __builtin_prefetch(p + i * kLineBytes);
}

// The key of a record, and what freeing it touches.
inline void HashTree::prefetch_to_replace(uint64_t slot) const noexcept {
  __builtin_prefetch(pool_.at<const std::byte>(slot_off(slot)));
  pool_.heap().prefetch_unit(slot_off(slot));
}

// The record that a writer is going to compare, and to free, as soon as its key's line is there. plan() says so again,
// and by then for sure; but between here and there are more stores than a core holds back while a fence is on its way.
inline void HashTree::prefetch_match(const KeyHash& hash) const noexcept {
  const uint64_t entry = directory_.peek(hash.bits);
  if (entry == 0) return;
  const alloc::GuardedLine* line = pool_.line(home_line_off(entry_off(entry), hash.home));
#pragma GCC unroll 7
  for (uint32_t w = 0; w < alloc::kLineWords; ++w)
    if (const uint64_t slot = sync::load_relaxed(&line->words[w]); (slot ^ hash.tag) - 1 < kOffMask)
      return prefetch_to_replace(slot);
}

// ---- reading ----

Status HashTree::get(std::string_view key, ValueFn fn) {
  if (key.size() > kMaxKeyBytes) return Code::not_found;
  const KeyHash hash = hash_key(key);
  uint64_t entry;
  NACRE_TRY(directory_.find(hash.bits, entry));
  if (broken(site::kPinLate)) {
    pool_.epochs().unpin();
    NACRE_TRY(pool_.epochs().pin());
  }
  const uint64_t segment_off = entry_off(entry);
  for (uint32_t n = 0; n < probe_count(); ++n) {
    const uint64_t line_off = probe_line_off(segment_off, hash.home, n);
    LineView line;
    NACRE_TRY(read_line(pool_, line_off, line));  // both a hit and a miss count only in a line that passed its check
    const SlotMask mask = look_at(line, hash.tag | (n == 0 ? 0 : kDisplaced));
    for (uint32_t left = mask.matching; left != 0; left &= left - 1) {
      const uint64_t slot = line.words[std::countr_zero(left)];
      prefetch_record(slot);
      bool matches;
      RecordView view;
      NACRE_TRY(match_record(slot, key, matches, view));
      if (!matches) continue;
      if (!record_intact(pool_, slot_off(slot), view) && !broken(site::kReadRecordUnchecked))
        return damaged_record(slot_off(slot));
      fn(view.value);
      return Code::ok;
    }
    if (mask.zero != 0 || broken(site::kHashGetHomeOnly)) break;
  }
  return Code::not_found;
}

Status HashTree::scan_segment(uint64_t& position, PairFn fn) {
  uint64_t entry;
  NACRE_TRY(directory_.find(position, entry));
  const uint64_t segment_off = entry_off(entry);
  for (uint32_t l = 1; l < shape_.segment_lines; ++l) {
    LineView line;
    NACRE_TRY(read_line(pool_, segment_off + l * kLineBytes, line));
    for (uint64_t slot : line.words) {
      if (!slot_live(slot)) continue;
      RecordView view;
      if (!view_record(pool_, slot_off(slot), view)) return damaged_record(slot_off(slot));
      if (!record_intact(pool_, slot_off(slot), view) && !broken(site::kScanRecordUnchecked))
        return damaged_record(slot_off(slot));
      if (!fn(view.key, view.value)) return Code::stopped;
    }
  }
  const uint32_t depth = entry_depth(entry);
  position = depth == 0 ? 0 : ((position >> (64 - depth)) + 1) << (64 - depth);
  return Code::ok;
}

// ---- writing ----

Status HashTree::plan(std::string_view key, const KeyHash& hash, Match match, Plan& out) {
  uint64_t entry;
  NACRE_TRY(directory_.find(hash.bits, entry));
  out.segment_off = entry_off(entry);
  out.home_off = home_line_off(out.segment_off, hash.home);
  out.found = false;
  out.slot_line_off = 0;
  out.looked_count = 0;
  for (uint32_t n = 0; n < probe_count(); ++n) {
    const uint64_t line_off = probe_line_off(out.segment_off, hash.home, n);
    LineView line;
    NACRE_TRY(read_line(pool_, line_off, line));
    out.looked_off[out.looked_count] = line_off;
    out.looked_guard[out.looked_count++] = line.guard;
    const SlotMask mask = look_at(line, hash.tag | (n == 0 ? 0 : kDisplaced));
    for (uint32_t left = mask.matching; left != 0; left &= left - 1) {
      const auto w = static_cast<uint32_t>(std::countr_zero(left));
      prefetch_to_replace(line.words[w]);
      if (match == Match::by_key) {
        bool matches;
        NACRE_TRY(is_record_of(line.words[w], key, matches));
        if (!matches) continue;
      }
      out.found = true;
      out.slot_line_off = line_off;
      out.slot_word = w;
      out.slot = line.words[w];
      out.slot_displaced = n != 0;
      out.line_has_zero = mask.zero != 0;
      return Code::ok;
    }
    const uint32_t free = out.slot_line_off == 0 ? free_slots(line) : 0;
    if (free != 0) {
      out.slot_line_off = line_off;
      out.slot_word = static_cast<uint32_t>(std::countr_zero(free));
      out.slot_displaced = n != 0 && !broken(site::kHashUnmarked);
    }
    if (mask.zero != 0 || (free != 0 && broken(site::kHashStopsAtFree))) break;
  }
  return Code::ok;
}

// Under the locks: nothing that the plan relied on has changed.
bool HashTree::still_valid(const KeyHash& hash, const Plan& plan) noexcept {
  if (broken(site::kPlanUnchecked)) return true;
  uint64_t entry;
  if (!directory_.find(hash.bits, entry).ok() || entry_off(entry) != plan.segment_off) return false;
  for (uint32_t i = 0; i < plan.looked_count; ++i)
    if ((sync::load_acquire(&pool_.line(plan.looked_off[i])->guard) & ~alloc::kBusyBit) != plan.looked_guard[i])
      return false;
  return true;
}

// Locks what the plan is about, and frees what it replaces. `held` is false if something had changed, or if a tag stood
// for another key: then nothing is locked, and the caller plans anew (with `match`, which may have become stricter). A
// key is compared under the locks: taking them would otherwise wait until the old record has come from memory.
Status HashTree::lock_plan(alloc::Commit& commit, std::string_view key, const KeyHash& hash, Match& match,
                           const Plan& p, bool& held) {
  if (p.found && !broken(site::kHashOldKept)) NACRE_TRY(commit.free(slot_off(p.slot), alloc::UnitUse::record));
  const uint64_t lines[] = {broken(site::kKeyUnlocked) ? p.slot_line_off : p.home_off, p.slot_line_off};
  NACRE_TRY(commit.lock(lines, 1, 1));
  held = still_valid(hash, p);
  if (held && p.found && match == Match::by_tag) {
    RecordView view;  // another key, or damage: without the locks the plan by key looks at it closely
    held = view_record(pool_, slot_off(p.slot), view) && (view.key == key || broken(site::kHashTagIsKey));
    if (!held) match = Match::by_key;
  }
  if (held)
    commit.lines_are_verified();
  else
    commit.unlock();
  return Code::ok;
}

Status HashTree::put(std::string_view key, std::string_view value) {
  if (key.size() > kMaxKeyBytes)
    return Status::error(Code::too_large, "put: the key has %zu bytes, at most %llu are possible", key.size(),
                         static_cast<unsigned long long>(kMaxKeyBytes));
  if (value.size() > kMaxValueBytes)  // before the sum, which would wrap
    return Status::error(Code::too_large, "put: the value has %zu bytes, at most %llu are possible", value.size(),
                         static_cast<unsigned long long>(kMaxValueBytes));
  const uint64_t bytes = record_bytes(key.size(), value.size());
  const KeyHash hash = hash_key(key);
  prefetch_home(hash);
  sync::Backoff backoff;
  for (;;) {
    uint64_t full_segment;
    {
      alloc::Commit commit(pool_);
      NACRE_TRY(commit.pin());
      if (closed()) return Code::stopped;
      prefetch_match(hash);
      // The record that may be replaced comes from memory while the lane is waited for and the new one is stored.
      Plan p;
      Match match = Match::by_tag;
      NACRE_TRY(plan(key, hash, match, p));
      NACRE_TRY(commit.begin());
      // Again: who closes the tree waits for lanes, not for pins.
      if (!broken(site::kClosedOnce) && closed()) return Code::stopped;
      uint64_t off = 0;
      if (p.slot_line_off != 0) {
        NACRE_TRY(commit.allocate(bytes, alloc::UnitUse::record, off));
        if (commit.pin_breaks() != 0) [[unlikely]] {  // to reclaim space it let go of lane and pin for a moment
          if (closed()) return Code::stopped;
          NACRE_TRY(plan(key, hash, match, p));
        }
      }
      if (p.slot_line_off != 0) {
        write_record(commit, pool_, off, table_id_, key, value, site::kRecordFlush);  // 1. invisible, 2. on its way
        commit.finish_fresh();
      }
      while (p.slot_line_off != 0) {
        bool held;
        NACRE_TRY(lock_plan(commit, key, hash, match, p, held));
        if (!held) {
          NACRE_TRY(plan(key, hash, match, p));
          continue;
        }
        const uint64_t slot = (p.slot_displaced ? kDisplaced : 0) | hash.tag | off / alloc::kUnitAlign;
        if (p.found && broken(site::kOverwriteNotLogged))
          overwrite_in_place(p, slot);
        else
          commit.set_word(p.slot_line_off, p.slot_word, slot);
        if (broken(site::kStoredAfterLink)) return publish_then_store(commit, off, bytes);
        // 3. durable, then visible. Counted while the lane is held: recount() must see both or neither.
        return commit.publish([&] {
          if (!p.found && !broken(site::kHashUncounted)) add_count(commit.lane(), 1);
        });
      }
      full_segment = p.segment_off;
    }
    NACRE_TRY(make_room(hash, full_segment));
    // Somebody else may have made it and be about to tell the flat directory: until then this would go round and round.
    if (!broken(site::kFullSpins) && entry_off(directory_.peek(hash.bits)) == full_segment) backoff.wait(&directory_);
  }
}

Status HashTree::remove(std::string_view key) {
  if (key.size() > kMaxKeyBytes) return Code::not_found;  // put refuses it; the bytes are not even looked at
  const KeyHash hash = hash_key(key);
  prefetch_home(hash);
  alloc::Commit commit(pool_);
  NACRE_TRY(commit.pin());
  if (closed()) return Code::stopped;
  prefetch_match(hash);
  Plan p;
  Match match = Match::by_tag;
  NACRE_TRY(plan(key, hash, match, p));
  if (!p.found) return Code::not_found;
  NACRE_TRY(commit.begin());
  if (!broken(site::kClosedOnce) && closed()) return Code::stopped;
  for (bool held = false; !held;) {
    NACRE_TRY(lock_plan(commit, key, hash, match, p, held));
    if (held) break;
    NACRE_TRY(plan(key, hash, match, p));
    if (!p.found) return Code::not_found;
  }
  // A line without another zero word may have been full once: keys may be displaced from it.
  commit.set_word(p.slot_line_off, p.slot_word, p.line_has_zero || broken(site::kHashNoTombstone) ? 0 : kTombstone);
  return commit.publish([&] { add_count(commit.lane(), -1); });
}

Status HashTree::make_room(const KeyHash& hash, uint64_t segment_off) {
  std::unique_ptr<SplitScratch> scratch(spare_scratch_.exchange(nullptr, std::memory_order_acquire));
  if (scratch == nullptr) scratch = std::make_unique<SplitScratch>();
  const Status s = SegmentSplit(*this, *scratch, hash.bits, segment_off).run();
  scratch.reset(spare_scratch_.exchange(scratch.release(), std::memory_order_acq_rel));
  return s;
}

// ---- a new table ----

void HashTree::write_empty_segment(alloc::Commit& commit, alloc::Pool& pool, const Shape& shape, uint16_t table_id,
                                   uint64_t off) {
  std::vector<ImageLine> lines;
  SegmentImage(pool, shape, table_id, off, 0, 0, lines).write(commit);
}

// ---- counting ----

void HashTree::add_count(const alloc::Lane& lane, int64_t n) noexcept {
  std::atomic<int64_t>& value = counters_[lane.number].value;
  value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

uint64_t HashTree::delta_count() const noexcept {
  int64_t sum = 0;
  for (uint32_t i = 0; i < counter_count_; ++i) sum += counters_[i].value.load(std::memory_order_relaxed);
  return static_cast<uint64_t>(sum);
}

bool HashTree::known_count(uint64_t& count) const noexcept {
  if (!base_known_.load(std::memory_order_acquire)) return false;
  count = base_count_.load(std::memory_order_relaxed) + delta_count();
  return true;
}

void HashTree::set_base_count(uint64_t base) noexcept {
  base_count_.store(base, std::memory_order_relaxed);
  base_known_.store(true, std::memory_order_release);
}

Result<uint64_t> HashTree::count() {
  uint64_t count = 0;
  if (known_count(count)) return count;
  sync::Guard guard(recount_mutex_);
  if (!known_count(count)) NACRE_TRY(recount());
  known_count(count);
  return count;
}

// After a crash the stored count is worth nothing. Writers wait meanwhile, so that the sum is exact for good.
Status HashTree::recount() {
  alloc::WriterStop stop(pool_);
  if (closed()) return Code::stopped;  // being cleared: its directory leads nowhere any more
  alloc::Pin pin(pool_.epochs());
  NACRE_TRY(pin.status());
  uint64_t live = 0, position = 0;
  do {
    uint64_t entry;
    NACRE_TRY(directory_.find(position, entry));
    for (uint32_t l = 1; l < shape_.segment_lines; ++l) {
      LineView line;
      NACRE_TRY(read_line(pool_, entry_off(entry) + l * kLineBytes, line));
      for (uint64_t slot : line.words) live += slot_live(slot);
    }
    const uint32_t depth = entry_depth(entry);
    position = depth == 0 ? 0 : ((position >> (64 - depth)) + 1) << (64 - depth);
  } while (position != 0);
  set_base_count(live - delta_count());
  return Code::ok;
}

}  // namespace nacre::engine::hash
