#include "alloc/commit.h"

#include <algorithm>
#include <utility>

#include "alloc/heap_layout.h"
#include "alloc/historic_mutants.h"
#include "alloc/mutants.h"
#include "alloc/sites.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kSeqReserve = 1u << 20;   // seqs below the end at which commits are refused
constexpr uint64_t kRetireLimboUnits = 16;   // units of line memory waiting before a retire advance is due

constexpr std::ptrdiff_t kFewUnsorted = 8;
constexpr uint64_t kFlushAtOnceBytes = 4096; // fresh ranges from here on are written back while the commit goes on

/// The many lines of a segment come in order but for a few.
[[gnu::noinline]] void sort_unique(ReservedVector<uint32_t>& v) noexcept {
  if (uint32_t* sorted = std::is_sorted_until(v.begin(), v.end()); v.end() - sorted <= kFewUnsorted)
    for (; sorted != v.end(); ++sorted) std::rotate(std::upper_bound(v.begin(), sorted, *sorted), sorted, sorted + 1);
  else
    std::sort(v.begin(), v.end());
  v.truncate(static_cast<size_t>(std::unique(v.begin(), v.end()) - v.begin()));
}

/// The stripes of `count` lines, ascending, each once. Most commits have one or two: these are put in order before they
/// are stored, for a load of both at once would wait until the two stores have left the core.
template <class LineOff>
inline void collect_stripes(const LineLocks& locks, size_t count, LineOff&& line_off, ReservedVector<uint32_t>& out) {
  out.clear();
  if (count == 0) return;
  const uint32_t a = locks.stripe_of(line_off(0));
  if (count == 1) return out.push(a);
  const uint32_t b = locks.stripe_of(line_off(1));
  if (count == 2) [[likely]] {
    const bool as_named = broken(site::kLocksUnordered);
    out.push(as_named ? a : std::min(a, b));
    if (a != b) out.push(as_named ? b : std::max(a, b));
    return;
  }
  for (size_t i = 0; i < count; ++i) out.push(locks.stripe_of(line_off(i)));
  sort_unique(out);
}

}  // namespace

Commit::~Commit() {
  if (lane_ != nullptr) {
    give_back();
    release();
  } else if (pinned_) {
    unpin();
  }
}

// ---- step 0: pin, lane, units ----

Status Commit::begun_twice() noexcept { return Status::error(Code::internal, "commit: begun twice"); }

Status Commit::begin() {
  if (!pinned_ || lane_ != nullptr) NACRE_TRY(pin());
  take_lane();
  if (!lane_->ready) [[unlikely]]
    lane_->make_ready();
  if (lane_->last_seq > kSeqMask - kSeqReserve) {
    release();
    return Status::error(Code::limit, "commit: the pool's 48-bit sequence numbers are used up; dump it and load the "
                         "dump into a new pool");
  }
  strict_ = pool_.form() == CommitForm::strict;
  fresh_fenced_ = false;
  min_seq_ = 0;
  ticket_ = {};
  return Code::ok;
}

void Commit::take_lane() noexcept {
  lane_ = &pool_.acquire_lane();
  lane_->record.clear();
  lane_->bits.clear();
  lane_->allocated.clear();
  lane_->freed.clear();
  lane_->index_stripes.clear();
  lane_->slab_stripes.clear();
  if (lane_->pending_half >= 0 && lane_->pending_thread != thread_serial())
    flush_half(static_cast<uint32_t>(lane_->pending_half));  // another thread's flush: only its own fence would count
  pool_.drain_limbo(*lane_);
}

// ---- step 1: fresh bytes ----

// Short ranges of the one-fence form are written back together with the log record, right before the fence: any locked
// instruction after a write-back (taking a lock, say) waits for it as long as a fence does.
void Commit::flush_fresh(uint64_t off, uint64_t bytes, uint32_t crc, const pmem::Site& site) {
  const bool later = !strict_ && bytes < kFlushAtOnceBytes;
  note_fresh(off, bytes, crc);
  if (later)
    lane_->record.fresh.back().unflushed = &site;
  else
    pool_.domain().flush(off, bytes, site);
}

void Commit::note_fresh(uint64_t off, uint64_t bytes, uint32_t crc) {
  if (bytes > kMaxProvenBytes) strict_ = true;
  lane_->record.fresh.push_back({off, bytes, crc});
}

void Commit::flush_fresh_lines(uint64_t off, uint64_t bytes, const pmem::Site& site) {
  strict_ |= !broken(site::kCommitLinesNotStrict);
  lane_->record.fresh.push_back({off, bytes, 0, nullptr});
  pool_.domain().flush(off, bytes, site);
}

inline void Commit::flush_owed() noexcept {
  for (FreshRange& f : lane_->record.fresh) {
    if (broken(site::kCommitOwedFirst) && &f != &lane_->record.fresh[0]) break;
    if (const pmem::Site* site = std::exchange(f.unflushed, nullptr)) pool_.domain().flush(f.off, f.bytes, *site);
  }
}

uint64_t Commit::fresh_seq(uint64_t off) const noexcept {
  uint64_t seq = lane_->last_seq;
  for (const UnitRef& unit : lane_->allocated)
    if (!unit.is_extent() && unit.off() == off) {
      const uint64_t line_off = Heap::bit_of(unit).line_off;
      seq = std::max(seq, guard_seq(sync::load_acquire(&pool_.line(line_off)->guard)));
    }
  return seq + 1;
}

void Commit::finish_fresh() noexcept {
  if (!strict_ || fresh_fenced_ || lane_->record.fresh.empty()) return;
  if (!broken(site::kCommitOwedAtStrict)) flush_owed();  // what was noted before the commit became strict
  pool_.domain().fence(site::kFreshFence);
  fence_passed();
  fresh_fenced_ = true;
}

Status Commit::free(uint64_t off, UnitUse use) {
  lane_->freed.reserve(lane_->freed.size() + 1);
  Lane::Freed& freed = lane_->freed.next();  // filled in place: a copy would wait for all stores before it
  NACRE_TRY(pool_.heap().locate_to_free(off, freed.unit));
  freed.lines = use == UnitUse::lines;
  if (!freed.unit.is_extent()) __builtin_prefetch(pool_.line(Heap::bit_of(freed.unit).line_off));
  if constexpr (pmem::kMutants)
    if (broken(site::kFreedThenUnlinked)) return free_by_itself(freed);
  lane_->freed.push_next();
  return Code::ok;
}

// ---- step 2: locks ----

// The bits of the units this commit allocates and frees, in the order of their lines.
inline void Commit::collect_bits() noexcept {
  Lane& lane = *lane_;
  lane.bits.clear();
  bool extents = false;
  const auto add = [&](const UnitRef& unit, bool set) {
    if (unit.is_extent()) [[unlikely]]
      extents = true;
    else
      lane.bits.push({Heap::bit_of(unit), set});
  };
  for (const UnitRef& unit : lane.allocated) add(unit, true);
  for (const Lane::Freed& f : lane.freed) add(f.unit, false);
  lane.words.clear();
  if (extents || own_word_ != nullptr) [[unlikely]]
    collect_chunk_words();
  if (lane.bits.size() < 2 || broken(site::kCommitBitsUnsorted)) return;
  if (lane.bits.size() > 2)
    std::sort(lane.bits.begin(), lane.bits.end());
  else if (lane.bits[1] < lane.bits[0])
    std::swap(lane.bits[0], lane.bits[1]);
}

// The lines with these bits, and those of the chunk table.
inline void Commit::lock_slab_lines() noexcept {
  Lane& lane = *lane_;
  LineLocks& locks = pool_.slab_locks();
  const size_t bits = lane.bits.size();
  const auto line_off = [&](size_t i) { return i < bits ? lane.bits[i].line_off() : lane.words[i - bits].line_off; };
  collect_stripes(locks, bits + lane.words.size(), line_off, lane.slab_stripes);
  for (uint32_t stripe : lane.slab_stripes)
    if (!broken(site::kSlabUnlocked)) locks.lock(stripe);
}

inline void Commit::unlock_slab_lines() noexcept {
  for (uint32_t stripe : lane_->slab_stripes) pool_.slab_locks().unlock(stripe);
  lane_->slab_stripes.clear();
}

inline void Commit::unlock_index_lines() noexcept {
  for (uint32_t stripe : lane_->index_stripes) pool_.index_locks().unlock(stripe);
  lane_->index_stripes.clear();
}

Status Commit::lock(std::span<const uint64_t> line_offs, uint64_t max_lines, uint64_t max_ops) {
  Lane& lane = *lane_;
  if constexpr (pmem::kMutants)
    if (!line_offs.empty() && broken(site::kUnlinkedThenFreed)) hold_frees_back();
  const uint64_t bit_count = lane.allocated.size() + lane.freed.size() + (own_word_ != nullptr ? 1 : 0);
  max_cells_ = max_record_cells(lane.record.fresh.size(), max_lines + bit_count, max_ops + bit_count);
  if (max_cells_ > lane.half_cells || lane.record.fresh.size() > kMaxFreshRanges) [[unlikely]]
    return Status::error(Code::too_large, "commit: its log record could need %llu cells, half a lane has %u",
                         static_cast<unsigned long long>(max_cells_), lane.half_cells);
  // Everything that grows does so here, for from now on nothing may fail.
  lane.reserve_scratch(std::max<uint64_t>(max_lines, line_offs.size()) + bit_count, max_ops + bit_count);
  if (!lane.freed.empty()) {
    lane.limbo_records.reserve(lane.freed.size());
    lane.limbo_lines.reserve(lane.freed.size());
  }
  LineLocks& locks = pool_.index_locks();
  collect_stripes(locks, line_offs.size(), [&](size_t i) { return line_offs[i]; }, lane.index_stripes);
  for (uint32_t stripe : lane.index_stripes) locks.lock(stripe);
  collect_bits();
  lock_slab_lines();
  locked_ = true;
  lane.record.updates.clear();
  lane.record.ops.clear();
  min_seq_ = 0;
  lines_verified_ = false;
  return Code::ok;
}

void Commit::unlock() noexcept {
  if (!locked_) return;
  unlock_index_lines();
  unlock_slab_lines();
  lane_->freed.clear();
  lane_->record.updates.clear();
  lane_->record.ops.clear();
  locked_ = false;
}

void Commit::set_word(uint64_t line_off, uint32_t word, uint64_t value) noexcept {
  auto& updates = lane_->record.updates;
  auto& ops = lane_->record.ops;
  const WordOp op{static_cast<uint8_t>(word), OpKind::set, value};
  if (updates.empty()) [[likely]] {
    updates.push({line_off, 0, 0, 0, 1});
    return ops.push(op);
  }
  if (updates.back().line_off == line_off) {
    ops.push(op);
    ++updates.back().op_count;
    return;
  }
  for (size_t i = 0; i < updates.size(); ++i) {
    if (updates[i].line_off != line_off) continue;
    ops.insert(updates[i].first_op + updates[i].op_count, op);
    ++updates[i].op_count;
    for (size_t k = i + 1; k < updates.size(); ++k) updates[k].first_op += broken(site::kCommitOpsNotMoved) ? 0 : 1;
    return;
  }
  updates.push({line_off, 0, 0, static_cast<uint32_t>(ops.size()), 1});
  ops.push(op);
}

inline void Commit::add_bit_op(BitChange change) noexcept {
  auto& updates = lane_->record.updates;
  auto& ops = lane_->record.ops;
  const OpKind kind = change.sets() ? OpKind::set_bits : OpKind::clear_bits;
  if (updates.size() == index_updates_ || updates.back().line_off != change.line_off()) {
    updates.push({change.line_off(), 0, 0, static_cast<uint32_t>(ops.size()), 1});
  } else if (ops.back().word == change.word() && (ops.back().kind == kind || broken(site::kCommitKindsMerged))) {
    ops.back().operand |= change.mask();
    return;
  } else {
    ++updates.back().op_count;
  }
  ops.push({change.word(), kind, change.mask()});
}

// They become line updates of the commit, under the locks of their lines.
inline Status Commit::add_slab_updates() {
  Lane& lane = *lane_;
  index_updates_ = static_cast<uint32_t>(lane.record.updates.size());
  for (const BitChange change : lane.bits) {
    const uint64_t word = pool_.line(change.line_off())->words[change.word()];
    if (((word & change.mask()) != 0) == change.sets() && !broken(site::kCommitUncheckedBits)) [[unlikely]]
      return wrong_bit(change);
    add_bit_op(change);
  }
  return lane.words.empty() ? Status() : add_chunk_words();
}

Status Commit::wrong_bit(BitChange change) noexcept {
  return Status::error(Code::corruption, "bitmap line at offset %llu: a unit that is to be %s is %s already; run nacre "
                       "check", static_cast<unsigned long long>(change.line_off()),
                       change.sets() ? "allocated" : "freed", change.sets() ? "allocated" : "free");
}

// Better to refuse than to build on damage. (A damaged line could not get a good check again in any case: the new
// check is the old one and the difference that the change makes.)
inline Status Commit::check_lines() const {
  const auto& updates = lane_->record.updates;
  for (size_t i = lines_verified_ ? index_updates_ : 0; i < updates.size(); ++i)
    if (!line_intact(pool_.salt(), updates[i].line_off, *pool_.line(updates[i].line_off)) &&
        !broken(site::kCommitUncheckedLines)) [[unlikely]]
      return Status::error(Code::corruption, "line at offset %llu fails its check and is not changed; run nacre check",
                           static_cast<unsigned long long>(updates[i].line_off));
  return Code::ok;
}

// ---- steps 3 to 5: seq, log record, fence ----

// A Lamport clock: above every line touched, every line freed, and this lane's own past.
inline uint64_t Commit::choose_seq() noexcept {
  uint64_t seq = std::max(min_seq_, broken(site::kCommitSeqLines) ? 0 : lane_->last_seq);
  for (LineUpdate& u : lane_->record.updates) {
    u.prev_seq = guard_seq(sync::load_acquire(&pool_.line(u.line_off)->guard));
    if (!broken(site::kCommitSeqOwn)) seq = std::max(seq, u.prev_seq);
  }
  return seq + 1;
}

// What each line's guard will be; it goes into the log as well.
inline void Commit::compute_guards() noexcept {
  const LogRecord& record = lane_->record;
  for (LineUpdate& u : lane_->record.updates) {
    const GuardedLine* line = pool_.line(u.line_off);
    uint64_t differences[kLineWords] = {};
    for (uint32_t i = 0; i < u.op_count; ++i) {
      const WordOp& op = record.ops[u.first_op + i];
      const uint64_t now = line->words[op.word] ^ differences[op.word];
      differences[op.word] ^= now ^ apply_op(now, op);
    }
    const uint64_t old_check = broken(site::kCommitGuardsAnew)
                                   ? line_check(pool_.salt(), u.line_off, line->words, u.prev_seq)
                                   : line->guard >> kSeqBits & kCheckMask;
    u.guard = (old_check ^ check_change(differences, u.prev_seq ^ record.seq)) << kSeqBits | record.seq;
  }
}

void Commit::flush_half(uint32_t half) noexcept {
  for (uint64_t off : lane_->half_lines[half]) pool_.domain().flush(off, kLineBytes, site::kHomeFlush);
  lane_->pending_half = static_cast<int>(half);
  lane_->pending_thread = thread_serial();
}

inline void Commit::reserve_ring(uint64_t max_cells) noexcept {
  const uint32_t halves = broken(site::kCommitCrossesHalf) ? 2 : lane_->half + 1;
  if (lane_->pos + max_cells > halves * uint64_t{lane_->half_cells}) [[unlikely]]
    change_half();
}

// The other half was left a whole half ago: its lines were flushed then, and the fence of the first commit in this half
// made them durable. (A half that was never used has no lines.)
void Commit::change_half() noexcept {
  Lane& lane = *lane_;
  const uint32_t other = broken(site::kCommitSameHalf) ? lane.half : lane.half ^ 1;
  flush_half(lane.half);
  lane.half_lines[other].clear();
  lane.half = other;
  lane.pos = other * lane.half_cells;
  Lane::bump(lane.wraps, 1);
}

inline void Commit::fence_passed() noexcept {
  if (lane_->pending_half >= 0 && lane_->pending_thread == thread_serial()) lane_->pending_half = -1;
}

inline void Commit::append() noexcept {
  Lane& lane = *lane_;
  const uint64_t off = pool_.layout().cell_off(lane.number, lane.pos);
  encode_record(lane.record, record_seed(pool_.salt(), off), pool_.at<std::byte>(off));
  pool_.domain().flush(off, lane.record.cells * kLineBytes, site::kLogFlush);
  lane.pos += lane.record.cells;
  lane.last_seq = lane.record.seq;
  if (broken(site::kCommitLinesForgotten)) return;
  for (const LineUpdate& u : lane.record.updates) {
    if (&u == &lane.record.updates[0] + index_updates_ && broken(site::kCommitBitsForgotten)) break;
    lane.half_lines[lane.half].add(u.line_off);
  }
}

// All that the lane has to note and that does not depend on the fence comes before it: stores behind it wait in the
// core until the fence is through, and when there are too many of them, so does everything else.
inline void Commit::settle() noexcept {
  Lane& lane = *lane_;
  if (!lane.freed.empty()) into_limbo();
  Lane::bump(lane.commits, 1);
  if (strict_) Lane::bump(lane.strict_commits, 1);
  Lane::bump(lane.cells, lane.record.cells);
}

Status Commit::make_durable() {
  Lane& lane = *lane_;
  if (strict_ && !fresh_fenced_ && !lane.record.fresh.empty()) [[unlikely]]
    return Status::error(Code::internal, "commit: a strict one has fresh bytes that were not fenced");
  Status s = add_slab_updates();
  if (s.ok()) s = check_lines();
  if (!s.ok()) return s;
  reserve_ring(max_cells_);
  lane.record.strict = strict_;
  lane.record.seq = choose_seq();
  compute_guards();
  flush_owed();
  append();
  settle();
  if (broken(site::kCommitApplyFirst)) apply_updates();
  if (broken(site::kCommitGuardFirst))
    pool_.line(lane.record.updates[0].line_off)->guard = lane.record.updates[0].guard;
  ticket_ = pool_.domain().order(site::kCommitFence);
  fence_passed();
  if (s = pool_.domain().health(); !s.ok()) {
    broken_ = true;
    pool_.fail(s);
    return s;
  }
  if (broken(site::kCommitDurableUntold) || broken(site::kDurableLate)) return Code::ok;
  const uint64_t durable = broken(site::kCommitDurableBehind) ? lane.record.seq - 1 : lane.record.seq;
  sync::point(sync::Event::store, &lane.durable_seq);
  lane.durable_seq.store(durable, std::memory_order_release);  // before any line is unlocked
  return Code::ok;
}

// ---- steps 6 and 7: apply, unlock, limbo ----

inline void Commit::apply_line(const LineUpdate& u) noexcept {
  GuardedLine* line = pool_.line(u.line_off);
  for (uint32_t i = 0; i < u.op_count; ++i) {
    const WordOp& op = lane_->record.ops[u.first_op + i];
    sync::store_release(&line->words[op.word], apply_op(line->words[op.word], op));
  }
  sync::store_release(&line->guard, u.guard);
  pool_.domain().dirty(u.line_off, kLineBytes);
}

inline void Commit::apply_updates() noexcept {
  for (const LineUpdate& u : lane_->record.updates) apply_line(u);
}

inline void Commit::apply() noexcept {
  const LogRecord& record = lane_->record;
  const bool many = index_updates_ > 1 || (index_updates_ == 1 && record.updates[0].op_count > 1);
  if (many) [[unlikely]]  // readers must not see it half done; one word alone is atomic by itself
    for (uint32_t i = 0; i < index_updates_; ++i) {
      pool_.index_locks().set_applying(pool_.index_locks().stripe_of(record.updates[i].line_off));
      uint64_t* guard = &pool_.line(record.updates[i].line_off)->guard;
      sync::store_release(guard, *guard | kBusyBit);
      if (broken(site::kLockSurvives)) pool_.domain().dirty(record.updates[i].line_off, kLineBytes);  // let it be seen
    }
  apply_updates();
  unlock_slab_lines();
}

Status Commit::make_visible() {
  NACRE_TRY(make_durable());
  if (broken(site::kUnlockFirst))
    for (uint32_t stripe : lane_->index_stripes) pool_.index_locks().unlock(stripe);
  if (broken(site::kLaneEarly)) pool_.release_lane(*lane_);
  apply();
  return Code::ok;
}

void Commit::finish() noexcept {
  Lane& lane = *lane_;
  unlock_index_lines();
  locked_ = false;
  pool_.domain().wait(ticket_, site::kCommitWait);
  sync::point(sync::Event::store, &lane.applied_seq);
  if (!broken(site::kCommitAppliedUntold)) lane.applied_seq.store(lane.record.seq, std::memory_order_release);
  if (broken(site::kCommitInFlightFreed)) give_back();
  lane.allocated.clear();
  if constexpr (pmem::kMutants)
    if (broken(site::kUnlinkedThenFreed)) free_what_was_held_back();
  const bool retire = lane.line_frees_since_retire >= kRetireLimboUnits;
  const bool advance = retire || pool_.advance_is_due(lane);
  if (advance) lane.frees_since_advance = lane.freed_bytes_since_advance = 0;
  if (retire) lane.line_frees_since_retire = 0;
  const uint64_t seq = lane.record.seq;
  release();
  if (broken(site::kDurableLate)) {
    sync::point(sync::Event::store, &lane.durable_seq);
    if (lane.durable_seq.load() < seq) lane.durable_seq.store(seq);
  }
  if (advance) pool_.advance(retire);
}

// What this commit freed waits until nobody can see it. If the commit's fence fails it waits for ever: the epoch of a
// failed medium does not move on.
void Commit::into_limbo() noexcept {
  Lane& lane = *lane_;
  const uint64_t epoch = pool_.epochs().unlink_epoch(), chunk_bytes = pool_.layout().geometry.chunk_bytes;
  for (const Lane::Freed& f : lane.freed) {
    if (broken(site::kCommitFreedAtOnce))
      pool_.heap().release(f.unit);
    else
      (f.lines ? lane.limbo_lines : lane.limbo_records).push({f.unit, epoch});
    lane.freed_bytes_since_advance += f.unit.is_extent() ? f.unit.chunks * chunk_bytes : f.unit.slab->unit_bytes();
    lane.line_frees_since_retire += f.lines ? 1 : 0;
  }
  lane.frees_since_advance += lane.freed.size();
  lane.last_freed = lane.freed.size();
  lane.freed.clear();
}

void Commit::give_back() noexcept {
  unlock();
  if (!broken_ && !broken(site::kCommitKeepsUnits))
    for (const UnitRef& unit : lane_->allocated) pool_.heap().release(unit);
  lane_->allocated.clear();
  lane_->freed.clear();
}

void Commit::release() noexcept {
  pool_.release_lane(*lane_);
  lane_ = nullptr;
  if (pinned_) unpin();
}

}  // namespace nacre::alloc
