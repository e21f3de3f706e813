#include "alloc/heap.h"

#include <algorithm>

namespace nacre::alloc {
namespace {

constexpr uint8_t kClaimed = 0xff;  // in DRAM only: somebody is about to commit a new use of the chunk

Status damaged_line(const char* what, uint64_t line_off) {
  return Status::error(Code::corruption, "%s line at offset %llu fails its check; run nacre check", what,
                       static_cast<unsigned long long>(line_off));
}

}  // namespace

Heap::Heap(pmem::Domain& domain, const Layout& layout, Salt salt) : domain_(domain), layout_(layout), salt_(salt) {}

Status Heap::load_classes() {
  std::vector<uint64_t> words;
  words.reserve(kMaxClasses);
  for (uint64_t off = kClassTableOff; off < kClassTableOff + kClassTableBytes; off += kLineBytes) {
    const auto* line = domain_.at<GuardedLine>(off);
    if (!line_intact(salt_, off, *line)) return damaged_line("class table", off);
    words.insert(words.end(), line->words, line->words + kLineWords);
  }
  return classes_.load(words, layout_.geometry);
}

Status Heap::read_chunk_word(uint32_t chunk, uint64_t& word) const {
  const uint64_t line_off = layout_.chunk_line_off(chunk);
  const auto* line = domain_.at<GuardedLine>(line_off);
  if (!line_intact(salt_, line_off, *line)) return damaged_line("chunk table", line_off);
  word = line->words[layout_.chunk_word_idx(chunk)];
  const uint8_t state = chunk_word_state(word);
  const uint16_t class_id = chunk_word_class(word);
  const bool known = chunk_word_clean(word) &&
                     (word == 0 || (state == static_cast<uint8_t>(ChunkState::slab) && class_id < classes_.count() &&
                                    classes_[class_id].state != ClassState::absent));
  if (!known)
    return Status::error(Code::corruption, "chunk %u: its table word %016llx names no known state or class", chunk,
                         static_cast<unsigned long long>(word));
  return Code::ok;
}

Status Heap::load_table() {
  sync::Guard guard(mutex_);
  if (table_loaded_.load(std::memory_order_relaxed)) return Code::ok;
  const auto count = static_cast<uint32_t>(layout_.chunk_count);
  std::vector<uint8_t> state(count);
  std::vector<uint16_t> class_of(count);
  std::vector<ClassSlabs> by_class(kMaxClasses);
  for (uint32_t chunk = 0; chunk < count; ++chunk) {
    uint64_t word;
    NACRE_TRY(read_chunk_word(chunk, word));
    state[chunk] = chunk_word_state(word);
    class_of[chunk] = chunk_word_class(word);
    if (state[chunk] == static_cast<uint8_t>(ChunkState::slab)) by_class[class_of[chunk]].unloaded.push_back(chunk);
  }
  for (ClassSlabs& c : by_class) {
    std::reverse(c.unloaded.begin(), c.unloaded.end());  // popped from the back: low chunks first
    c.all.reserve(c.unloaded.size());
    c.with_room.reserve(c.unloaded.size());
  }
  chunk_state_ = std::move(state);
  chunk_class_ = std::move(class_of);
  class_slabs_ = std::move(by_class);
  slab_of_chunk_.reset(new std::atomic<Slab*>[count]);
  for (uint32_t i = 0; i < count; ++i) slab_of_chunk_[i].store(nullptr, std::memory_order_relaxed);
  table_loaded_.store(true, std::memory_order_release);
  return Code::ok;
}

void Heap::make_room(ClassSlabs& list) {
  const auto grow = [](auto& v, size_t need) {
    if (v.capacity() < need) v.reserve(need * 2);
  };
  const size_t need = list.all.size() + list.unloaded.size() + kMaxThreads;  // each thread may be installing one
  grow(list.all, need);
  grow(list.with_room, need);
  grow(slabs_, slabs_.size() + kMaxThreads);
}

Result<Slab*> Heap::load_slab(uint32_t chunk) {
  if (Slab* slab = slab_of_chunk_[chunk].load(std::memory_order_acquire)) return slab;
  const uint16_t class_id = chunk_class_[chunk];
  const SizeClass& c = classes_[class_id];
  auto slab = std::make_unique<Slab>(chunk, class_id, layout_.chunk_off(chunk), c.unit_bytes, c.units_per_slab);
  for (uint32_t w = 0; w < layout_.bitmap_lines * kLineWords; ++w) {
    const uint64_t line_off = layout_.bitmap_line_off(chunk, w / kLineWords);
    const auto* line = domain_.at<GuardedLine>(line_off);
    if (w % kLineWords == 0 && !line_intact(salt_, line_off, *line)) return damaged_line("bitmap", line_off);
    const uint64_t allocated = line->words[w % kLineWords];
    const uint64_t first = uint64_t{w} * 64;
    const uint64_t valid = first >= c.units_per_slab ? 0
                           : c.units_per_slab - first >= 64
                               ? ~uint64_t{0}
                               : (uint64_t{1} << (c.units_per_slab - first)) - 1;
    if ((allocated & ~valid) != 0)
      return Status::error(Code::corruption, "chunk %u: bitmap word %u marks units beyond the %u that its class has",
                           chunk, w, c.units_per_slab);
    if (w < slab->word_count()) slab->load_word(w, valid & ~allocated);
  }
  ClassSlabs& list = class_slabs_[class_id];
  make_room(list);
  Slab* raw = slab.get();
  if (!list.unloaded.empty() && list.unloaded.back() == chunk)
    list.unloaded.pop_back();
  else
    std::erase(list.unloaded, chunk);
  list.all.push_back(raw);
  slabs_.push_back(std::move(slab));
  slab_of_chunk_[chunk].store(raw, std::memory_order_release);
  if (raw->available_count() != 0) {
    raw->listed.store(true, std::memory_order_seq_cst);
    list.with_room.push_back(raw);
  }
  return raw;
}

Status Heap::reserve(Arena& arena, uint32_t class_id, UnitRef& out) {
  if (Slab* slab = arena.active[class_id]) {
    out = {slab, slab->take()};
    if (out.unit != slab->unit_count()) [[likely]]
      return Code::ok;
  }
  NACRE_TRY(ensure_table());
  return refill(arena, class_id, out);
}

Status Heap::refill(Arena& arena, uint32_t class_id, UnitRef& out) {
  sync::Guard guard(mutex_);
  ClassSlabs& list = class_slabs_[class_id];
  if (Slab* old = std::exchange(arena.active[class_id], nullptr)) {
    old->listed.store(false, std::memory_order_seq_cst);
    if (old->available_count() != 0 && !old->listed.exchange(true)) list.with_room.push_back(old);
  }
  for (;;) {
    Slab* slab;
    if (!list.with_room.empty()) {
      slab = list.with_room.back();
      list.with_room.pop_back();
    } else if (!list.unloaded.empty()) {
      NACRE_TRY(load_slab(list.unloaded.back()).status());  // lists it if it has room
      continue;
    } else {
      return Code::not_found;
    }
    out = {slab, slab->take()};
    if (out.unit != slab->unit_count()) {
      arena.active[class_id] = slab;
      return Code::ok;
    }
    slab->listed.store(false, std::memory_order_seq_cst);
    if (slab->available_count() != 0 && !slab->listed.exchange(true)) list.with_room.push_back(slab);
  }
}

Status Heap::reserve_anywhere(uint32_t class_id, UnitRef& out) {
  NACRE_TRY(ensure_table());
  sync::Guard guard(mutex_);
  for (Slab* slab : class_slabs_[class_id].all) {
    if (slab->available_count() == 0) continue;
    out = {slab, slab->take()};
    if (out.unit != slab->unit_count()) return Code::ok;
  }
  return Code::not_found;
}

void Heap::list_room(Slab* slab) noexcept {
  if (slab->listed.load(std::memory_order_seq_cst) || slab->listed.exchange(true)) return;
  sync::Guard guard(mutex_);
  class_slabs_[slab->class_id()].with_room.push_back(slab);  // never beyond the reserved capacity
}

void Heap::release(const UnitRef& unit) noexcept {
  unit.slab->give(unit.unit);
  list_room(unit.slab);
}

Status Heap::locate(uint64_t off, UnitRef& out) {
  NACRE_TRY(ensure_table());
  const uint64_t chunk = layout_.chunk_of(off);
  Slab* slab = chunk < layout_.chunk_count ? slab_of_chunk_[chunk].load(std::memory_order_acquire) : nullptr;
  if (slab == nullptr && chunk < layout_.chunk_count) {
    sync::Guard guard(mutex_);
    if (chunk_state_[chunk] == static_cast<uint8_t>(ChunkState::slab)) {
      NACRE_ASSIGN(slab, load_slab(static_cast<uint32_t>(chunk)));
    }
  }
  if (slab != nullptr) {
    const uint64_t in_chunk = off - layout_.chunk_off(chunk);
    const auto unit = static_cast<uint32_t>(in_chunk / slab->unit_bytes());
    if (unit < slab->unit_count() && slab->unit_off(unit) == off) {
      out = {slab, unit};
      return Code::ok;
    }
  }
  return Status::error(Code::corruption, "offset %llu: a reference leads there but no unit starts there",
                       static_cast<unsigned long long>(off));
}

BitRef Heap::bit_of(const UnitRef& unit) const noexcept {
  const uint32_t word = unit.unit / 64;
  return {layout_.bitmap_line_off(unit.slab->chunk(), word / kLineWords), static_cast<uint8_t>(word % kLineWords),
          uint64_t{1} << unit.unit % 64};
}

Status Heap::claim_chunk(Claim& out) {
  NACRE_TRY(ensure_table());
  sync::Guard guard(mutex_);
  const auto count = static_cast<uint32_t>(layout_.chunk_count);
  for (; free_hint_ < count; ++free_hint_) {
    if (chunk_state_[free_hint_] != static_cast<uint8_t>(ChunkState::free)) continue;
    chunk_state_[free_hint_] = kClaimed;
    out.chunk_ = free_hint_;
    out.held_ = true;
    return Code::ok;
  }
  for (ClassSlabs& list : class_slabs_) {
    while (!list.unloaded.empty()) NACRE_TRY(load_slab(list.unloaded.back()).status());
    for (size_t i = 0; i < list.all.size(); ++i) {
      Slab* slab = list.all[i];
      if (!slab->whole_available() || !slab->take_all()) continue;
      slab->listed.store(true);  // so that nobody lists it again; the arenas that have it find it empty
      std::erase(list.with_room, slab);
      list.all.erase(list.all.begin() + static_cast<std::ptrdiff_t>(i));
      chunk_state_[slab->chunk()] = kClaimed;
      out.chunk_ = slab->chunk();
      out.emptied_ = slab;
      out.held_ = true;
      return Code::ok;
    }
  }
  return Status::error(Code::out_of_space, "pool of %llu bytes is full: no free chunk of %u bytes is left",
                       static_cast<unsigned long long>(layout_.pool_bytes), layout_.geometry.chunk_bytes);
}

void Heap::unclaim(const Claim& claim) noexcept {
  sync::Guard guard(mutex_);
  if (claim.emptied_ == nullptr) {
    chunk_state_[claim.chunk_] = static_cast<uint8_t>(ChunkState::free);
    free_hint_ = std::min(free_hint_, claim.chunk_);
    return;
  }
  chunk_state_[claim.chunk_] = static_cast<uint8_t>(ChunkState::slab);
  ClassSlabs& list = class_slabs_[claim.emptied_->class_id()];
  list.all.push_back(claim.emptied_);  // capacity is there: it was in it before
  for (uint32_t u = 0; u < claim.emptied_->unit_count(); ++u) claim.emptied_->give(u);
  claim.emptied_->listed.store(true);  // an arena that found it empty may have said otherwise
  list.with_room.push_back(claim.emptied_);
}

std::unique_ptr<Slab> Heap::prepare_install(uint32_t chunk, uint32_t class_id) {
  const SizeClass& c = classes_[class_id];
  auto slab = std::make_unique<Slab>(chunk, static_cast<uint16_t>(class_id), layout_.chunk_off(chunk),
                                     c.unit_bytes, c.units_per_slab);
  for (uint32_t u = 0; u < c.units_per_slab; ++u) slab->give(u);
  sync::Guard guard(mutex_);
  ClassSlabs& list = class_slabs_[class_id];
  make_room(list);
  return slab;
}

void Heap::install(uint32_t chunk, std::unique_ptr<Slab> slab) noexcept {
  sync::Guard guard(mutex_);
  Slab* raw = slab.get();
  ClassSlabs& list = class_slabs_[raw->class_id()];
  chunk_state_[chunk] = static_cast<uint8_t>(ChunkState::slab);
  chunk_class_[chunk] = raw->class_id();
  raw->listed.store(true);
  list.all.push_back(raw);
  list.with_room.push_back(raw);
  slabs_.push_back(std::move(slab));
  slab_of_chunk_[chunk].store(raw, std::memory_order_release);
}

Result<std::bitset<kMaxClasses>> Heap::used_classes() {
  NACRE_TRY(ensure_table());
  sync::Guard guard(mutex_);
  std::bitset<kMaxClasses> used;
  for (size_t chunk = 0; chunk < chunk_state_.size(); ++chunk)
    if (chunk_state_[chunk] != static_cast<uint8_t>(ChunkState::free)) used.set(chunk_class_[chunk]);
  return used;
}

Result<HeapUsage> Heap::usage() {
  HeapUsage usage;
  usage.chunks = layout_.chunk_count;
  usage.classes.resize(classes_.count());
  for (uint32_t id = 0; id < classes_.count(); ++id) usage.classes[id].unit_bytes = classes_[id].unit_bytes;
  for (uint32_t chunk = 0; chunk < layout_.chunk_count; ++chunk) {
    uint64_t word;
    NACRE_TRY(read_chunk_word(chunk, word));
    if (word == 0) {
      ++usage.free_chunks;
      continue;
    }
    HeapUsage::Class& c = usage.classes[chunk_word_class(word)];
    ++c.slabs;
    c.units += classes_[chunk_word_class(word)].units_per_slab;
    for (uint64_t l = 0; l < layout_.bitmap_lines; ++l) {
      const uint64_t line_off = layout_.bitmap_line_off(chunk, l);
      const auto* line = domain_.at<GuardedLine>(line_off);
      if (!line_intact(salt_, line_off, *line)) return damaged_line("bitmap", line_off);
      for (uint64_t w : line->words) c.allocated += static_cast<uint64_t>(std::popcount(w));
    }
  }
  return usage;
}

}  // namespace nacre::alloc
