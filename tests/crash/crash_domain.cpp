#include "tests/crash/crash_domain.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "pmem/base/units.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

constexpr uint64_t kWordsPerLine = kLineBytes / kWordBytes;

// The product may be storing into the word from another thread; a word is atomic.
uint64_t load_word(const std::byte* image, uint64_t word_idx) noexcept {
  return __atomic_load_n(reinterpret_cast<const uint64_t*>(image) + word_idx, __ATOMIC_RELAXED);
}

void store_word(std::byte* image, uint64_t word_idx, uint64_t value) noexcept {
  __atomic_store_n(reinterpret_cast<uint64_t*>(image) + word_idx, value, __ATOMIC_RELAXED);
}

// Zeros with an unmapped page on both sides, so that a store reading past its pool does not go unnoticed.
std::byte* map_image(uint64_t size_bytes) {
  void* p = mmap(nullptr, size_bytes + 2 * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) std::abort();
  std::byte* image = static_cast<std::byte*>(p) + kPageBytes;
  if (mprotect(image, size_bytes, PROT_READ | PROT_WRITE) != 0) std::abort();
  return image;
}

void unmap_image(std::byte* image, uint64_t size_bytes) noexcept {
  munmap(image - kPageBytes, size_bytes + 2 * kPageBytes);
}

}  // namespace

CrashMedium::CrashMedium(uint64_t size_bytes, uint64_t max_bytes)
    : max_bytes_(align_up(std::max(size_bytes, max_bytes), kPageBytes)),
      image_bytes_(max_bytes_ + kPageBytes),
      working_(map_image(image_bytes_)),
      observed_(map_image(image_bytes_)),
      durable_(map_image(image_bytes_)),
      entry_of_word_(image_bytes_ / kWordBytes, 0) {
  set_all(static_cast<uint32_t>(size_word()), align_up(size_bytes, kPageBytes));
}

uint64_t CrashMedium::size_bytes() const noexcept { return load_word(working_, size_word()); }

CrashMedium::~CrashMedium() {
  unmap_image(working_, image_bytes_);
  unmap_image(observed_, image_bytes_);
  unmap_image(durable_, image_bytes_);
}

// Calls fn(word, value) for each word of the lines whose working value is not the observed one. Pages first,
// then lines, then words: almost everything is equal almost always.
template <class Fn>
void CrashMedium::for_changed_words(uint64_t first_line, uint64_t line_count, const Fn& fn) {
  constexpr uint64_t kPageLines = kPageBytes / kLineBytes;
  for (uint64_t line = first_line, end = first_line + line_count; line < end;) {
    const uint64_t span = std::min(end - line, kPageLines - line % kPageLines);
    if (std::memcmp(working_ + line * kLineBytes, observed_ + line * kLineBytes, span * kLineBytes) != 0) {
      for (uint64_t l = line; l < line + span; ++l) {
        if (std::memcmp(working_ + l * kLineBytes, observed_ + l * kLineBytes, kLineBytes) == 0) continue;
        for (uint64_t w = l * kWordsPerLine; w < (l + 1) * kWordsPerLine; ++w) {
          const uint64_t value = load_word(working_, w);
          if (value != load_word(observed_, w)) fn(static_cast<uint32_t>(w), value);
        }
      }
    }
    line += span;
  }
}

void CrashMedium::observe_lines(uint64_t first_line, uint64_t line_count) {
  const uint64_t end = size_bytes() / kWordBytes;
  for_changed_words(first_line, line_count, [&](uint32_t word, uint64_t value) {
    if (word >= end) std::abort();  // a store behind the end of the file: SIGBUS on a real one
    note_store(word, value);
  });
}

void CrashMedium::observe() { observe_lines(0, image_lines()); }

// Whatever the words were, as if they had never been: they come to be with the new length.
void CrashMedium::zero_words(uint64_t first, uint64_t end) {
  for (uint64_t w = first; w < end; ++w) {
    const auto word = static_cast<uint32_t>(w);
    if (entry_of_word_[word] != 0) drop_entry(word);
    if (load_word(working_, w) != 0 || load_word(durable_, w) != 0) assign(word, 0);
  }
}

void CrashMedium::resize(uint64_t new_bytes) {
  const std::lock_guard lock(mutex_);
  const auto word = static_cast<uint32_t>(size_word());
  const uint64_t old_bytes = size_bytes();
  if (!blind_) observe();
  if (new_bytes > old_bytes) zero_words(old_bytes / kWordBytes, new_bytes / kWordBytes);
  store_word(working_, word, new_bytes);
  if (blind_) return;
  note_store(word, new_bytes);
  capture_lines(word / kWordsPerLine, 1);
}

void CrashMedium::note_store(uint32_t word_idx, uint64_t value) {
  undo_.push_back({word_idx, load_word(observed_, word_idx)});
  store_word(observed_, word_idx, value);
  note_version(word_idx, value);
}

void CrashMedium::note_version(uint32_t word_idx, uint64_t value) {
  const bool is_new = entry_of_word_[word_idx] == 0;
  Entry& entry = entry_of(word_idx);
  if (is_new)
    entry.sealing = applying_ ? Sealing::home : Sealing::none;
  else if (entry.sealing != Sealing::home || !applying_)
    entry.sealing = Sealing::none;  // until it is flushed again
  entry.versions.push_back({value, ++clock_});
}

CrashMedium::Entry& CrashMedium::entry_of(uint32_t word_idx) {
  if (entry_of_word_[word_idx] != 0) return entries_[entry_of_word_[word_idx] - 1];
  Entry& entry = entries_.emplace_back();
  entry.word_idx = word_idx;
  if (!spare_versions_.empty()) {
    entry.versions = std::move(spare_versions_.back());
    spare_versions_.pop_back();
  }
  // Captures made before this moment have smaller or equal stamps: what they captured is durable already.
  entry.versions.assign(1, {load_word(durable_, word_idx), clock_});
  entry_of_word_[word_idx] = static_cast<uint32_t>(entries_.size());
  return entry;
}

void CrashMedium::drop_entry(uint32_t word_idx) {
  const uint32_t slot = entry_of_word_[word_idx] - 1;
  spare_versions_.push_back(std::move(entries_[slot].versions));
  if (slot + 1 != entries_.size()) {
    entries_[slot] = std::move(entries_.back());
    entry_of_word_[entries_[slot].word_idx] = slot + 1;
  }
  entries_.pop_back();
  entry_of_word_[word_idx] = 0;
}

void CrashMedium::drop_all_entries() {
  for (Entry& entry : entries_) {
    entry_of_word_[entry.word_idx] = 0;
    spare_versions_.push_back(std::move(entry.versions));
  }
  entries_.clear();
}

void CrashMedium::flush(uint64_t off, uint64_t bytes, const pmem::Site& site) {
  const std::lock_guard lock(mutex_);
  SiteInfo* info = sites_ ? &sites_->of(site, true) : nullptr;
  if (off + bytes > size_bytes()) std::abort();  // of lines that are not mapped: SIGSEGV on a real medium
  if (blind_) return;
  finish_late_locked();
  const uint64_t first_line = off / kLineBytes;
  const uint64_t line_count = (std::min(off + bytes, max_bytes_) - 1) / kLineBytes - first_line + 1;
  if (info && info->fault != SiteFault::none) return flush_faulty(first_line, line_count, info);
  observe_lines(first_line, line_count);
  capture_lines(first_line, line_count);
  if (const Sealing sealing = sealing_of(site.name); sealing != Sealing::none) seal_words(off, bytes, sealing);
}

// Units are multiples of 16 bytes, so what follows in the last word belongs to nobody else.
void CrashMedium::seal_words(uint64_t off, uint64_t bytes, Sealing sealing) {
  ++sealing_flushes_;
  const uint64_t end = ceil_div(std::min(off + bytes, max_bytes_), kWordBytes);
  for (uint64_t w = off / kWordBytes; w < end; ++w)
    if (const uint32_t slot = entry_of_word_[w]; slot != 0) {
      Entry& entry = entries_[slot - 1];
      if (sealing == Sealing::home && entry.versions.size() > 2) continue;  // others stored, too
      entry.sealing = sealing;
      entry.sealed_by = sealing_flushes_;
    }
}

void CrashMedium::flush_faulty(uint64_t first_line, uint64_t line_count, SiteInfo* site) {
  const size_t stores_before = undo_.size();
  if (site->fault == SiteFault::early) capture_lines(first_line, line_count);
  observe_lines(first_line, line_count);
  bool effect = undo_.size() != stores_before;
  if (site->fault == SiteFault::short_line) {
    const bool several = line_count > 1;  // of one line it would be the same as "off"
    capture_lines(first_line, line_count - several);
    effect = several && any_unsettled(first_line + line_count - 1, 1);
  }
  if (site->fault == SiteFault::late) late_flushes_.push_back({first_line, line_count, thread_index()});
  if (site->fault == SiteFault::off || site->fault == SiteFault::late) effect = any_unsettled(first_line, line_count);
  site->effect_count += effect;
}

bool CrashMedium::any_unsettled(uint64_t first_line, uint64_t line_count) const {
  for (uint64_t w = first_line * kWordsPerLine; w < (first_line + line_count) * kWordsPerLine; ++w)
    if (entry_of_word_[w] != 0) return true;
  return false;
}

void CrashMedium::capture_lines(uint64_t first_line, uint64_t line_count) {
  if (captured_.size() <= thread_index()) captured_.resize(thread_index() + 1);
  std::vector<Captured>& captured = captured_[thread_index()];
  for (uint64_t w = first_line * kWordsPerLine; w < (first_line + line_count) * kWordsPerLine; ++w)
    if (const uint32_t slot = entry_of_word_[w]; slot != 0)
      captured.push_back({static_cast<uint32_t>(w), entries_[slot - 1].versions.back().stamp});
}

void CrashMedium::fence(const pmem::Site& site) {
  const std::lock_guard lock(mutex_);
  ++fence_count_;
  SiteInfo* info = sites_ ? &sites_->of(site, false) : nullptr;
  if (blind_) return;
  finish_late_locked();
  observe();
  if (sink_) sink_->on_crash_point(*this, site.name);
  if (persistent_caches_) return settle_all();
  if (captured_.size() <= thread_index()) captured_.resize(thread_index() + 1);
  if (info && info->fault != SiteFault::none) return fence_faulty(info);
  std::vector<Captured>& captured = captured_[thread_index()];
  for (const Captured& c : captured) drain(c);
  captured.clear();
  for (const Lines& lines : late_flushes_)
    if (lines.thread == thread_index()) capture_lines(lines.first_line, lines.line_count);
  std::erase_if(late_flushes_, [](const Lines& lines) { return lines.thread == thread_index(); });
}

void CrashMedium::fence_faulty(SiteInfo* site) {
  std::vector<Captured>& captured = captured_[thread_index()];
  if (site->fault != SiteFault::late) {
    site->effect_count += !captured.empty();
    return;
  }
  late_site_ = site;
  late_fence_ = std::move(captured);
  captured.clear();
}

// The stores since the late fence, which it should have held back, may be durable before what it waited for.
void CrashMedium::finish_late_locked() {
  if (late_site_ == nullptr) return;
  const size_t stores_before = undo_.size();
  observe();
  late_site_->effect_count += undo_.size() != stores_before && !late_fence_.empty();
  if (sink_) sink_->on_crash_point(*this, late_site_->name.c_str());
  for (const Captured& c : late_fence_) drain(c);
  late_fence_.clear();
  late_site_ = nullptr;
}

void CrashMedium::finish_late() {
  const std::lock_guard lock(mutex_);
  if (!blind_) finish_late_locked();
}

void CrashMedium::settle_all() {
  while (!entries_.empty()) {
    const uint32_t word_idx = entries_.back().word_idx;
    set_durable(word_idx, entries_.back().versions.back().value);
    drop_entry(word_idx);
  }
  for (std::vector<Captured>& captured : captured_) captured.clear();
}

void CrashMedium::dirty(uint64_t off, uint64_t bytes) {
  if (blind_ || bytes == 0 || off >= max_bytes_) return;
  const std::lock_guard lock(mutex_);
  const uint64_t first_line = off / kLineBytes;
  if (late_site_ != nullptr) {  // the stores of the apply are there: this is the moment that matters
    finish_late_locked();
    return;
  }
  applying_ = true;
  observe_lines(first_line, (std::min(off + bytes, max_bytes_) - 1) / kLineBytes - first_line + 1);
  applying_ = false;
}

void CrashMedium::drain(const Captured& captured) {
  const uint32_t slot = entry_of_word_[captured.word_idx];
  if (slot == 0) return;  // a later flush of the word was drained already
  std::vector<Version>& versions = entries_[slot - 1].versions;
  if (captured.stamp <= versions.front().stamp) return;
  size_t i = 1;
  while (i < versions.size() && versions[i].stamp != captured.stamp) ++i;
  if (i == versions.size()) return;
  set_durable(captured.word_idx, versions[i].value);
  versions.erase(versions.begin(), versions.begin() + static_cast<ptrdiff_t>(i));
  if (versions.size() == 1) drop_entry(captured.word_idx);
}

void CrashMedium::set_durable(uint32_t word_idx, uint64_t value) {
  const uint64_t before = load_word(durable_, word_idx);
  if (before == value) return;
  durable_hash_ ^= zobrist_change(word_idx, before, value);
  store_word(durable_, word_idx, value);
  deltas_.push_back({word_idx, value});
}

void CrashMedium::set_all(uint32_t word_idx, uint64_t value) noexcept {
  store_word(working_, word_idx, value);
  store_word(observed_, word_idx, value);
  store_word(durable_, word_idx, value);
}

void CrashMedium::collect(Unsettled* out) const {
  out->clear();
  std::vector<const Entry*> order;
  order.reserve(entries_.size());
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return a->versions[1].stamp < b->versions[1].stamp; });
  for (const Entry* entry : order) {
    Unsettled::Word word{.word_idx = entry->word_idx,
                         .first = static_cast<uint32_t>(out->candidates.size()),
                         .sealing = entry->sealing,
                         .sealed_by = entry->sealed_by};
    for (const Version& version : entry->versions) {
      const auto begin = out->candidates.begin() + word.first;
      const auto same =
          std::find_if(begin, out->candidates.end(), [&](const Version& v) { return v.value == version.value; });
      word.latest = static_cast<uint16_t>(same - begin);
      if (same == out->candidates.end()) out->candidates.push_back(version);
    }
    word.count = static_cast<uint16_t>(out->candidates.size() - word.first);
    out->words.push_back(word);
  }
}

void CrashMedium::assign(uint32_t word_idx, uint64_t value) {
  undo_.push_back({word_idx, load_word(observed_, word_idx)});
  set_durable(word_idx, value);
  set_all(word_idx, value);
}

void CrashMedium::assign_killed(const Unsettled& unsettled) {
  struct Event {
    uint32_t word_idx;
    Version version;
  };
  std::vector<Event> events;
  for (const Unsettled::Word& word : unsettled.words) {
    for (uint32_t c = 1; c < word.count; ++c) events.push_back({word.word_idx, unsettled.candidate(word, c)});
    if (word.latest + 1 != word.count)  // an older value came back: it is the newest version, too
      events.push_back({word.word_idx, {unsettled.candidate(word, word.latest).value, ~0ull}});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.version.stamp < b.version.stamp; });
  for (const Event& event : events) {
    note_store(event.word_idx, event.version.value);
    store_word(working_, event.word_idx, event.version.value);
  }
}

void CrashMedium::forget_captures() {
  for (std::vector<Captured>& captured : captured_) captured.clear();
  late_flushes_.clear();
  late_fence_.clear();
  late_site_ = nullptr;
}

void CrashMedium::lose_power(const Unsettled& unsettled, std::span<const uint16_t> choice) {
  forget_captures();
  drop_all_entries();
  for (size_t i = 0; i < unsettled.words.size(); ++i) {
    const Unsettled::Word& word = unsettled.words[i];
    assign(word.word_idx, unsettled.candidate(word, choice[i]).value);
  }
}

// Notes what changed for rollback only. Returns what that does to the hash of the working image.
uint64_t CrashMedium::absorb() {
  uint64_t change = 0;
  for_changed_words(0, image_bytes_ / kLineBytes, [&](uint32_t word, uint64_t value) {
    const uint64_t before = load_word(observed_, word);
    undo_.push_back({word, before});
    store_word(observed_, word, value);
    change ^= zobrist_change(word, before, value);
  });
  return change;
}

uint64_t CrashMedium::hash_after_blind_run() { return durable_hash_ ^ absorb(); }

void CrashMedium::rollback(const Mark& mark) {
  absorb();
  while (undo_.size() > mark.undo_count) {
    set_all(undo_.back().word_idx, undo_.back().value);
    undo_.pop_back();
  }
  durable_hash_ = mark.durable_hash;
  if (!entries_.empty()) drop_all_entries();
  forget_captures();
}

void CrashMedium::save_working() { saved_working_.assign(working_, working_ + image_bytes_); }

void CrashMedium::restore_working() { std::memcpy(working_, saved_working_.data(), image_bytes_); }

CrashDomain::CrashDomain(CrashMedium& medium)
    : Domain(medium.working(), medium.size_bytes(), pmem::Medium::test, pmem::FlushKind::hooked, false,
             medium.max_bytes()),
      medium_(&medium) {}

CrashDomain::CrashDomain(std::unique_ptr<CrashMedium> medium) : CrashDomain(*medium) { owned_ = std::move(medium); }

CrashDomain::CrashDomain(uint64_t size_bytes) : CrashDomain(std::make_unique<CrashMedium>(size_bytes)) {}

CrashDomain::CrashDomain(std::span<const std::byte> image) : CrashDomain(image, image) {}

CrashDomain::CrashDomain(std::span<const std::byte> working, std::span<const std::byte> durable)
    : CrashDomain(std::make_unique<CrashMedium>(working.size())) {
  for (uint64_t w = 0; w < durable.size() / kWordBytes; ++w)
    if (const uint64_t value = load_word(durable.data(), w); value != 0)
      medium_->assign(static_cast<uint32_t>(w), value);
  std::memcpy(medium_->working(), working.data(), working.size());
  medium_->observe();
  medium_->clear_undo();
  medium_->clear_deltas();
}

void CrashDomain::do_flush(uint64_t off, uint64_t bytes, const pmem::Site& site) noexcept {
  medium_->flush(off, bytes, site);
}

void CrashDomain::do_fence(const pmem::Site& site) noexcept { medium_->fence(site); }

pmem::Ticket CrashDomain::do_order(const pmem::Site& site) noexcept {
  medium_->fence(site);
  return {};
}

void CrashDomain::do_dirty(uint64_t off, uint64_t bytes) noexcept { medium_->dirty(off, bytes); }

Status CrashDomain::grow(uint64_t new_bytes) noexcept {
  new_bytes = align_up(new_bytes, kPageBytes);
  if (new_bytes <= size_bytes()) return Code::ok;
  if (new_bytes > reserved_bytes()) return Status::error(Code::out_of_space, "grow: the crash medium is full");
  medium_->resize(new_bytes);
  publish_size(new_bytes);
  return Code::ok;
}

Status CrashDomain::shrink(uint64_t new_bytes) noexcept {
  new_bytes = align_up(new_bytes, kPageBytes);
  if (new_bytes >= size_bytes()) return Code::ok;
  publish_size(new_bytes);
  medium_->resize(new_bytes);
  return Code::ok;
}

}  // namespace nacre::crash
