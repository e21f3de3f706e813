// The persistence domain: the single door from a mapping's bytes to durability.
//
// Everything above pmem/ stores into base()[off] and then tells the domain what must become durable. A
// hardware domain turns that into cache-line write-backs and a fence; the crash explorer is another
// implementation, which remembers what could be lost.
//
//   store ... store            in cache, may or may not survive
//   flush(off, bytes, site)    on its way
//   fence(site)                this thread's earlier flushes are durable when it returns
//   order(site)                what a commit calls before it applies; wait(ticket) what it calls after unlock.
//                              dax: order is the fence and wait nothing. A log medium: order assigns a log
//                              position and wait is the group commit.
//
// A fence drains only what its own thread flushed. Fences cannot return an error: a failure is sticky, and
// whoever acknowledges work asks health() first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "pmem/arch/flush.h"
#include "pmem/base/status.h"
#include "pmem/base/thread_index.h"
#include "pmem/base/units.h"
#include "pmem/site.h"

namespace nacre::pmem {

enum class Medium : uint8_t {
  dax,     ///< stores reach the medium by cache-line write-back
  memory,  ///< plain memory: nothing is durable, nothing is flushed
  msync,   ///< an ordinary file mapped shared: a fence is msync of the pages flushed since the last one
  test,    ///< a domain of the test suite
};

const char* medium_name(Medium medium) noexcept;

/// What a thread, or all of them, asked of a domain since it was made.
struct Counters {
  uint64_t fences = 0;  ///< fence() and order()
  uint64_t lines = 0;   ///< cache lines handed to flush()
  uint64_t bytes = 0;   ///< bytes handed to flush(), before rounding to lines
};

/// A position in the order of commits, made by order() and passed to wait(). Zero means nothing to wait for.
struct Ticket {
  uint64_t position = 0;
};

class Domain {
 public:
  virtual ~Domain() = default;
  Domain(const Domain&) = delete;
  Domain& operator=(const Domain&) = delete;

  std::byte* base() const noexcept { return base_; }
  /// Bytes that may be loaded and stored. Only grows while others look; shrinks when the caller has stopped everybody.
  uint64_t size_bytes() const noexcept { return size_bytes_.load(std::memory_order_acquire); }
  /// Addresses kept free from base() on: no growth goes beyond them. At least size_bytes().
  uint64_t reserved_bytes() const noexcept { return reserved_bytes_; }
  Medium medium() const noexcept { return medium_; }
  /// True when dax (or another) behaviour was asked for rather than found, e.g. by NACRE_MEDIUM on tmpfs.
  bool forced() const noexcept { return forced_; }
  FlushKind flush_kind() const noexcept { return flush_kind_; }

  template <class T>
  T* at(uint64_t off) const noexcept {
    return reinterpret_cast<T*>(base_ + off);
  }

  /// Starts the write-back of every cache line that [off, off + bytes) touches. bytes == 0 does nothing.
  /// Thread-safe; makes nothing durable by itself.
  void flush(uint64_t off, uint64_t bytes, const Site& site) noexcept {
    if (bytes == 0) return;
    count_flush(off, bytes);
    if (flush_kind_ == FlushKind::hooked) [[unlikely]]
      return do_flush(off, bytes, site);
    flush_lines(flush_kind_, base_ + off, bytes);
  }

  /// Everything this thread flushed before is durable when it returns (unless health() says otherwise).
  void fence(const Site& site) noexcept {
    counters_of_this_thread().add_fence();
    if (flush_kind_ == FlushKind::hooked) [[unlikely]]
      return do_fence(site);
    store_fence(flush_kind_);
  }

  /// The commit's ordering point: after it, apply may begin. See the top of the file.
  Ticket order(const Site& site) noexcept {
    counters_of_this_thread().add_fence();
    if (flush_kind_ == FlushKind::hooked) [[unlikely]]
      return do_order(site);
    store_fence(flush_kind_);
    return {};
  }

  /// Returns when the commit that got `ticket` is durable.
  void wait(Ticket ticket, const Site& site) noexcept {
    if (ticket.position != 0) [[unlikely]]
      do_wait(ticket, site);
  }

  /// Copies with non-temporal stores where that is possible and flushes the range: for large fresh records.
  void copy_nt(uint64_t off, const void* source, uint64_t bytes, const Site& site) noexcept;

  /// Says that [off, off + bytes) was changed by an apply: checkpoints of a log medium need it, others do not.
  void dirty(uint64_t off, uint64_t bytes) noexcept {
    if (flush_kind_ == FlushKind::hooked) [[unlikely]]
      do_dirty(off, bytes);
  }

  /// Grows by one whenever a range of the mapping was found to be poisoned. Operations read it before they
  /// acknowledge.
  uint64_t poison_generation() const noexcept { return poison_generation_.load(std::memory_order_acquire); }

  /// Ok, or the first failure of the medium (sticky; for instance a failed msync). Costs one load when ok.
  Status health() const noexcept {
    if (!failed_.load(std::memory_order_acquire)) [[likely]]
      return Code::ok;
    return do_health();
  }

  /// A domain whose pool file was made by the same open removes that file when it is destroyed, unless this was
  /// called: whoever formats the pool calls it once the pool is sound.
  virtual void keep_created() noexcept {}

  /// Gives a file with holes (a sparse copy of a pool) real blocks, for a store into a hole on a full file system is
  /// SIGBUS. A writer calls it once it knows that the file is a pool. out_of_space, io_error.
  virtual Status fill_holes() noexcept { return Code::ok; }

  /// Makes the medium `new_bytes` long (rounded up to whole pages): takes real blocks, waits until the new length is
  /// durable, maps the added range behind what there is, then publishes the size. The added bytes are zero. One caller
  /// at a time; others may use the rest meanwhile, none of it moves. Nothing to do if it is that long already.
  ///
  /// On failure the file has its old length again and nothing has changed: out_of_space (the file system, or the
  /// process's limit on the length of a file), limit (beyond reserved_bytes()), out_of_memory, io_error,
  /// not_supported (a read-only image, or a medium that cannot grow).
  virtual Status grow(uint64_t new_bytes) noexcept;
  /// Gives what lies behind `new_bytes` (rounded up to whole pages) back to the system. Nobody may use that range any
  /// more, and what relies on the pool being shorter must be durable. io_error: the size is what it was, or the file
  /// keeps a tail that the next growth or open takes away. not_supported as for grow.
  virtual Status shrink(uint64_t new_bytes) noexcept;
  /// Takes the page faults of [off, off + bytes) now, so that a later store does not. Best effort: false if this
  /// medium or system has no use for it, and then it need not be asked again. Thread-safe.
  virtual bool prefault(uint64_t off, uint64_t bytes) noexcept;

  Counters thread_counters() const noexcept;  ///< of the calling thread (index)
  Counters total_counters() const noexcept;   ///< of all threads; exact when they are quiet

 protected:
  /// `reserved_bytes` 0: as many as `size_bytes`.
  Domain(std::byte* base, uint64_t size_bytes, Medium medium, FlushKind kind, bool forced,
         uint64_t reserved_bytes = 0);

  virtual void do_flush(uint64_t off, uint64_t bytes, const Site& site) noexcept;
  virtual void do_fence(const Site& site) noexcept;
  virtual Ticket do_order(const Site& site) noexcept;
  virtual void do_wait(Ticket ticket, const Site& site) noexcept;
  virtual void do_dirty(uint64_t off, uint64_t bytes) noexcept;
  virtual Status do_health() const noexcept;

  void publish_size(uint64_t size_bytes) noexcept { size_bytes_.store(size_bytes, std::memory_order_release); }
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> poison_generation_{0};

 private:
  // One cache line per thread, so that counting is a plain add on a line nobody else writes.
  struct alignas(64) ThreadCounters {
    std::atomic<uint64_t> fences{0}, lines{0}, bytes{0};
    void add_fence() noexcept { bump(fences, 1); }
    static void bump(std::atomic<uint64_t>& counter, uint64_t n) noexcept {
      counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
  };
  ThreadCounters& counters_of_this_thread() noexcept { return counters_[thread_index()]; }
  void count_flush(uint64_t off, uint64_t bytes) noexcept {
    ThreadCounters& c = counters_of_this_thread();
    ThreadCounters::bump(c.lines, (off + bytes - 1) / kLineBytes - off / kLineBytes + 1);
    ThreadCounters::bump(c.bytes, bytes);
  }

  std::byte* const base_;
  std::atomic<uint64_t> size_bytes_;
  const uint64_t reserved_bytes_;
  Medium medium_;
  FlushKind flush_kind_;
  bool forced_;
  std::unique_ptr<ThreadCounters[]> counters_;
};

}  // namespace nacre::pmem
