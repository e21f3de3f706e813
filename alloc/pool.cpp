#include "alloc/pool.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "alloc/lane_layout.h"
#include "alloc/mutants.h"
#include "alloc/sites.h"
#include "alloc/zone.h"

namespace nacre::alloc {
namespace {

constexpr uint32_t kIndexStripes = 1u << 16;  // at most; one byte each: the table stays in the second-level cache
constexpr uint32_t kSlabStripes = 1u << 12;
constexpr int kQuiesceRounds = 64;
constexpr std::chrono::milliseconds kReclaimPatience{20};  // a reader may have lost its processor while pinned

}  // namespace

constinit thread_local int detail::t_preferred_lane = -1;

Pool::Pool(std::unique_ptr<pmem::Domain> domain, const Geometry& geometry, Salt salt, const PoolOptions& options)
    : domain_(std::move(domain)),
      layout_(geometry, domain_->size_bytes()),
      salt_(salt),
      options_(options),
      heap_(*domain_, layout_, salt, slab_locks_, epochs_),
      index_locks_(domain_->reserved_bytes() / kLineBytes, kIndexStripes),
      slab_locks_(domain_->reserved_bytes() / kLineBytes, kSlabStripes),
      can_write_(!options.read_only) {}

Pool::~Pool() = default;

Result<std::unique_ptr<Pool>> Pool::open(std::unique_ptr<pmem::Domain> domain, const PoolOptions& options) {
  NACRE_ASSIGN(const SuperblockView view, read_superblock(*domain, options.read_only));
  const Salt salt = salt_of(view.identity_lo, view.identity_hi);
  NACRE_TRY(refuse_truncated(*domain, salt));
  if (!options.read_only) NACRE_TRY(domain->fill_holes());
  std::unique_ptr<Pool> pool(new Pool(std::move(domain), view.geometry, salt, options));
  pool->identity_lo_ = view.identity_lo;
  pool->identity_hi_ = view.identity_hi;
  // The maker of the pool may have been killed between storing the magic word and its fence, or a healer before its
  // own: what says that this is a pool must be durable before anything is built on it. Recovery's last fence covers it.
  for (uint64_t copy : {kSuperblockAOff, kSuperblockBOff})
    pool->domain_->flush(copy, sizeof(SuperblockLayout), site::kSuperblockFlush);
  if (broken(site::kOpenReadsRootsFirst)) NACRE_TRY(pool->read_shape());
  NACRE_TRY(pool->recover());
  if (!options.read_only) heal_superblock(*pool->domain_, salt);
  if (!broken(site::kOpenReadsRootsFirst)) NACRE_TRY(pool->read_shape());
  if (!options.read_only) NACRE_TRY(pool->prepare_growth());
  return pool;
}

// What the roots lines, the zone table and the class table say, once recovery has brought them up to date.
Status Pool::read_shape() {
  NACRE_ASSIGN(const RootsView roots, read_roots(*domain_, salt_));
  roots_off_ = roots.line_off;
  layout_.set_pool_bytes(roots.pool_bytes);
  NACRE_TRY(load_zones(*domain_, salt_, layout_));
  return heap_.load_classes();
}

// A crash between the growth of the file and the commit that counts it in leaves a tail that is not the pool's. What it
// holds is unknown, and it may have holes: it is cut off. Recovery has made the size that is read here durable.
Status Pool::prepare_growth() {
  if (!broken(site::kOpenKeepsTail) && domain_->size_bytes() > align_up(layout_.pool_bytes(), kPageBytes))
    if (const Status cut = domain_->shrink(layout_.pool_bytes()); cut.code() != Code::not_supported) NACRE_TRY(cut);
  growth_ = std::make_unique<Growth>(*this, options_.grow);
  return Code::ok;
}

Status Pool::shrink() {
  NACRE_TRY(writable());
  return growth_->shrink();
}

Status Pool::recover() {
  std::vector<uint64_t> last_seqs(layout_.geometry.lane_count);
  NACRE_TRY(recover_lanes(*domain_, layout_, salt_, last_seqs, recovery_));
  for (uint32_t i = 0; i < layout_.geometry.lane_count; ++i) {
    auto lane = std::make_unique<Lane>();
    lane->number = i;
    lane->last_seq = last_seqs[i];
    lane->sealed_seq = broken(site::kSealAfterOpen) ? kSeqMask : last_seqs[i];
    lane->half_cells = layout_.geometry.lane_cells / 2;
    lane->durable_seq.store(last_seqs[i], std::memory_order_relaxed);
    lane->applied_seq.store(last_seqs[i], std::memory_order_relaxed);
    lanes_.push_back(std::move(lane));
  }
  return Code::ok;
}

Status Pool::why_not_writable() const noexcept {
  if (options_.read_only) [[unlikely]]
    return Status::error(Code::read_only, "the pool was opened read-only");
  if (failed_.load(std::memory_order_acquire)) [[unlikely]] {
    sync::Guard guard(failure_mutex_);
    return Status::error(Code::read_only,
                         "the pool became read-only after a failure (%s: %s); close it and open it again",
                         failure_.name(), failure_text_);
  }
  return domain_->health();
}

void Pool::fail(Status reason) noexcept {
  sync::Guard guard(failure_mutex_);
  if (failed_.load(std::memory_order_relaxed)) return;
  failure_ = reason;
  std::snprintf(failure_text_, sizeof failure_text_, "%s", reason.message());
  failed_.store(true, std::memory_order_release);
  can_write_.store(false, std::memory_order_release);
}

void Pool::prefer_lane(int lane) noexcept { detail::t_preferred_lane = lane; }

Lane& Pool::acquire_any_lane(uint32_t wanted) noexcept {
  const auto count = static_cast<uint32_t>(lanes_.size());
  sync::Backoff backoff;
  for (uint32_t n = 0;; ++n) {
    Lane& lane = *lanes_[(wanted + uint64_t{n}) % count];
    if (try_take(lane)) return lane;
    if (n % count == count - 1) backoff.wait(&lane);
  }
}

namespace {

// The slabs that units come back to lie all over the memory: first the slab is asked for, then its word.
void prefetch_slabs(const ReservedQueue<LimboEntry>& limbo) noexcept {
  constexpr size_t kSlabAhead = 8, kWordAhead = 4;
  if (const LimboEntry* e = limbo.ahead(kSlabAhead); e != nullptr && !e->unit.is_extent())
    __builtin_prefetch(e->unit.slab, 1);
  if (const LimboEntry* e = limbo.ahead(kWordAhead); e != nullptr && !e->unit.is_extent())
    e->unit.slab->prefetch_word(e->unit.unit);
}

// Nobody can still read it, and the seal that covers its last use is durable.
bool records_ready(const LimboEntry& entry, uint64_t epoch) noexcept {
  if (broken(site::kLimboAtOnce)) return true;
  return entry.epoch + (broken(site::kLimboEpochEarly) ? 1 : 2) <= epoch;
}

// Nobody can still read it, and no log record names it.
bool lines_ready(const LimboEntry& entry, uint64_t epoch, uint64_t retire_epoch) noexcept {
  if (broken(site::kLimboLinesAtOnce)) return true;
  if (broken(site::kLimboLinesUnretired)) return entry.epoch + 2 <= epoch;
  return entry.epoch + (broken(site::kLimboLinesEarly) ? 0 : 1) <= retire_epoch;
}

}  // namespace

void Pool::drain_all(Lane& held) noexcept {
  drain_limbo_now(held, UINT64_MAX);
  for (auto& lane : lanes_) {
    if (lane.get() == &held || !try_take(*lane)) continue;
    drain_limbo_now(*lane, UINT64_MAX);
    release_lane(*lane);
  }
}

void Pool::drain_limbo_now(Lane& lane, uint64_t most) noexcept {
  const uint64_t epoch = epochs_.current();
  uint64_t lines = most;  // a budget of their own: neither waits for the other
  for (; most > 0 && !lane.limbo_records.empty() && records_ready(lane.limbo_records.front(), epoch); --most) {
    prefetch_slabs(lane.limbo_records);
    heap_.release(lane.limbo_records.front().unit);
    lane.limbo_records.pop();
  }
  const uint64_t retire_epoch = last_retire_epoch_.load(std::memory_order_acquire);
  auto& lines_queue = lane.limbo_lines;
  for (; lines > 0 && !lines_queue.empty() && lines_ready(lines_queue.front(), epoch, retire_epoch); --lines) {
    heap_.release(lines_queue.front().unit);
    lines_queue.pop();
  }
}

bool Pool::advance(bool retire) noexcept {
  if (!advance_mutex_.try_lock()) return false;
  const bool moved = advance_locked(retire);
  advance_mutex_.unlock();
  return moved;
}

bool Pool::advance_locked(bool retire) noexcept {
  if (!domain_->health().ok() || (!broken(site::kEpochQuiescent) && !epochs_.quiescent())) return false;
  const uint64_t epoch = epochs_.current();
  bool any = false;
  for (auto& lane : lanes_) {  // idle lanes too: their last record may be the one whose fresh bytes are about to go
    sync::point(sync::Event::load, &lane->durable_seq);
    const uint64_t durable = lane->durable_seq.load(std::memory_order_acquire);
    if (durable <= lane->sealed_seq) continue;  // never lower, and what is sealed already was fenced
    if (broken(site::kSealNone) || (lane != lanes_.front() && broken(site::kSealFirstLane))) continue;
    const uint64_t off = layout_.lane_header_off(lane->number) + offsetof(LaneHeader, seal);
    sync::store_release(at<uint64_t>(off), make_lane_word(salt_, off, durable + (broken(site::kSealAhead) ? 1 : 0)));
    domain_->flush(off, kWordBytes, site::kSealFlush);
    lane->sealed_seq = durable;
    any = true;
  }
  if (any) domain_->fence(site::kSealFence);
  if (!domain_->health().ok()) return false;
  if (retire) retire_locked();
  if (!domain_->health().ok()) return false;
  if (retire) {
    last_retire_epoch_.store(epoch + (broken(site::kRetireEpochAhead) ? 1 : 0), std::memory_order_release);
    retires_.fetch_add(1, std::memory_order_relaxed);
  }
  epochs_.advance();
  advances_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

// Everything applied becomes home and durable, then the lanes say so. Each lane is held for the time its lines are
// flushed, so that its list and its applied seq belong together.
void Pool::retire_locked() noexcept {
  if (broken(site::kRetireFirst)) dismiss_records();
  bring_home();
  if (!domain_->health().ok()) return;
  if (!broken(site::kRetireFirst)) dismiss_records();
}

void Pool::bring_home() noexcept {
  for (auto& lane : lanes_) {
    if (!broken(site::kRetireLanesFree)) take(*lane);
    for (const auto& lines : lane->half_lines) {
      if (&lines != &lane->half_lines[0] && broken(site::kRetireHalf)) continue;
      if (lane != lanes_.front() && broken(site::kRetireOneLane)) continue;
      for (uint64_t off : lines) domain_->flush(off, kLineBytes, site::kRetireHomeFlush);
    }
    sync::point(sync::Event::load, &lane->applied_seq);
    lane->retiring_seq = lane->applied_seq.load(std::memory_order_acquire);
    if (!broken(site::kRetireLanesFree)) release_lane(*lane);
  }
  domain_->fence(site::kRetireHomeFence);
}

void Pool::dismiss_records() noexcept {
  for (auto& lane : lanes_) {
    if (lane != lanes_.front() && broken(site::kRetireFirstLane)) continue;
    const uint64_t off = layout_.lane_header_off(lane->number) + offsetof(LaneHeader, retired);
    const uint64_t seq = broken(site::kRetireFirst) ? lane->applied_seq.load() : lane->retiring_seq;
    sync::store_release(at<uint64_t>(off), make_lane_word(salt_, off, seq + (broken(site::kRetireAhead) ? 1 : 0)));
    domain_->flush(off, kWordBytes, site::kRetireFlush);
  }
  domain_->fence(site::kRetireFence);
}

void Pool::reclaim() noexcept {
  sync::Backoff backoff;
  const uint64_t enough = epochs_.current() + 3;  // what is unlinked now is of the next epoch, and waits two more
  const auto give_up = std::chrono::steady_clock::now() + kReclaimPatience;
  while (epochs_.current() < enough) {
    advance_mutex_.lock();
    const bool moved = advance_locked(true);
    advance_mutex_.unlock();
    if (moved) continue;  // the time that a slow medium takes for its fences does not count
    if (std::chrono::steady_clock::now() >= give_up) break;
    backoff.wait(this);
  }
  const Pin pin(epochs_);  // a slab that becomes empty here must not go while it is being listed
  if (!pin.status().ok()) return;
  for (auto& lane : lanes_) {
    bool taken = try_take(*lane);
    for (; !taken && std::chrono::steady_clock::now() < give_up; taken = try_take(*lane)) backoff.wait(lane.get());
    if (!taken) continue;
    drain_limbo_now(*lane, UINT64_MAX);
    release_lane(*lane);
  }
}

WriterStop::WriterStop(Pool& pool) noexcept : pool_(pool) {
  pool_.stop_mutex_.lock();
  for (auto& lane : pool_.lanes_)
    if (!broken(site::kStopLanesFree)) Pool::take(*lane);
}

WriterStop::~WriterStop() {
  for (auto& lane : pool_.lanes_)
    if (!broken(site::kStopLanesFree)) pool_.release_lane(*lane);
  pool_.stop_mutex_.unlock();
}

Status Pool::quiesce() {
  if (growth_ != nullptr) growth_->stop_helper();
  sync::Backoff backoff;
  for (int round = 0; round < kQuiesceRounds; ++round) {
    NACRE_TRY(domain_->health());
    advance_mutex_.lock();
    const bool moved = advance_locked(true);
    advance_mutex_.unlock();
    if (moved) return domain_->health();
    backoff.wait(this);
  }
  return Status::error(Code::internal, "close: an operation is still running in another thread");
}

uint64_t Pool::limbo_count() const noexcept {
  uint64_t n = 0;
  for (const auto& lane : lanes_) n += lane->limbo_records.size() + lane->limbo_lines.size();
  return n;
}

Pool::Stats Pool::stats() const noexcept {
  Stats s;
  for (const auto& lane : lanes_) {
    s.commits += lane->commits.load(std::memory_order_relaxed);
    s.strict_commits += lane->strict_commits.load(std::memory_order_relaxed);
    s.wraps += lane->wraps.load(std::memory_order_relaxed);
    s.cells += lane->cells.load(std::memory_order_relaxed);
  }
  s.advances = advances_.load(std::memory_order_relaxed);
  s.retires = retires_.load(std::memory_order_relaxed);
  return s;
}

}  // namespace nacre::alloc
