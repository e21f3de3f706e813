#include "alloc/commit.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "alloc/heap_layout.h"
#include "alloc/sites.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kSeqReserve = 1u << 20;   // seqs below the end at which commits are refused
constexpr uint64_t kAdvanceEveryFrees = 128; // an advance costs about one fence: under 1 % of a fence a free
constexpr uint64_t kRetireLimboUnits = 16;   // units of line memory waiting before a retire advance is due

void sort_unique(std::vector<uint32_t>& v) {
  std::sort(v.begin(), v.end());
  v.erase(std::unique(v.begin(), v.end()), v.end());
}

}  // namespace

Commit::~Commit() {
  if (lane_ == nullptr) return;
  give_back();
  release();
}

// ---- step 0: pin, lane, units ----

Status Commit::begin() {
  NACRE_TRY(pool_.writable());
  NACRE_TRY(pool_.domain().health());
  if (lane_ != nullptr) return Status::error(Code::internal, "commit: begun twice");
  NACRE_TRY(pool_.epochs().pin());
  pinned_ = true;
  take_lane();
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

Status Commit::allocate(uint64_t bytes, UnitUse use, uint64_t& off) {
  const SizeClasses& classes = pool_.heap().classes();
  UnitRef unit;
  for (;;) {
    const uint32_t class_id = classes.class_for(bytes, use == UnitUse::lines ? kLineBytes : kUnitAlign);
    if (class_id == kMaxClasses)
      return Status::error(Code::too_large, "%llu bytes: the largest allocation class of this pool has %llu",
                           static_cast<unsigned long long>(bytes),
                           static_cast<unsigned long long>(classes.largest_unit_bytes()));
    lane_->allocated.reserve(lane_->allocated.size() + 1);
    const Status s = allocate_unit(class_id, unit);
    if (s.ok()) break;
    if (s.code() != Code::not_found || classes.is_live(class_id)) return s;
  }
  lane_->allocated.push_back(unit);
  off = unit.off();
  return Code::ok;
}

Status Commit::allocate_unit(uint32_t class_id, UnitRef& unit) {
  Heap& heap = pool_.heap();
  Status s = heap.reserve(lane_->arena, class_id, unit);
  if (s.code() != Code::not_found) return s;
  s = make_slab(class_id);
  if (s.ok()) s = heap.reserve(lane_->arena, class_id, unit);
  if (s.code() != Code::out_of_space && s.code() != Code::not_found) return s;
  s = heap.reserve_anywhere(class_id, unit);
  if (s.code() != Code::not_found) return s;
  NACRE_TRY(repin_and_reclaim());
  if (!heap.classes().is_live(class_id)) return Code::not_found;  // retire_class waits for lanes, and we held none
  s = heap.reserve_anywhere(class_id, unit);
  if (s.code() != Code::not_found) return s;
  NACRE_TRY(make_slab(class_id));  // a class may have become empty; else this is the out_of_space to report
  return heap.reserve(lane_->arena, class_id, unit);
}

/// Runs a commit of the heap's own on the lane of another that has not appended anything yet: sets the other's scratch
/// aside, and puts it back however this one ends.
class Commit::Inner {
 public:
  explicit Inner(Commit& outer) noexcept
      : commit(outer.pool_),
        lane_(*outer.lane_),
        record_(std::exchange(lane_.record, {})),
        allocated_(std::exchange(lane_.allocated, {})),
        freed_(std::exchange(lane_.freed, {})) {
    commit.lane_ = &lane_;
  }
  ~Inner() {
    commit.unlock();
    commit.lane_ = nullptr;  // the lane and the pin are the outer's
    lane_.record = std::move(record_);
    lane_.allocated = std::move(allocated_);
    lane_.freed = std::move(freed_);
  }
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;

  /// Sets one word of one line, durably.
  Status publish_word(uint64_t line_off, uint32_t word, uint64_t value) {
    NACRE_TRY(commit.lock(std::span(&line_off, 1), 1, 1));
    commit.set_word(line_off, word, value);
    NACRE_TRY(commit.make_durable());
    commit.apply();
    lane_.applied_seq.store(lane_.last_seq, std::memory_order_release);
    lane_.commits.fetch_add(1, std::memory_order_relaxed);
    lane_.cells.fetch_add(lane_.record.cells, std::memory_order_relaxed);
    return Code::ok;
  }
  bool broken() const noexcept { return commit.broken_; }

 private:
  Commit commit;
  Lane& lane_;
  LogRecord record_;
  std::vector<UnitRef> allocated_;
  std::vector<Lane::Freed> freed_;
};

// A new slab is a commit of one line: a crash after it leaves an empty slab, which is no leak.
Status Commit::make_slab(uint32_t class_id) {
  Heap& heap = pool_.heap();
  Heap::Claim claim(heap);
  NACRE_TRY(claim.take());
  std::unique_ptr<Slab> slab = heap.prepare_install(claim.chunk(), class_id);
  Inner inner(*this);
  const Status s = inner.publish_word(pool_.layout().chunk_line_off(claim.chunk()),
                                      static_cast<uint32_t>(pool_.layout().chunk_word_idx(claim.chunk())),
                                      make_chunk_word(ChunkState::slab, static_cast<uint16_t>(class_id)));
  if (s.ok()) claim.install(std::move(slab));
  if (inner.broken()) claim.forget();  // whether it happened is known at the next open
  return s;
}

Status Commit::repin_and_reclaim() {
  if (pool_.epochs().depth() > 1) return Code::ok;  // inside a caller's own pin: what it freed cannot come back yet
  // The scratch belongs to the lane; another thread may use it from the release on, so what we hold moves out first.
  Lane* old = std::exchange(lane_, nullptr);
  auto allocated = std::exchange(old->allocated, {});
  LogRecord record = std::exchange(old->record, {});
  pool_.release_lane(*old);
  pool_.epochs().unpin();
  pinned_ = false;
  pool_.reclaim();
  const Status s = pool_.epochs().pin();
  pinned_ = s.ok();
  take_lane();
  lane_->allocated = std::move(allocated);
  lane_->record = std::move(record);
  return s;
}

// ---- step 1: fresh bytes ----

void Commit::flush_fresh(uint64_t off, uint64_t bytes, uint32_t crc, const pmem::Site& site) {
  lane_->record.fresh.push_back({off, bytes, crc});
  pool_.domain().flush(off, bytes, site);
}

void Commit::flush_fresh_lines(uint64_t off, uint64_t bytes, const pmem::Site& site) {
  strict_ = true;
  lane_->record.fresh.push_back({off, bytes, 0});
  pool_.domain().flush(off, bytes, site);
}

uint64_t Commit::fresh_seq(uint64_t off) const noexcept {
  uint64_t seq = lane_->last_seq;
  for (const UnitRef& unit : lane_->allocated)
    if (unit.off() == off) {
      const uint64_t line_off = pool_.heap().bit_of(unit).line_off;
      seq = std::max(seq, guard_seq(sync::load_acquire(&pool_.line(line_off)->guard)));
    }
  return seq + 1;
}

void Commit::finish_fresh() noexcept {
  if (!strict_ || fresh_fenced_ || lane_->record.fresh.empty()) return;
  pool_.domain().fence(site::kFreshFence);
  fence_passed();
  fresh_fenced_ = true;
}

Status Commit::free(uint64_t off, UnitUse use) {
  UnitRef unit;
  NACRE_TRY(pool_.heap().locate(off, unit));
  lane_->freed.push_back({unit, use == UnitUse::lines});
  return Code::ok;
}

// ---- step 2: locks ----

Status Commit::lock(std::span<const uint64_t> line_offs, uint64_t max_lines, uint64_t max_ops) {
  Lane& lane = *lane_;
  const uint64_t bit_count = lane.allocated.size() + lane.freed.size();
  max_cells_ = max_record_cells(lane.record.fresh.size(), max_lines + bit_count, max_ops + bit_count);
  if (max_cells_ > lane.half_cells || lane.record.fresh.size() > kMaxFreshRanges)
    return Status::error(Code::too_large, "commit: its log record could need %llu cells, half a lane has %u",
                         static_cast<unsigned long long>(max_cells_), lane.half_cells);
  // Everything that grows does so here, for from now on nothing may fail.
  lane.buffer.resize(max_cells_ * kLineBytes);
  lane.index_stripes.clear();
  lane.index_stripes.reserve(line_offs.size());
  lane.slab_stripes.reserve(bit_count);
  lane.bits.reserve(bit_count);
  lane.record.updates.reserve(max_lines + bit_count);
  lane.record.ops.reserve(max_ops + bit_count);
  lane.limbo_records.reserve(lane.freed.size());
  lane.limbo_lines.reserve(lane.freed.size());
  for (auto& lines : lane.half_lines) {
    const size_t need = lines.size() + max_lines + bit_count;
    if (lines.capacity() < need) lines.reserve(need * 2);
  }
  LineLocks& locks = pool_.index_locks();
  for (uint64_t off : line_offs) lane.index_stripes.push_back(locks.stripe_of(off));
  sort_unique(lane.index_stripes);
  for (uint32_t stripe : lane.index_stripes) locks.lock(stripe);
  locked_ = true;
  lane.record.updates.clear();
  lane.record.ops.clear();
  min_seq_ = 0;
  return Code::ok;
}

void Commit::unlock() noexcept {
  if (!locked_) return;
  for (uint32_t stripe : lane_->index_stripes) pool_.index_locks().unlock(stripe);
  lane_->index_stripes.clear();
  lane_->freed.clear();
  lane_->record.updates.clear();
  lane_->record.ops.clear();
  locked_ = false;
}

void Commit::set_word(uint64_t line_off, uint32_t word, uint64_t value) noexcept {
  auto& updates = lane_->record.updates;
  auto& ops = lane_->record.ops;
  const WordOp op{static_cast<uint8_t>(word), OpKind::set, value};
  if (!updates.empty() && updates.back().line_off == line_off) {
    ops.push_back(op);
    ++updates.back().op_count;
    return;
  }
  for (size_t i = 0; i < updates.size(); ++i) {
    if (updates[i].line_off != line_off) continue;
    ops.insert(ops.begin() + updates[i].first_op + updates[i].op_count, op);  // within the reserved capacity
    ++updates[i].op_count;
    for (size_t k = i + 1; k < updates.size(); ++k) ++updates[k].first_op;
    return;
  }
  updates.push_back({line_off, 0, 0, static_cast<uint32_t>(ops.size()), 1});
  ops.push_back(op);
}

// The lines that hold the bits of units this commit allocates and frees become line updates of it.
Status Commit::lock_slab_lines() {
  Lane& lane = *lane_;
  const Heap& heap = pool_.heap();
  lane.bits.clear();
  for (const UnitRef& unit : lane.allocated) lane.bits.push_back({heap.bit_of(unit), true});
  for (const Lane::Freed& f : lane.freed) lane.bits.push_back({heap.bit_of(f.unit), false});
  std::sort(lane.bits.begin(), lane.bits.end(), [](const Lane::BitChange& a, const Lane::BitChange& b) {
    if (a.bit.line_off != b.bit.line_off) return a.bit.line_off < b.bit.line_off;
    if (a.bit.word != b.bit.word) return a.bit.word < b.bit.word;
    return a.set < b.set;
  });
  LineLocks& locks = pool_.slab_locks();
  lane.slab_stripes.clear();
  for (const auto& change : lane.bits) lane.slab_stripes.push_back(locks.stripe_of(change.bit.line_off));
  sort_unique(lane.slab_stripes);
  for (uint32_t stripe : lane.slab_stripes) locks.lock(stripe);
  index_updates_ = static_cast<uint32_t>(lane.record.updates.size());
  for (const auto& change : lane.bits) {
    const uint64_t word = pool_.line(change.bit.line_off)->words[change.bit.word];
    if (((word & change.bit.mask) != 0) == change.set)
      return Status::error(Code::corruption, "bitmap line at offset %llu: a unit that is to be %s is %s already; run "
                           "nacre check", static_cast<unsigned long long>(change.bit.line_off),
                           change.set ? "allocated" : "freed", change.set ? "allocated" : "free");
    auto& updates = lane.record.updates;
    auto& ops = lane.record.ops;
    if (updates.size() == index_updates_ || updates.back().line_off != change.bit.line_off)
      updates.push_back({change.bit.line_off, 0, 0, static_cast<uint32_t>(ops.size()), 0});
    const OpKind kind = change.set ? OpKind::set_bits : OpKind::clear_bits;
    if (updates.back().op_count != 0 && ops.back().word == change.bit.word && ops.back().kind == kind) {
      ops.back().operand |= change.bit.mask;
    } else {
      ops.push_back({change.bit.word, kind, change.bit.mask});
      ++updates.back().op_count;
    }
  }
  return Code::ok;
}

void Commit::unlock_slab_lines() noexcept {
  for (uint32_t stripe : lane_->slab_stripes) pool_.slab_locks().unlock(stripe);
  lane_->slab_stripes.clear();
}

// A line that is damaged must not get a good check again.
Status Commit::check_lines() const {
  for (const LineUpdate& u : lane_->record.updates)
    if (!line_intact(pool_.salt(), u.line_off, *pool_.line(u.line_off)))
      return Status::error(Code::corruption, "line at offset %llu fails its check and is not changed; run nacre check",
                           static_cast<unsigned long long>(u.line_off));
  return Code::ok;
}

// ---- steps 3 to 5: seq, log record, fence ----

// A Lamport clock: above every line touched, every line freed, and this lane's own past.
uint64_t Commit::choose_seq() noexcept {
  uint64_t seq = std::max(min_seq_, lane_->last_seq);
  for (LineUpdate& u : lane_->record.updates) {
    u.prev_seq = guard_seq(sync::load_acquire(&pool_.line(u.line_off)->guard));
    seq = std::max(seq, u.prev_seq);
  }
  return seq + 1;
}

// What each line's guard will be; it goes into the log as well.
void Commit::compute_guards() noexcept {
  const LogRecord& record = lane_->record;
  for (LineUpdate& u : lane_->record.updates) {
    uint64_t words[kLineWords];
    std::copy_n(pool_.line(u.line_off)->words, kLineWords, words);
    for (uint32_t i = 0; i < u.op_count; ++i) {
      const WordOp& op = record.ops[u.first_op + i];
      words[op.word] = apply_op(words[op.word], op);
    }
    u.guard = make_guard(pool_.salt(), u.line_off, words, record.seq);
  }
}

void Commit::flush_half(uint32_t half) noexcept {
  auto& lines = lane_->half_lines[half];
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  for (uint64_t off : lines) pool_.domain().flush(off, kLineBytes, site::kHomeFlush);
  lane_->pending_half = static_cast<int>(half);
  lane_->pending_thread = thread_serial();
}

void Commit::reserve_ring(uint64_t max_cells) noexcept {
  Lane& lane = *lane_;
  if (lane.pos + max_cells <= (lane.half + 1) * uint64_t{lane.half_cells}) return;
  // The other half was left a whole half ago: its lines were flushed then, and the fence of the first commit in this
  // half made them durable. (A half that was never used has no lines.)
  const uint32_t other = lane.half ^ 1;
  flush_half(lane.half);
  lane.half_lines[other].clear();
  lane.half = other;
  lane.pos = other * lane.half_cells;
  lane.wraps.fetch_add(1, std::memory_order_relaxed);
}

void Commit::fence_passed() noexcept {
  if (lane_->pending_half >= 0 && lane_->pending_thread == thread_serial()) lane_->pending_half = -1;
}

void Commit::append() noexcept {
  Lane& lane = *lane_;
  const uint64_t off = pool_.layout().cell_off(lane.number, lane.pos);
  encode_record(lane.record, record_seed(pool_.salt(), off), lane.buffer.data());
  const uint64_t bytes = lane.record.cells * kLineBytes;
  std::memcpy(pool_.domain().base() + off, lane.buffer.data(), bytes);
  pool_.domain().flush(off, bytes, site::kLogFlush);
  lane.pos += lane.record.cells;
  lane.last_seq = lane.record.seq;
  for (const LineUpdate& u : lane.record.updates) lane.half_lines[lane.half].push_back(u.line_off);
}

Status Commit::make_durable() {
  Lane& lane = *lane_;
  Status s = lock_slab_lines();
  if (s.ok()) s = check_lines();
  if (!s.ok()) {
    unlock_slab_lines();
    return s;
  }
  reserve_ring(max_cells_);
  lane.record.strict = strict_;
  lane.record.seq = choose_seq();
  compute_guards();
  append();
  ticket_ = pool_.domain().order(site::kCommitFence);
  fence_passed();
  if (s = pool_.domain().health(); !s.ok()) {
    broken_ = true;
    pool_.fail(s);
    unlock_slab_lines();
    return s;
  }
  lane.durable_seq.store(lane.record.seq, std::memory_order_release);  // before any line is unlocked
  return Code::ok;
}

// ---- steps 6 and 7: apply, unlock, limbo ----

void Commit::apply_line(const LineUpdate& u) noexcept {
  GuardedLine* line = pool_.line(u.line_off);
  for (uint32_t i = 0; i < u.op_count; ++i) {
    const WordOp& op = lane_->record.ops[u.first_op + i];
    sync::store_release(&line->words[op.word], apply_op(line->words[op.word], op));
  }
  sync::store_release(&line->guard, u.guard);
  pool_.domain().dirty(u.line_off, kLineBytes);
}

void Commit::apply() noexcept {
  const auto& updates = lane_->record.updates;
  uint32_t index_ops = 0;
  for (uint32_t i = 0; i < index_updates_; ++i) index_ops += updates[i].op_count;
  if (index_ops > 1) {  // readers must not see it half done; one word alone is atomic by itself
    for (uint32_t i = 0; i < index_updates_; ++i) {
      pool_.index_locks().set_applying(pool_.index_locks().stripe_of(updates[i].line_off));
      uint64_t* guard = &pool_.line(updates[i].line_off)->guard;
      sync::store_release(guard, *guard | kBusyBit);
    }
  }
  for (const LineUpdate& u : updates) apply_line(u);
  unlock_slab_lines();
}

void Commit::finish() noexcept {
  Lane& lane = *lane_;
  for (uint32_t stripe : lane.index_stripes) pool_.index_locks().unlock(stripe);
  lane.index_stripes.clear();
  locked_ = false;
  pool_.domain().wait(ticket_, site::kCommitWait);
  lane.applied_seq.store(lane.record.seq, std::memory_order_release);
  lane.allocated.clear();
  const uint64_t epoch = pool_.epochs().current();
  for (const Lane::Freed& f : lane.freed)
    (f.lines ? lane.limbo_lines : lane.limbo_records).push({f.unit, epoch});
  lane.frees_since_advance += lane.freed.size();
  lane.freed.clear();
  lane.commits.fetch_add(1, std::memory_order_relaxed);
  if (strict_) lane.strict_commits.fetch_add(1, std::memory_order_relaxed);
  lane.cells.fetch_add(lane.record.cells, std::memory_order_relaxed);
  const bool retire = lane.limbo_lines.size() >= kRetireLimboUnits;
  const bool advance = retire || lane.frees_since_advance >= kAdvanceEveryFrees;
  if (advance) lane.frees_since_advance = 0;
  release();
  if (advance) pool_.advance(retire);
}

void Commit::give_back() noexcept {
  unlock_slab_lines();
  unlock();
  if (!broken_)
    for (const UnitRef& unit : lane_->allocated) pool_.heap().release(unit);
  lane_->allocated.clear();
  lane_->freed.clear();
}

void Commit::release() noexcept {
  pool_.release_lane(*lane_);
  lane_ = nullptr;
  if (pinned_) pool_.epochs().unpin();
  pinned_ = false;
}

}  // namespace nacre::alloc
