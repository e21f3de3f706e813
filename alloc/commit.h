// The commit: the one way to change a byte that is reachable.
//
// A commit is {fresh ranges, line updates, units that become allocated, units that become free}. Whatever subset of
// its unfenced words a crash leaves on the medium, after recovery it happened wholly or not at all.
//
//   Commit c(pool);
//   NACRE_TRY(c.begin());                        // pin, lane
//   NACRE_TRY(c.allocate(bytes, UnitUse::record, off));
//   ... store the bytes, c.flush_fresh(off, bytes, crc, site) ...
//   c.finish_fresh();                            // strict form: fence
//   plan:  ... decide what to change; c.free(off, use) for what it drops ...
//   NACRE_TRY(c.lock(lines, 1, 1));                  // then validate what was decided; c.unlock() and plan again
//   c.set_word(line, word, value);
//   NACRE_TRY(c.publish(...));                   // log, fence, apply
//
// From lock() on nothing allocates and nothing can fail for lack of memory or space. A Commit that is destroyed
// before publish() gives everything back; the pool is as it was. One thread; a thread has at most one Commit at a
// time per pool.
#pragma once

#include <span>

#include "alloc/pool.h"
#include "pmem/base/status.h"

namespace nacre::alloc {

enum class UnitUse : uint8_t {
  record,  ///< sealed ranges, immutable once published
  lines,   ///< guarded lines: its memory is reused only after a retire advance
};

/// A commit with a longer record is strict in either form, so that recovery need not read gigabytes to compare them.
inline constexpr uint64_t kMaxProvenBytes = 64 * 1024;

class Commit {
 public:
  explicit Commit(Pool& pool) noexcept : pool_(pool) {}
  ~Commit();
  Commit(const Commit&) = delete;
  Commit& operator=(const Commit&) = delete;

  /// Pins the epoch: for who wants to look around before begin(), while the lane's last commit is still on its way to
  /// the medium. read_only, limit, io_error.
  Status pin() {
    NACRE_TRY(pool_.writable());
    if (pinned_) return begun_twice();
    NACRE_TRY(pool_.epochs().pin());
    pinned_ = true;
    return Code::ok;
  }
  /// Pins the epoch, if pin() has not, and takes a lane. Errors as pin(). May be called again after publish().
  Status begin();

  /// Reserves a unit of at least `bytes` for this commit: of a slab, or for a record an extent of whole chunks. May
  /// unpin and pin again to reclaim space, so it comes before anything is read. out_of_space, too_large, corruption,
  /// io_error.
  Status allocate(uint64_t bytes, UnitUse use, uint64_t& off);
  /// As the pool's salt; shorthand for writers of fresh bytes.
  Salt salt() const noexcept { return pool_.salt(); }

  /// Says that [off, off + bytes) holds a finished sealed range whose first word begins with `crc`, and flushes it, at
  /// the latest together with the log record.
  void flush_fresh(uint64_t off, uint64_t bytes, uint32_t crc, const pmem::Site& site);
  /// As flush_fresh, for a range that the caller has flushed himself.
  void note_fresh(uint64_t off, uint64_t bytes, uint32_t crc);
  /// As flush_fresh for guarded lines; they must carry fresh_seq(). Makes the commit strict.
  void flush_fresh_lines(uint64_t off, uint64_t bytes, const pmem::Site& site);
  /// The seq that guarded lines in the unit at `off`, allocated by this commit, begin with.
  uint64_t fresh_seq(uint64_t off) const noexcept;
  /// Ends step 1: in the strict form waits for the fresh bytes.
  void finish_fresh() noexcept;

  /// Plans to free the unit at `off`. Before lock(). corruption if no unit starts there. (An extent that another commit
  /// has freed meanwhile is no error before publish(): then the plan is out of date, and validation says so.)
  Status free(uint64_t off, UnitUse use);

  /// Locks these lines (index lines to be changed, validated or freed) and then those with the bits of the units that
  /// are allocated and freed, in lock order, and reserves room for changes of at most `max_lines` of them by at most
  /// `max_ops` set_word calls. too_large if the record could not fit its lane. Nothing is locked on failure.
  Status lock(std::span<const uint64_t> line_offs, uint64_t max_lines, uint64_t max_ops);
  /// Says that the caller read the locked lines with their checks and found their guards unchanged under the lock, so
  /// that publish need not verify them again.
  void lines_are_verified() noexcept { lines_verified_ = true; }
  /// Makes the pool's empty slabs at chunk `lowest` and above free chunks, by commits of their own; so before anything
  /// is planned. `freed` counts the chunks. corruption, io_error.
  Status free_empty_slabs(uint32_t lowest, uint64_t& freed);

  /// Gives the locks back and forgets the planned frees: the caller plans anew.
  void unlock() noexcept;

  // ---- between lock and publish ----

  /// Sets payload word `word` of a locked line.
  void set_word(uint64_t line_off, uint32_t word, uint64_t value) noexcept;
  /// A locked line that this commit frees or relies on: its seq stays below the commit's.
  void raise_seq(uint64_t seq) noexcept { min_seq_ = seq > min_seq_ ? seq : min_seq_; }

  /// Appends the log record, waits until it is durable, applies it and calls `on_applied` before any line is
  /// unlocked. corruption if a line to be changed fails its check, or a unit's bit is not what it must be (nothing
  /// was changed); io_error if the medium failed (whether the commit happened is then decided at the next open, and
  /// the handle is read-only).
  template <class OnApplied>
  Status publish(OnApplied&& on_applied) {
    NACRE_TRY(make_visible());
    on_applied();
    finish();
    return Code::ok;
  }
  Status publish() {
    return publish([] {});
  }

  uint64_t seq() const noexcept { return lane_->record.seq; }
  Lane& lane() noexcept { return *lane_; }
  /// How often allocate() let go of the pin to wait for space: what was read before that may be gone.
  uint32_t pin_breaks() const noexcept { return pin_breaks_; }

 private:
  class Inner;
  using ChunkWordChange = Lane::ChunkWordChange;
  static constexpr uint64_t kSlabShare = 4;  // a slab of several chunks is at most this part of the pool
  /// As allocate; not_found if the class changed while this commit waited for space, or others took what it made.
  Status allocate_unit(uint32_t class_id, UnitRef& unit);
  bool is_still(uint32_t class_id, uint64_t word) const noexcept;
  Status make_slab(uint32_t class_id);
  Status free_empty_slab(uint32_t lowest, uint64_t& freed);  // `freed` grows by its chunks
  Status claim_for_slab(Heap::Claim& claim, uint32_t chunks);
  bool prefers_extent(uint64_t bytes, UnitUse use, uint32_t class_id) const noexcept;
  uint64_t extent_chunks(uint64_t bytes) const noexcept;
  Status allocate_extent(uint64_t bytes, UnitRef& unit);
  Status reserve_extent(uint32_t chunks, UnitRef& unit);
  Status empty_slabs_for(uint32_t chunks, UnitRef& unit);
  void collect_chunk_words() noexcept;
  Status add_chunk_words() noexcept;
  Status grow(uint64_t chunks, uint64_t seen_bytes);
  Status repin_and_reclaim();
  // Mutants: see historic_mutants.h.
  Status allocate_by_itself(const UnitRef& unit);
  Status free_by_itself(const Lane::Freed& freed);
  void hold_frees_back();
  void free_what_was_held_back();
  template <class Work>
  Status without_lane(Work&& work);
  void prefetch_next(Slab& slab) const noexcept;
  static Status begun_twice() noexcept;
  void take_lane() noexcept;
  void unpin() noexcept {
    pool_.epochs().unpin();
    pinned_ = false;
  }
  void flush_owed() noexcept;
  void collect_bits() noexcept;
  void add_bit_op(BitChange change) noexcept;
  void lock_slab_lines() noexcept;
  Status add_slab_updates();
  static Status wrong_bit(BitChange change) noexcept;
  Status check_lines() const;
  void reserve_ring(uint64_t max_cells) noexcept;
  void change_half() noexcept;
  void flush_half(uint32_t half) noexcept;
  void fence_passed() noexcept;
  uint64_t choose_seq() noexcept;
  void compute_guards() noexcept;
  void append() noexcept;
  void settle() noexcept;
  Status make_durable();
  Status make_visible();
  void apply() noexcept;
  void apply_updates() noexcept;
  void apply_line(const LineUpdate& update) noexcept;
  void finish() noexcept;
  void into_limbo() noexcept;
  void unlock_index_lines() noexcept;
  void unlock_slab_lines() noexcept;
  void give_back() noexcept;
  void release() noexcept;

  Pool& pool_;
  Lane* lane_ = nullptr;
  bool pinned_ = false;
  uint32_t pin_breaks_ = 0;
  bool strict_ = false;
  bool fresh_fenced_ = false;
  bool locked_ = false;
  bool lines_verified_ = false;
  bool broken_ = false;        // the medium failed: what was reserved stays reserved until the next open
  uint64_t min_seq_ = 0;
  uint32_t index_updates_ = 0;  // the rest of record.updates are slab lines
  uint64_t max_cells_ = 0;
  const ChunkWordChange* own_word_ = nullptr;  // of a commit of the heap's own
  pmem::Ticket ticket_;
};

}  // namespace nacre::alloc
