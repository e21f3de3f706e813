// Slabs: which unit of which one is handed out next, and which chunks become one.
#include "alloc/heap.h"

#include <algorithm>
#include <utility>

#include "alloc/mutants.h"
#include "alloc/steady_line.h"

namespace nacre::alloc {

Status damaged_line(const char* what, uint64_t line_off) {
  return Status::error(Code::corruption, "%s line at offset %llu fails its check; run nacre check", what,
                       static_cast<unsigned long long>(line_off));
}

Heap::Heap(pmem::Domain& domain, const Layout& layout, Salt salt, const LineLocks& locks, const Epochs& epochs)
    : domain_(domain), layout_(layout), salt_(salt), locks_(locks), epochs_(epochs) {}

Heap::~Heap() {
  for (const ClassSlabs& list : class_slabs_)
    for (Slab* slab : list.all) delete slab;
}

Status Heap::load_classes() {
  std::vector<uint64_t> words;
  words.reserve(kMaxClasses);
  for (uint64_t off = kClassTableOff; off < kClassTableOff + kClassTableBytes; off += kLineBytes) {
    const auto* line = domain_.at<GuardedLine>(off);
    if (!line_intact(salt_, off, *line) && !broken(site::kHeapClassesUnchecked))
      return damaged_line("class table", off);
    words.insert(words.end(), line->words, line->words + kLineWords);
  }
  return classes_.load(words, layout_.geometry);
}

// ---- reading a slab's bitmap ----

void Heap::make_room(ClassSlabs& list) {
  const auto grow = [](auto& v, size_t need) {
    if (v.capacity() < need) v.reserve(need * 2);
  };
  const size_t need = list.all.size() + kMaxThreads;  // each thread may be installing one
  grow(list.all, need);
  grow(list.with_room, need);
}

void Heap::set_slab_at(const FreeRun& run, Slab* slab) noexcept {
  for (uint32_t i = 0; i < run.chunks; ++i) slab_of_chunk_[run.first + i].store(slab, std::memory_order_release);
}

Result<Slab*> Heap::load_slab(uint32_t head, const ChunkUse& use) {
  if (Slab* slab = slab_at(head)) return slab;
  const SizeClass c = classes_[use.class_id];
  auto slab = std::make_unique<Slab>(head, use.chunks, use.class_id, layout_.chunk_off(head),
                                     layout_.place_of(head).bitmap_off, c.unit_bytes, c.units_per_slab);
  slabs_loaded_.fetch_add(1, std::memory_order_relaxed);
  for (uint32_t w = 0; w < layout_.bitmap_lines * kLineWords; ++w) {
    const uint64_t line_off = slab->bitmap_off() + w / kLineWords * kLineBytes;
    const auto* line = domain_.at<GuardedLine>(line_off);
    if (w % kLineWords == 0 && !line_intact(salt_, line_off, *line) && !broken(site::kHeapBitmapUnchecked))
      return damaged_line("bitmap", line_off);
    const uint64_t allocated = line->words[w % kLineWords];
    const uint64_t first = uint64_t{w} * 64;
    const uint64_t valid = first >= c.units_per_slab ? 0
                           : c.units_per_slab - first >= 64
                               ? ~uint64_t{0}
                               : (uint64_t{1} << (c.units_per_slab - first)) - 1;
    if ((allocated & ~valid) != 0)
      return Status::error(Code::corruption, "chunk %u: bitmap word %u marks units beyond the %u that its class has",
                           head, w, c.units_per_slab);
    if (w < slab->word_count()) slab->load_word(w, valid & (broken(site::kHeapSetBitsAvailable) ? valid : ~allocated));
  }
  ClassSlabs& list = class_slabs_[use.class_id];
  make_room(list);
  slab_of_chunk_.make(head, use.chunks);
  Slab* raw = slab.release();
  list.all.push_back(raw);
  set_slab_at({head, use.chunks}, raw);
  if (raw->has_room()) {
    raw->listed.store(true, std::memory_order_seq_cst);
    list.with_room.push_back(raw);
  }
  return raw;
}

// The slab may have been located, emptied or replaced since the cursor came by.
Status Heap::load_next(ClassSlabs& list) {
  const uint32_t head = list.unloaded[list.next_unloaded];
  if (slab_at(head) == nullptr) {
    ChunkUse use;
    NACRE_TRY(read_chunk(head, use));
    if (use.state == ChunkState::slab) NACRE_TRY(load_slab(head, use).status());
  }
  if (++list.next_unloaded == list.unloaded.size()) {
    list.unloaded.clear();
    list.next_unloaded = 0;
  }
  return Code::ok;
}

// ---- reserving ----

// In a large pool that is overwritten at random, slabs with room have one free unit each, and every reservation goes on
// to another slab. What the next one will touch is asked for in three steps, one with each slab that is taken.
inline void Heap::prefetch_listed(const ClassSlabs& list) const noexcept {
  const auto ahead = [&](size_t n) {
    return n <= list.with_room.size() ? *(list.with_room.end() - static_cast<std::ptrdiff_t>(n)) : nullptr;
  };
  if (const Slab* slab = ahead(3)) __builtin_prefetch(slab);
  if (const Slab* slab = ahead(2)) slab->prefetch_next_word();
  if (Slab* slab = ahead(1))
    if (const uint32_t unit = slab->peek(); unit != slab->unit_count())
      __builtin_prefetch(domain_.base() + slab->unit_off(unit), 1);
}

bool Heap::take_listed(ClassSlabs& list, Arena& arena, uint32_t class_id, UnitRef& out) {
  while (!list.with_room.empty()) {
    Slab* slab = list.with_room.back();
    list.with_room.pop_back();
    out = {slab, slab->take(), 0, 0};
    if (out.unit != slab->unit_count()) {
      slab->in_arena = true;
      arena.active[class_id] = slab;
      prefetch_listed(list);
      return true;
    }
    slab->listed.store(false, std::memory_order_seq_cst);
    if (!slab->claimed && slab->has_room() && !slab->listed.exchange(true)) list.with_room.push_back(slab);
  }
  return false;
}

// Each turn holds the lock for one bounded step.
Status Heap::refill(Arena& arena, uint32_t class_id, UnitRef& out) {
  const uint32_t slab_chunks = classes_.slab_chunks(class_id);
  for (uint32_t loads = 0;;) {
    sync::Guard guard(mutex_);
    ClassSlabs& list = class_slabs_[class_id];
    if (Slab* old = std::exchange(arena.active[class_id], nullptr)) {
      old->in_arena = false;
      old->listed.store(false, std::memory_order_seq_cst);
      if (!old->claimed && old->has_room() && !old->listed.exchange(true)) list.with_room.push_back(old);
    }
    if (take_listed(list, arena, class_id, out)) return Code::ok;
    // A few bitmaps, for freed units are better used than a new slab; then a free chunk, which costs less to find than
    // the rest of the bitmaps; only then all of them.
    const bool scanned_all = scanned_all_.load(std::memory_order_acquire);
    if (list.has_unloaded() && (loads < kLoadsWhileFree || (scanned_all && runs_.longest() < slab_chunks))) {
      arena.had_to_read = true;
      NACRE_TRY(load_next(list));  // lists it if it has room
      ++loads;
    } else if (runs_.longest() >= slab_chunks || scanned_all) {
      return Code::not_found;
    } else {
      arena.had_to_read = true;
      NACRE_TRY(scan_step());
    }
  }
}

Status Heap::reserve_anywhere(uint32_t class_id, UnitRef& out) {
  sync::Guard guard(mutex_);
  for (Slab* slab : class_slabs_[class_id].all) {
    if (!slab->has_room()) continue;
    out = {slab, slab->take(), 0, 0};
    if (out.unit != slab->unit_count()) return Code::ok;
  }
  return Code::not_found;
}

void Heap::list_room(Slab* slab) noexcept {
  sync::point(sync::Event::store, &slab->listed);
  if (slab->listed.load(std::memory_order_seq_cst) || slab->listed.exchange(true)) return;
  sync::Guard guard(mutex_);
  if (slab->claimed) return;  // it was found empty meanwhile; whoever gives it up lists it
  class_slabs_[slab->class_id()].with_room.push_back(slab);  // never beyond the reserved capacity
}

void Heap::release(const UnitRef& unit) noexcept {
  if (unit.is_extent()) return release_extent(unit);
  unit.slab->give(unit.unit);
  list_room(unit.slab);
}

Status Heap::locate(uint64_t off, UnitRef& out) {
  const uint64_t chunk = off >> layout_.chunk_shift;
  Slab* slab = chunk < layout_.max_frames ? slab_at(static_cast<uint32_t>(chunk)) : nullptr;
  if (slab == nullptr && layout_.chunk_of(off) != kNoChunk) {
    NACRE_TRY(locate_unloaded(off, out, slab));
    if (slab == nullptr) return Code::ok;  // an extent
  }
  if (slab != nullptr) {
    const uint64_t unit = (off - slab->unit_off(0)) / slab->unit_bytes();
    if (unit < slab->unit_count() && slab->unit_off(static_cast<uint32_t>(unit)) == off) {
      out = {slab, static_cast<uint32_t>(unit), 0, 0};
      return Code::ok;
    }
  }
  return Status::error(Code::corruption, "offset %llu: a reference leads there but no unit starts there",
                       static_cast<unsigned long long>(off));
}

// ---- chunks that change their use ----

Status Heap::claim_chunks(Claim& out, uint32_t chunks) {
  for (;;) {
    sync::Guard guard(mutex_);
    if (const FreeRun run = runs_.take_lowest(chunks); run.chunks != 0) {
      ChunkUse use;
      NACRE_TRY(read_chunk(run.first, use));  // damaged since the cursor came by: not handed out before the next open
      if (use.state != ChunkState::free)
        return Status::error(Code::corruption, "chunk %u is in use though it was free; run nacre check", run.first);
      out.run_ = run;
      out.free_left_ = runs_.chunk_count();
      out.bitmap_written_ = use.bitmap_written;
      out.emptied_ = nullptr;
      out.held_ = true;
      return Code::ok;
    }
    if (scanned_all_.load(std::memory_order_acquire)) break;
    NACRE_TRY(scan_step());
  }
  const Status s = claim_empty(out, chunks, 0);
  if (s.code() != Code::not_found) return s;
  return Status::error(Code::out_of_space,
                       "pool of %llu bytes is full: no %u free chunks of %u bytes in a row are "
                       "left",
                       static_cast<unsigned long long>(layout_.pool_bytes()), chunks, layout_.geometry.chunk_bytes);
}

Status Heap::load_all() {
  for (Result<bool> more = true;;) {
    more = load_some();
    if (!more) return more.status();
    if (!*more) return Code::ok;
  }
}

/// `chunks` 0: of any size.
Status Heap::claim_empty(Claim& out, uint32_t chunks, uint32_t lowest) {
  NACRE_TRY(load_all());
  sync::Guard guard(mutex_);
  drop_retired();
  retired_.reserve(retired_.size() + kMaxThreads);  // each thread may be retiring one
  for (ClassSlabs& list : class_slabs_) {
    for (size_t i = 0; i < list.all.size(); ++i) {
      Slab* slab = list.all[i];
      if (slab->chunk() < lowest || (chunks != 0 && slab->chunk_count() != chunks)) continue;
      if (!broken(site::kHeapUsedClaimed) && (!slab->whole_available() || !slab->take_all())) continue;
      slab->claimed = true;
      slab->listed.store(true);  // so that nobody lists it again; the arenas that have it find it empty
      std::erase(list.with_room, slab);
      list.all.erase(list.all.begin() + static_cast<std::ptrdiff_t>(i));
      out.run_ = {slab->chunk(), slab->chunk_count()};
      out.bitmap_written_ = true;
      out.emptied_ = slab;
      ++emptied_of_class_[slab->class_id()];
      out.held_ = true;
      return Code::ok;
    }
  }
  return Code::not_found;
}

void Heap::unclaim(const Claim& claim) noexcept {
  sync::Guard guard(mutex_);
  if (claim.emptied_ == nullptr) return give_run(claim.run_);
  --emptied_of_class_[claim.emptied_->class_id()];
  ClassSlabs& list = class_slabs_[claim.emptied_->class_id()];
  list.all.push_back(claim.emptied_);  // capacity is there: it was in it before
  for (uint32_t u = 0; u < claim.emptied_->unit_count(); ++u) claim.emptied_->give(u);
  claim.emptied_->claimed = false;
  claim.emptied_->listed.store(true);  // an arena that found it empty may have said otherwise
  list.with_room.push_back(claim.emptied_);
}

std::unique_ptr<Slab> Heap::prepare_install(const Claim& claim, uint32_t class_id) {
  const SizeClass c = classes_[class_id];
  auto slab = std::make_unique<Slab>(claim.chunk(), claim.chunk_count(), static_cast<uint16_t>(class_id),
                                     layout_.chunk_off(claim.chunk()), layout_.place_of(claim.chunk()).bitmap_off,
                                     c.unit_bytes, c.units_per_slab);
  for (uint32_t u = 0; u < c.units_per_slab; ++u) slab->give(u);
  sync::Guard guard(mutex_);
  drop_retired();
  make_room(class_slabs_[class_id]);
  slab_of_chunk_.make(claim.chunk(), claim.chunk_count());
  return slab;
}

void Heap::install(const Claim& claim, std::unique_ptr<Slab> slab) noexcept {
  sync::Guard guard(mutex_);
  Slab* raw = slab.release();
  ClassSlabs& list = class_slabs_[raw->class_id()];
  raw->listed.store(true);
  list.all.push_back(raw);
  list.with_room.push_back(raw);
  set_slab_at(claim.run_, raw);
  emptied_is_gone(claim);
}

/// The commit that named another use for the chunks of an emptied slab is done.
void Heap::emptied_is_gone(const Claim& claim) noexcept {
  if (claim.emptied_ == nullptr) return;
  --emptied_of_class_[claim.emptied_->class_id()];
  retire(claim.emptied_);
}

// Whoever found the slab while it was one has a pin, or an arena leads to it.
void Heap::retire(Slab* slab) noexcept {
  if (slab != nullptr) retired_.push_back({std::unique_ptr<Slab>(slab), epochs_.current() + 1});  // room was made
}

void Heap::drop_retired() noexcept {
  const uint64_t epoch = epochs_.current();
  std::erase_if(retired_, [&](const Retired& r) { return !r.slab->in_arena && r.epoch + 2 <= epoch; });
}

// Its class stays in use until the next open: the chunk may name it.
void Heap::forget(const Claim& claim) noexcept {
  sync::Guard guard(mutex_);
  retire(claim.emptied_);
}

void Heap::slab_freed(const Claim& claim) noexcept {
  sync::Guard guard(mutex_);
  if (!broken(site::kHeapPointerKept)) set_slab_at(claim.run_, nullptr);
  give_run(claim.run_);
  emptied_is_gone(claim);
}

Heap::Work Heap::work() noexcept {
  sync::Guard guard(mutex_);
  return {words_read_.load(std::memory_order_relaxed), slabs_loaded_.load(std::memory_order_relaxed), retired_.size()};
}

Result<bool> Heap::load_some() {
  sync::Guard guard(mutex_);
  if (!scanned_all_.load(std::memory_order_acquire)) {
    NACRE_TRY(scan_step());
    return true;
  }
  for (ClassSlabs& list : class_slabs_) {
    if (!list.has_unloaded()) continue;
    NACRE_TRY(load_next(list));
    return true;
  }
  return false;
}

}  // namespace nacre::alloc
