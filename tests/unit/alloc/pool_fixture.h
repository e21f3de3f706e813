// A small pool in an image, with one reachable guarded line ("anchor") whose seven words may name records:
// the least that commits, recovery and the check can be tested with.
#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "alloc/commit.h"
#include "alloc/format.h"
#include "alloc/heap_check.h"
#include "alloc/sealed_range.h"
#include "alloc/zone.h"
#include "tests/support/image.h"

namespace nacre::test {

inline constexpr pmem::Site kTestSite{"test.unit.alloc"};

inline alloc::Geometry small_geometry() {
  alloc::Geometry g;
  g.chunk_bytes = 4096;
  g.lane_count = 2;
  g.lane_cells = 16;
  return g;
}

inline ImagePtr formatted_image(uint64_t size_bytes = 128 * 1024,
                                const alloc::Geometry& g = small_geometry(), uint64_t pool_bytes = 0) {
  ImagePtr image = make_image(size_bytes);
  ImageDomain domain(image);
  const alloc::ClassSpec lines[] = {{64, 64}, {128, 64}};
  REQUIRE(
      alloc::format_pool(
          domain, {.geometry = g, .classes = lines, .pool_bytes = pool_bytes, .identity_lo = 1, .identity_hi = 2})
          .ok());
  return image;
}

inline std::unique_ptr<alloc::Pool> open_image(const ImagePtr& image, alloc::CommitForm form,
                                               bool read_only = false) {
  auto pool = alloc::Pool::open(std::make_unique<ImageDomain>(image),
                                {.form = form, .read_only = read_only, .grow = {.allowed = false, .helper = false}});
  INFO(last_message());
  REQUIRE(pool.has_value());
  return std::move(*pool);
}

class AnchoredPool {
 public:
  explicit AnchoredPool(alloc::CommitForm form = alloc::CommitForm::strict,
                        ImagePtr image = formatted_image())
      : image_(std::move(image)), pool_(open_image(image_, form)) {
    anchor_ = pool_->line(alloc::kRootsLines[0])->words[alloc::kCatalogueWord];
    if (anchor_ == 0) make_anchor();
  }

  alloc::Pool& pool() { return *pool_; }
  alloc::Pool* operator->() { return pool_.get(); }
  const ImagePtr& image() const { return image_; }
  uint64_t anchor() const { return anchor_; }
  uint64_t slot(uint32_t word) const { return pool_->line(anchor_)->words[word]; }
  void close() { pool_.reset(); }

  /// Stores and flushes a sealed range of `bytes` bytes of `fill` at `off`, allocated by `c`.
  void write_record(alloc::Commit& c, uint64_t off, uint64_t bytes, uint8_t fill) {
    std::byte* p = pool_->at<std::byte>(off);
    std::memset(p, fill, bytes);
    const uint32_t crc = alloc::range_crc(pool_->salt(), off, p, bytes);
    std::memcpy(p, &crc, sizeof crc);
    c.flush_fresh(off, bytes, crc, kTestSite);
  }
  bool record_holds(uint32_t word, uint64_t bytes, uint8_t fill) const {
    const uint64_t off = slot(word);
    const std::byte* p = pool_->at<std::byte>(off);
    if (off == 0 || !alloc::range_intact(pool_->salt(), off, p, bytes)) return false;
    for (uint64_t i = 4; i < bytes; ++i)
      if (p[i] != std::byte{fill}) return false;
    return true;
  }

  /// One commit: a new record in word `word` of the anchor, the old one freed.
  Status put(uint32_t word, uint64_t bytes, uint8_t fill) {
    alloc::Commit c(*pool_);
    NACRE_TRY(c.begin());
    uint64_t off;
    NACRE_TRY(c.allocate(bytes, alloc::UnitUse::record, off));
    write_record(c, off, bytes, fill);
    c.finish_fresh();
    if (slot(word) != 0) NACRE_TRY(c.free(slot(word), alloc::UnitUse::record));
    NACRE_TRY(c.lock(std::span(&anchor_, 1), 1, 1));
    c.set_word(anchor_, word, off);
    return c.publish();
  }
  Status remove(uint32_t word) {
    alloc::Commit c(*pool_);
    NACRE_TRY(c.begin());
    NACRE_TRY(c.free(slot(word), alloc::UnitUse::record));
    NACRE_TRY(c.lock(std::span(&anchor_, 1), 1, 1));
    c.set_word(anchor_, word, 0);
    return c.publish();
  }
  /// Moves the anchor to a new line and frees the old one.
  Status move_anchor() {
    alloc::Commit c(*pool_);
    NACRE_TRY(c.begin());
    uint64_t to;
    NACRE_TRY(c.allocate(kLineBytes, alloc::UnitUse::lines, to));
    write_anchor(c, to, pool_->line(anchor_)->words);
    c.finish_fresh();
    NACRE_TRY(c.free(anchor_, alloc::UnitUse::lines));
    const std::array lines{alloc::kRootsLines[0], alloc::kRootsLines[1], anchor_};
    NACRE_TRY(c.lock(lines, 2, 2));
    c.raise_seq(alloc::guard_seq(pool_->line(anchor_)->guard));
    for (uint64_t off : alloc::kRootsLines) c.set_word(off, alloc::kCatalogueWord, to);
    NACRE_TRY(c.publish());
    anchor_ = to;
    return Code::ok;
  }

  /// What a grower does, without the file: `chunks` more chunks in the last zone, or in a new one of `capacity`.
  Status grow(uint64_t capacity, uint64_t chunks) {
    alloc::Layout& layout = pool_->growing_layout();
    const uint64_t last = layout.zone_count() - 1;
    const bool appends = capacity != 0;
    const alloc::Zone zone = appends ? layout.next_zone(capacity) : layout.zone(last);
    const uint64_t first = appends ? 0 : layout.chunks_in(last);
    const uint64_t bytes = layout.chunk_off(zone.chunk_frame + first + chunks);
    alloc::Commit c(*pool_);
    NACRE_TRY(c.begin());
    alloc::write_chunk_table(pool_->domain(), pool_->salt(), layout, zone, first, first + chunks, c.fresh_seq(0),
                             kTestSite);
    pool_->domain().fence(kTestSite);
    const alloc::ZoneWordRef ref = alloc::zone_word_ref(last + 1);
    const std::array lines{alloc::kRootsLines[0], alloc::kRootsLines[1], ref.line_off};
    NACRE_TRY(c.lock(lines, 3, 3));
    for (uint64_t off : alloc::kRootsLines) c.set_word(off, alloc::kPoolBytesWord, bytes);
    if (appends) c.set_word(ref.line_off, ref.word, capacity);
    return c.publish([&] {
      if (appends) layout.append_zone(capacity);
      layout.set_pool_bytes(bytes);
      pool_->heap().extend();
    });
  }

  /// Problems the check finds, with the anchor and its records of `record_bytes` marked.
  std::vector<std::string> problems(uint64_t record_bytes) {
    alloc::HeapCheck check(*pool_);
    check.check_metadata();
    check.mark(anchor_, kLineBytes, "anchor");
    for (uint32_t w = 0; w < alloc::kLineWords; ++w)
      if (slot(w) != 0) check.mark(slot(w), record_bytes, "record");
    check.finish();
    if (check.account().sum() != pool_->layout().pool_bytes()) check.problem("the parts do not sum up");
    account_ = check.account();
    return check.problems();
  }
  const alloc::HeapAccount& account() const { return account_; }

 private:
  void write_anchor(alloc::Commit& c, uint64_t off, const uint64_t* words) {
    alloc::GuardedLine* line = pool_->line(off);
    std::copy_n(words, alloc::kLineWords, line->words);
    line->guard = alloc::make_guard(pool_->salt(), off, line->words, c.fresh_seq(off));
    c.flush_fresh_lines(off, kLineBytes, kTestSite);
  }
  void make_anchor() {
    alloc::Commit c(*pool_);
    REQUIRE(c.begin().ok());
    REQUIRE(c.allocate(kLineBytes, alloc::UnitUse::lines, anchor_).ok());
    const uint64_t none[alloc::kLineWords] = {};
    write_anchor(c, anchor_, none);
    c.finish_fresh();
    REQUIRE(c.lock(alloc::kRootsLines, 2, 2).ok());
    for (uint64_t off : alloc::kRootsLines) c.set_word(off, alloc::kCatalogueWord, anchor_);
    REQUIRE(c.publish().ok());
  }

  ImagePtr image_;
  std::unique_ptr<alloc::Pool> pool_;
  uint64_t anchor_ = 0;
  alloc::HeapAccount account_;
};

}  // namespace nacre::test
