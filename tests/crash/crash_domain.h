// A persistence domain that remembers what a power loss could take away.
//
//   CrashMedium   the bytes: three images of the pool and, for each word that is not settled, its versions
//   CrashDomain   what the product sees of a medium; a medium outlives many domains (open, crash, open, ...)
//
//   working    what the product loads and stores (base() of the domain)
//   observed   the working image as it was when last looked at; working differs from it where somebody stored
//   durable    what survives if nothing else does
//
// Model W. Every aligned 8-byte word independently keeps any version since its last drained flush. A flush
// captures the content of its lines at that moment; a fence drains the captures of its own thread and of
// nobody else, so that a captured version becomes the oldest one the word can still fall back to.
//
// The truth is the images, not the calls: a word that was stored but never flushed is found by comparing
// working with observed (at each flush, in its lines; at each fence, everywhere) and stays unsettled until a
// flush of it is drained. Values that were overwritten between two looks are not seen: that is the one
// approximation, and the looks include dirty(), which an apply calls after its stores.
//
// The length of the file is a word, too: kept behind the capacity of the images, stored and flushed by grow and
// shrink. So until the next fence of the thread that grew the file a crash may leave the old length or the new one,
// whatever became of the words in the added range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "pmem/base/units.h"
#include "pmem/domain.h"
#include "tests/crash/sealed_bytes.h"
#include "tests/crash/site_table.h"

namespace nacre::crash {

class CrashMedium;

/// One value of a word. Stamps grow in the order of observation, over the whole medium.
struct Version {
  uint64_t value = 0;
  uint64_t stamp = 0;
};

/// The words whose content a crash would have to choose, with what it may choose, in program order (by the
/// first version that is not durable).
struct Unsettled {
  struct Word {
    uint32_t word_idx = 0;
    uint32_t first = 0;  ///< candidates [first, first + count), of distinct values; `first` is the durable one
    uint16_t count = 0;
    uint16_t latest = 0;  ///< which of them is the working value
    Sealing sealing = Sealing::none;
    uint32_t sealed_by = 0;  ///< number of the flush whose bytes it is one of; of no meaning without a sealing
  };
  std::vector<Word> words;
  std::vector<Version> candidates;

  void clear() noexcept {
    words.clear();
    candidates.clear();
  }
  const Version& candidate(const Word& word, uint32_t choice) const { return candidates[word.first + choice]; }
};

/// Durable content that changed, in order: how a copy of the durable image follows the original.
struct Delta {
  uint32_t word_idx;
  uint64_t value;
};

/// Told before each fence takes effect: all crash states between this fence and the one before it are those
/// of this moment.
class PointSink {
 public:
  virtual void on_crash_point(CrashMedium& medium, const char* reason) = 0;

 protected:
  ~PointSink() = default;
};

class CrashMedium {
 public:
  /// A pool of zeros that can grow to `max_bytes` (0: not at all). `size_bytes` is a multiple of 4 KiB.
  explicit CrashMedium(uint64_t size_bytes, uint64_t max_bytes = 0);
  ~CrashMedium();
  CrashMedium(const CrashMedium&) = delete;
  CrashMedium& operator=(const CrashMedium&) = delete;

  uint64_t size_bytes() const noexcept;  ///< as the product sees it now
  uint64_t max_bytes() const noexcept { return max_bytes_; }
  std::byte* working() const noexcept { return working_; }
  const std::byte* durable() const noexcept { return durable_; }
  /// Of the durable image; that of zeros is 0 (see zobrist.h).
  uint64_t durable_hash() const noexcept { return durable_hash_; }
  uint64_t fence_count() const noexcept { return fence_count_; }

  /// Model E: whatever was stored before a crash point is durable behind it, flushed or not.
  void set_persistent_caches(bool persistent) noexcept { persistent_caches_ = persistent; }
  void set_sites(SiteTable* sites) noexcept { sites_ = sites; }
  void set_sink(PointSink* sink) noexcept { sink_ = sink; }
  /// A blind medium follows nothing until the next rollback: for runs whose crashes nobody asks about.
  void set_blind(bool blind) noexcept { blind_ = blind; }

  // What the product does, through a CrashDomain. Thread-safe.
  void flush(uint64_t off, uint64_t bytes, const pmem::Site& site);
  void fence(const pmem::Site& site);
  void dirty(uint64_t off, uint64_t bytes);
  /// Makes the file as long as that; bytes that it gains are zero. At most max_bytes().
  void resize(uint64_t size_bytes);

  /// Looks at the whole working image and notes every store since the last look.
  void observe();
  /// Every unsettled word of the last look, in program order.
  void collect(Unsettled* out) const;
  /// A fence whose fault is that it comes late (SiteFault::late) takes effect now at the latest: its call is over.
  void finish_late();
  /// Stores seen so far, since clear_undo().
  size_t store_count() const noexcept { return undo_.size(); }
  bool settled() const noexcept { return entries_.empty(); }

  // How the explorer makes the image of a crash. None of these may run while the product does.

  /// Sets a word in all three images.
  void assign(uint32_t word_idx, uint64_t value);
  /// After the death of the process alone: everything it stored is visible, and as unsettled as it was. The
  /// medium must be settled and its durable image that of the moment of `unsettled`.
  void assign_killed(const Unsettled& unsettled);
  /// The process is gone and its unfenced flushes with it; stores stay visible.
  void forget_captures();
  /// Power loss: each word of collect() keeps the candidate that `choice` names, and all is settled.
  void lose_power(const Unsettled& unsettled, std::span<const uint16_t> choice);

  /// Durable changes since clear_deltas(), assign() included.
  const std::vector<Delta>& deltas() const noexcept { return deltas_; }
  void clear_deltas() noexcept { deltas_.clear(); }

  struct Mark {
    size_t undo_count;
    uint64_t durable_hash;
  };
  /// A settled state to come back to.
  Mark mark() const noexcept { return {undo_.size(), durable_hash_}; }
  /// Undoes everything since `mark`, whoever stored it, at the cost of what changed and one comparison.
  void rollback(const Mark& mark);
  /// Hash of the working image. Of a medium that was settled, and blind since; once between two states.
  uint64_t hash_after_blind_run();
  /// Forgets how to roll back.
  void clear_undo() noexcept { undo_.clear(); }

  /// The working image, for a store that is thrown away without a chance to write (kill -9).
  void save_working();
  void restore_working();

 private:
  struct Entry {
    uint32_t word_idx = 0;
    uint32_t sealed_by = 0;
    Sealing sealing = Sealing::none;  // of the newest version
    std::vector<Version> versions;    // [0] is durable
  };
  struct Captured {
    uint32_t word_idx;
    uint64_t stamp;
  };
  struct Undo {
    uint32_t word_idx;
    uint64_t value;  // of the observed image
  };

  template <class Fn>
  void for_changed_words(uint64_t first_line, uint64_t line_count, const Fn& fn);
  void observe_lines(uint64_t first_line, uint64_t line_count);
  void note_store(uint32_t word_idx, uint64_t value);
  void note_version(uint32_t word_idx, uint64_t value);
  void capture_lines(uint64_t first_line, uint64_t line_count);
  void seal_words(uint64_t off, uint64_t bytes, Sealing sealing);
  void flush_faulty(uint64_t first_line, uint64_t line_count, SiteInfo* site);
  void fence_faulty(SiteInfo* site);
  void finish_late_locked();
  void settle_all();
  bool any_unsettled(uint64_t first_line, uint64_t line_count) const;
  void drain(const Captured& captured);
  void drop_entry(uint32_t word_idx);
  void drop_all_entries();
  void set_durable(uint32_t word_idx, uint64_t value);
  void set_all(uint32_t word_idx, uint64_t value) noexcept;
  uint64_t absorb();
  Entry& entry_of(uint32_t word_idx);

  uint64_t size_word() const noexcept { return max_bytes_ / kWordBytes; }
  uint64_t image_lines() const noexcept { return max_bytes_ / kLineBytes; }
  void zero_words(uint64_t first, uint64_t end);

  uint64_t max_bytes_;
  uint64_t image_bytes_;  // with the page of the size word
  std::byte* working_ = nullptr;
  std::byte* observed_ = nullptr;
  std::byte* durable_ = nullptr;
  std::vector<uint32_t> entry_of_word_;  // index into entries_ plus one; zero: settled
  std::vector<Entry> entries_;
  std::vector<std::vector<Version>> spare_versions_;  // so that no state allocates
  std::vector<std::vector<Captured>> captured_;       // by thread index, as far as threads have flushed
  struct Lines {
    uint64_t first_line, line_count;
    uint32_t thread;
  };
  std::vector<Lines> late_flushes_;   // of faulty sites: captured after their thread's next fence
  std::vector<Captured> late_fence_;  // of a faulty site: drained at the next call
  SiteInfo* late_site_ = nullptr;     // not null: such a fence is waiting
  std::vector<Undo> undo_;
  std::vector<Delta> deltas_;
  std::vector<std::byte> saved_working_;
  uint64_t clock_ = 0;
  uint64_t durable_hash_ = 0;
  uint64_t fence_count_ = 0;
  uint32_t sealing_flushes_ = 0;
  bool applying_ = false;  // an apply says what it stored
  bool blind_ = false;
  bool persistent_caches_ = false;
  SiteTable* sites_ = nullptr;
  PointSink* sink_ = nullptr;
  std::mutex mutex_;
};

/// The domain the product is given. Owns nothing unless it was made from a size or an image.
class CrashDomain final : public pmem::Domain {
 public:
  explicit CrashDomain(CrashMedium& medium);
  explicit CrashDomain(uint64_t size_bytes);
  /// Both images equal and settled.
  explicit CrashDomain(std::span<const std::byte> image);
  /// Words that differ are visible but were never flushed, as after kill -9.
  CrashDomain(std::span<const std::byte> working, std::span<const std::byte> durable);

  CrashMedium& medium() const noexcept { return *medium_; }

  Status grow(uint64_t new_bytes) noexcept override;
  Status shrink(uint64_t new_bytes) noexcept override;

 protected:
  void do_flush(uint64_t off, uint64_t bytes, const pmem::Site& site) noexcept override;
  void do_fence(const pmem::Site& site) noexcept override;
  pmem::Ticket do_order(const pmem::Site& site) noexcept override;
  void do_dirty(uint64_t off, uint64_t bytes) noexcept override;

 private:
  explicit CrashDomain(std::unique_ptr<CrashMedium> medium);

  std::unique_ptr<CrashMedium> owned_;
  CrashMedium* medium_;
};

}  // namespace nacre::crash
