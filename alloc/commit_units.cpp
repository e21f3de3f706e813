// The part of a commit that reserves units, and makes room for them: commits of the heap's own on the same lane, and
// waits without it.
#include <span>
#include <utility>
#include <vector>

#include "alloc/commit.h"
#include "alloc/heap_layout.h"
#include "alloc/historic_mutants.h"
#include "alloc/mutants.h"
#include "alloc/sites.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kPrefetchBytes = 4 * kLineBytes;

}  // namespace

// The next commit of this kind is likely to get this unit: its lines come into the cache meanwhile.
inline void Commit::prefetch_next(Slab& slab) const noexcept {
  const uint32_t next = slab.peek();
  if (next == slab.unit_count()) return;
  const auto* p = pool_.at<std::byte>(slab.unit_off(next));
  for (uint64_t at = 0; at < std::min<uint64_t>(slab.unit_bytes(), kPrefetchBytes); at += kLineBytes)
    __builtin_prefetch(p + at, 1);
}

Status Commit::allocate(uint64_t bytes, UnitUse use, uint64_t& off) {
  const SizeClasses& classes = pool_.heap().classes();
  UnitRef unit;
  for (Status s = Code::not_found; s.code() == Code::not_found;) {
    const uint32_t class_id = classes.class_for(bytes, use == UnitUse::lines ? kLineBytes : kUnitAlign);
    const bool extent = prefers_extent(bytes, use, class_id);
    if (class_id == kMaxClasses && !extent)
      return Status::error(Code::too_large, "%llu bytes: the largest allocation class of this pool has %llu",
                           static_cast<unsigned long long>(bytes),
                           static_cast<unsigned long long>(classes.largest_unit_bytes()));
    lane_->allocated.reserve(lane_->allocated.size() + 1);
    s = extent ? allocate_extent(bytes, unit) : allocate_unit(class_id, unit);
    if (s.code() == Code::out_of_space && !extent && use == UnitUse::record && classes.slab_chunks(class_id) > 1)
      s = allocate_extent(bytes, unit);  // there may be room for one record if not for a slab of them
    if (!s.ok() && s.code() != Code::not_found) return s;
  }
  if constexpr (pmem::kMutants)
    if (broken(site::kAllocatedThenLinked)) return off = unit.off(), allocate_by_itself(unit);
  lane_->allocated.push(unit);
  off = unit.off();
  if (!unit.is_extent()) {
    prefetch_next(*unit.slab);
    __builtin_prefetch(pool_.line(Heap::bit_of(unit).line_off));
  }
  return Code::ok;
}

Status Commit::allocate_unit(uint32_t class_id, UnitRef& unit) {
  Heap& heap = pool_.heap();
  Status s = heap.reserve(lane_->arena, class_id, unit);
  if (std::exchange(lane_->arena.had_to_read, false)) [[unlikely]] pool_.growth()->load_ahead();
  if (s.code() != Code::not_found) return s;
  const uint64_t word = heap.classes().word(class_id);  // retire_class waits for lanes, so up to here it is our class
  for (bool drained = false;;) {
    const uint64_t seen_bytes = pool_.layout().pool_bytes();
    s = make_slab(class_id);
    if (s.ok()) {
      s = heap.reserve(lane_->arena, class_id, unit);
      if (s.code() != Code::not_found) return s;
      continue;  // other threads were faster
    }
    if (s.code() != Code::out_of_space) return s;
    s = heap.reserve_anywhere(class_id, unit);
    if (s.code() != Code::not_found) return s;
    if (!std::exchange(drained, true)) {  // what was freed long ago comes before what the medium has
      pool_.drain_all(*lane_);
      continue;
    }
    s = grow(class_word_slab_chunks(word), seen_bytes);
    if (!s.ok()) break;
    if (!is_still(class_id, word)) return Code::not_found;
  }
  if (s.code() != Code::out_of_space) return s;
  NACRE_TRY(repin_and_reclaim());
  if (!is_still(class_id, word)) return Code::not_found;
  s = heap.reserve_anywhere(class_id, unit);
  if (s.code() != Code::not_found) return s;
  s = make_slab(class_id);  // a class may have become empty
  if (s.code() == Code::out_of_space) return pool_.growth()->refusal(0);
  if (!s.ok()) return s;
  return heap.reserve(lane_->arena, class_id, unit);
}

/// Whether the class is alive and the same as before this commit let go of its lane.
bool Commit::is_still(uint32_t class_id, uint64_t word) const noexcept {
  return pool_.heap().classes().word(class_id) == with_class_state(word, ClassState::live);
}

/// Runs a commit of the heap's own on the lane of another that has not appended anything yet: sets the other's scratch
/// aside, and puts it back however this one ends.
class Commit::Inner {
 public:
  explicit Inner(Commit& outer) noexcept
      : commit(outer.pool_),
        lane_(*outer.lane_),
        record_(std::exchange(lane_.record, {})),
        room_lines_(std::exchange(lane_.room_lines, 0)),
        room_ops_(std::exchange(lane_.room_ops, 0)),
        allocated_(std::exchange(lane_.allocated, {})),
        freed_(std::exchange(lane_.freed, {})) {
    commit.lane_ = &lane_;
  }
  ~Inner() {
    commit.unlock();
    commit.lane_ = nullptr;  // the lane and the pin are the outer's
    if (!broken(site::kSlabOuterScratch)) lane_.record = std::move(record_);
    lane_.room_lines = room_lines_;
    lane_.room_ops = room_ops_;
    lane_.allocated = std::move(allocated_);
    lane_.freed = std::move(freed_);
  }
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;

  /// Writes the bitmap lines of a chunk that never had any. Their seq is above that of the line that will lead to them.
  void write_bitmap(const ChunkPlace& place) {
    const Layout& layout = commit.pool_.layout();
    const uint64_t table_seq = guard_seq(sync::load_acquire(&commit.pool_.line(place.line_off)->guard));
    const uint64_t seq = 1 + std::max(table_seq, lane_.last_seq);
    for (uint64_t l = 0; l < layout.bitmap_lines; ++l) {
      const uint64_t off = place.bitmap_off + l * kLineBytes;
      GuardedLine* line = commit.pool_.line(off);
      std::fill_n(line->words, kLineWords, 0);
      line->guard = make_guard(commit.salt(), off, line->words, seq);
    }
    commit.flush_fresh_lines(place.bitmap_off, layout.bitmap_lines * kLineBytes, site::kBitmapFlush);
    commit.finish_fresh();
  }

  /// Changes one word of the chunk table, durably.
  Status publish_word(const ChunkWordChange& change) {
    commit.own_word_ = &change;
    NACRE_TRY(commit.lock({}, 0, 0));
    NACRE_TRY(commit.make_visible());
    lane_.applied_seq.store(lane_.last_seq, std::memory_order_release);
    return Code::ok;
  }
  /// Changes the bits of these units and nothing else, durably. (Mutants only.)
#if defined(NACRE_MUTANTS)
  Status publish_bits(std::span<const UnitRef> allocated, std::span<const Lane::Freed> freed) {
    lane_.allocated.reserve(allocated.size());
    for (const UnitRef& unit : allocated) lane_.allocated.push(unit);
    lane_.freed.reserve(freed.size());
    for (const Lane::Freed& f : freed) lane_.freed.push(f);
    NACRE_TRY(commit.lock({}, 0, 0));
    NACRE_TRY(commit.make_visible());
    lane_.applied_seq.store(lane_.last_seq, std::memory_order_release);
    lane_.allocated.clear();
    return Code::ok;
  }
#endif
  bool failed() const noexcept { return commit.broken_; }

 private:
  Commit commit;
  Lane& lane_;
  LogRecord record_;
  uint64_t room_lines_, room_ops_;
  ReservedVector<UnitRef> allocated_;
  ReservedVector<Lane::Freed> freed_;
};

#if defined(NACRE_MUTANTS)
// ---- mutants: a unit's bit and the word that leads to it are two commits ----

namespace {

// Made by the mutant: in all other builds a thread has nothing to set up.
std::vector<Lane::Freed>& held_back() {
  static thread_local auto* list = new std::vector<Lane::Freed>;
  return *list;
}

}  // namespace

Status Commit::allocate_by_itself(const UnitRef& unit) { return Inner(*this).publish_bits({&unit, 1}, {}); }

Status Commit::free_by_itself(const Lane::Freed& freed) { return Inner(*this).publish_bits({}, {&freed, 1}); }

void Commit::hold_frees_back() {
  held_back().assign(lane_->freed.begin(), lane_->freed.end());
  lane_->freed.clear();
}

void Commit::free_what_was_held_back() {
  const std::vector<Lane::Freed> freed = std::exchange(held_back(), {});
  if (!freed.empty()) (void)Inner(*this).publish_bits({}, freed);
}

#endif

// A new slab is a commit of one line: a crash after it leaves an empty slab, which is no leak.
Status Commit::make_slab(uint32_t class_id) {
  Heap& heap = pool_.heap();
  Heap::Claim claim(heap);
  NACRE_TRY(claim_for_slab(claim, heap.classes().slab_chunks(class_id)));
  std::unique_ptr<Slab> slab = heap.prepare_install(claim, class_id);
  pool_.growth()->chunk_taken(claim.chunk(), claim.chunk_count(), claim.free_left());
  Inner inner(*this);
  const ChunkPlace place = pool_.layout().place_of(claim.chunk());
  if (!claim.bitmap_written() && !broken(site::kSlabBitmapAssumed)) inner.write_bitmap(place);
  const Status s = inner.publish_word({place.line_off, place.word, claim.old_word(),
                                       make_slab_word(static_cast<uint16_t>(class_id))});
  if (s.ok()) claim.install(std::move(slab));
  if (inner.failed()) claim.forget();  // whether it happened is known at the next open
  return s;
}

// not_found if no slab at chunk `lowest` or above is empty. A crash after it leaves free chunks.
Status Commit::free_empty_slab(uint32_t lowest, uint64_t& freed) {
  Heap::Claim claim(pool_.heap());
  NACRE_TRY(claim.take_empty_slab(lowest));
  Inner inner(*this);
  const ChunkPlace place = pool_.layout().place_of(claim.chunk());
  const Status s = inner.publish_word({place.line_off, place.word, claim.old_word(), 0});
  if (s.ok()) {
    claim.freed();
    freed += claim.chunk_count();
  }
  if (inner.failed()) claim.forget();
  return s;
}

Status Commit::free_empty_slabs(uint32_t lowest, uint64_t& freed) {
  freed = 0;
  Status s;
  while (s.ok()) s = free_empty_slab(lowest, freed);
  return s.code() == Code::not_found ? Status() : s;
}

// Runs `work`, which may wait and commit, while this commit holds neither lane nor pin. Its status, or that of the pin
// that is taken again.
template <class Work>
Status Commit::without_lane(Work&& work) {
  // The scratch belongs to the lane; another thread may use it from the release on, so what we hold moves out first.
  Lane* old = std::exchange(lane_, nullptr);
  auto allocated = std::exchange(old->allocated, {});
  LogRecord record = std::exchange(old->record, {});
  old->room_lines = old->room_ops = 0;
  pool_.release_lane(*old);
  unpin();
  ++pin_breaks_;
  const Status done = work();
  const Status s = pool_.epochs().pin();
  pinned_ = s.ok();
  take_lane();
  lane_->allocated = std::move(allocated);
  lane_->record = std::move(record);
  lane_->room_lines = lane_->room_ops = 0;
  if (!lane_->ready) lane_->make_ready();
  return s.ok() ? done : s;
}

Status Commit::grow(uint64_t chunks, uint64_t seen_bytes) {
  return without_lane([&] { return pool_.growth()->need(chunks, seen_bytes); });
}

Status Commit::repin_and_reclaim() {
  if (pool_.epochs().depth() > 1) return Code::ok;  // inside a caller's own pin: what it freed cannot come back yet
  return without_lane([&] { return pool_.reclaim(), Status(); });
}

}  // namespace nacre::alloc
