// Recovery on images made by hand: which records count, where a chain ends, what is refused.
#include <catch2/catch.hpp>

#include <array>
#include <map>
#include <cstring>
#include <utility>

#include "alloc/lane_layout.h"
#include "alloc/log_record.h"
#include "alloc/recover.h"
#include "tests/support/random.h"
#include "tests/unit/alloc/pool_fixture.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::test;

namespace {

struct Change {
  uint64_t line_off;
  uint64_t prev_seq;
  WordOp op;
};

class HandMade {
 public:
  /// What each line holds as of each seq, for the guards that records carry.
  std::map<std::pair<uint64_t, uint64_t>, std::array<uint64_t, kLineWords>> content;

  HandMade() : image(formatted_image()), layout(small_geometry(), image->size_bytes()), salt(salt_of(1, 2)) {
    layout.append_zone(layout.largest_capacity(image->size_bytes()));
  }
  uint64_t chunk_off(uint64_t n) const { return layout.chunk_off(layout.zone(0).chunk_frame + n); }

  /// A guarded line as if commit `seq` had left it.
  void line(uint64_t off, uint64_t seq, uint64_t word0 = 0) {
    auto* l = image->at<GuardedLine>(off);
    std::memset(l, 0, sizeof *l);
    l->words[0] = word0;
    l->guard = make_guard(salt, off, l->words, seq);
    content[{off, seq}] = {word0};
  }
  uint64_t word(uint64_t off, uint32_t w = 0) const { return image->at<GuardedLine>(off)->words[w]; }
  uint64_t seq(uint64_t off) const { return guard_seq(image->at<GuardedLine>(off)->guard); }
  bool intact(uint64_t off) const { return line_intact(salt, off, *image->at<GuardedLine>(off)); }

  void record(uint32_t lane, uint32_t cell, uint64_t record_seq, bool strict,
              const std::vector<Change>& changes, const std::vector<FreshRange>& fresh = {}) {
    LogRecord r;
    r.seq = record_seq;
    r.strict = strict;
    for (const FreshRange& f : fresh) r.fresh.push_back(f);
    for (const Change& c : changes) {
      std::array<uint64_t, kLineWords> words = content[{c.line_off, c.prev_seq}];
      words[c.op.word] = apply_op(words[c.op.word], c.op);
      content[{c.line_off, record_seq}] = words;
      r.updates.push_back({c.line_off, c.prev_seq, make_guard(salt, c.line_off, words.data(), record_seq),
                           static_cast<uint32_t>(r.ops.size()), 1});
      r.ops.push_back(c.op);
    }
    std::vector<std::byte> buffer(max_record_cells(fresh.size(), r.updates.size(), r.ops.size()) *
                                  kLineBytes);
    const uint64_t off = layout.cell_off(lane, cell);
    encode_record(r, record_seed(salt, off), buffer.data());
    std::memcpy(image->data() + off, buffer.data(), r.cells * kLineBytes);
  }
  void seal(uint32_t lane, uint64_t s) { lane_word(lane, offsetof(LaneHeader, seal), s); }
  void retired(uint32_t lane, uint64_t s) { lane_word(lane, offsetof(LaneHeader, retired), s); }
  uint64_t retired(uint32_t lane) const {
    return *image->at<uint64_t>(layout.lane_header_off(lane) + offsetof(LaneHeader, retired)) & kSeqMask;
  }
  /// No record up to `s` of any lane can ever count again, and the clocks go on above it.
  bool all_retired(uint64_t s) const {
    for (uint32_t lane = 0; lane < layout.geometry.lane_count; ++lane)
      if (retired(lane) < s || last_seqs[lane] != retired(lane)) return false;
    return true;
  }
  /// Everything but the headers of the lanes, which say at each recovery that it was.
  bool same_but_headers(const Image& other) const {
    const ImagePtr copy = image->clone();
    for (uint32_t lane = 0; lane < layout.geometry.lane_count; ++lane) {
      const uint64_t off = layout.lane_header_off(lane);
      std::memcpy(copy->data() + off, other.data() + off, kLineBytes);
    }
    return copy->same_as(other);
  }
  FreshRange fresh(uint64_t off, uint64_t bytes, uint8_t fill) {
    std::byte* p = image->data() + off;
    std::memset(p, fill, bytes);
    const uint32_t crc = range_crc(salt, off, p, bytes);
    std::memcpy(p, &crc, sizeof crc);
    return {off, bytes, crc};
  }

  Status recover() {
    ImageDomain domain(image);
    last_seqs.assign(layout.geometry.lane_count, 0);
    report = {};
    return recover_lanes(domain, layout, salt, last_seqs, report);
  }

  ImagePtr image;
  Layout layout;
  Salt salt;
  std::vector<uint64_t> last_seqs;
  RecoveryReport report;

 private:
  void lane_word(uint32_t lane, uint64_t at, uint64_t s) {
    const uint64_t off = layout.lane_header_off(lane) + at;
    *image->at<uint64_t>(off) = make_lane_word(salt, off, s);
  }
};

constexpr WordOp set0(uint64_t value) { return {0, OpKind::set, value}; }
constexpr WordOp set1(uint64_t value) { return {1, OpKind::set, value}; }

}  // namespace

TEST_CASE("an empty log changes nothing") {
  HandMade h;
  const ImagePtr before = h.image->clone();
  REQUIRE(h.recover().ok());
  REQUIRE(h.same_but_headers(*before));
  REQUIRE(h.report.valid_records == 0);
}

TEST_CASE(
    "a strict record counts: its line is brought to its end, its lane retires it, and its clock goes on from "
    "there") {
  HandMade h;
  const uint64_t line = h.chunk_off(0);
  h.line(line, 5, 50);
  h.record(0, 0, 9, true, {{line, 5, set0(90)}});
  REQUIRE(h.recover().ok());
  REQUIRE(h.word(line) == 90);
  REQUIRE(h.seq(line) == 9);
  REQUIRE(h.intact(line));
  REQUIRE(h.all_retired(9));
  REQUIRE(h.report.counted_records == 1);
  REQUIRE(h.report.lines_applied == 1);
  const ImagePtr once = h.image->clone();
  REQUIRE(h.recover().ok());  // again: nothing left
  REQUIRE(h.same_but_headers(*once));
  REQUIRE(h.report.valid_records == 0);
  REQUIRE(h.all_retired(9));
}

TEST_CASE("a torn home line is made whole by its chain, from any mixture of old and new words") {
  const uint64_t old_word = 50, new_word = 90;
  for (int torn = 0; torn < 4; ++torn) {
    HandMade h;
    const uint64_t line = h.chunk_off(0);
    h.line(line, 5, old_word);
    auto* l = h.image->at<GuardedLine>(line);
    GuardedLine applied = *l;
    applied.words[0] = new_word;
    applied.guard = make_guard(h.salt, line, applied.words, 9);
    h.record(0, 0, 9, true, {{line, 5, set0(new_word)}});
    if (torn & 1) l->words[0] = applied.words[0];
    if (torn & 2) l->guard = applied.guard;
    REQUIRE(h.recover().ok());
    REQUIRE(h.intact(line));
    REQUIRE(h.word(line) == new_word);
    REQUIRE(h.seq(line) == 9);
  }
}

TEST_CASE("a chain goes back only to its first gap: what is before it was home when the rest was written") {
  HandMade h;
  const uint64_t line = h.chunk_off(0);
  h.line(line, 7, 70);  // the commits 3 and 7 are home; that of 7 left the ring
  h.image->at<GuardedLine>(line)->words[1] = 77;
  h.image->at<GuardedLine>(line)->guard = make_guard(h.salt, line, h.image->at<GuardedLine>(line)->words, 7);
  h.record(0, 0, 3, true, {{line, 2, set1(33)}});  // must not be applied over what 7 left
  h.record(0, 1, 9, true, {{line, 7, set0(90)}});
  REQUIRE(h.recover().ok());
  REQUIRE(h.word(line, 0) == 90);
  REQUIRE(h.word(line, 1) == 77);
  REQUIRE(h.seq(line) == 9);
}

TEST_CASE("a chain runs across lanes, in order of seq") {
  HandMade h;
  const uint64_t line = h.chunk_off(1);
  h.line(line, 2, 0);
  h.record(1, 3, 6, true, {{line, 4, set0(60)}});
  h.record(0, 5, 4, true, {{line, 2, set0(40)}, {line + 64, 1, set1(41)}});
  h.line(line + 64, 1);
  h.record(0, 1, 9, true, {{line, 6, {2, OpKind::set_bits, 8}}});
  REQUIRE(h.recover().ok());
  REQUIRE(h.word(line) == 60);
  REQUIRE(h.word(line, 2) == 8);
  REQUIRE(h.seq(line) == 9);
  REQUIRE(h.word(line + 64, 1) == 41);
  REQUIRE(h.all_retired(9));
}

TEST_CASE("a line whose seq is above its chain's end was reused since and is left alone") {
  HandMade h;
  const uint64_t line = h.chunk_off(0);
  h.line(line, 100, 1);
  h.record(0, 0, 9, true, {{line, 5, set0(90)}});
  REQUIRE(h.recover().ok());
  REQUIRE(h.word(line) == 1);
  REQUIRE(h.seq(line) == 100);
  REQUIRE(h.report.lines_applied == 0);
  REQUIRE(h.all_retired(9));
}

TEST_CASE("a last one-fence record counts only if its fresh bytes are those it names") {
  for (int damage = 0; damage < 4; ++damage) {
    HandMade h;
    const uint64_t line = h.chunk_off(0), off = h.chunk_off(1);
    h.line(line, 5, 50);
    FreshRange f = h.fresh(off, 100, 7);
    if (damage == 3) {  // sealed bytes of another life of the unit
      const uint32_t named = f.crc;
      (void)h.fresh(off, 100, 8);
      f.crc = named;
    }
    h.record(0, 0, 9, false, {{line, 5, set0(90)}}, {f});
    if (damage == 1) h.image->data()[off + 99] ^= std::byte{1};
    if (damage == 2) std::memset(h.image->data() + off, 0, 100);
    REQUIRE(h.recover().ok());
    REQUIRE(h.word(line) == (damage == 0 ? 90 : 50));
    REQUIRE(h.seq(line) == (damage == 0 ? 9 : 5));
    REQUIRE(h.report.counted_records == (damage == 0 ? 1 : 0));
    REQUIRE(h.all_retired(9));  // counted or not: it can never count later
    if (damage == 1) {
      h.image->data()[off + 99] ^= std::byte{1};
      REQUIRE(h.recover().ok());
      REQUIRE(h.word(line) == 50);
    }
  }
}

TEST_CASE("a one-fence record counts when it is sealed, or followed in its lane, though its bytes are gone") {
  for (const bool sealed : {true, false}) {
    HandMade h;
    const uint64_t line = h.chunk_off(0), off = h.chunk_off(1);
    h.line(line, 5, 50);
    h.line(line + 64, 5, 0);
    const FreshRange gone{off, 100, 12345};
    h.record(0, 0, 9, false, {{line, 5, set0(90)}}, {gone});
    if (sealed)
      h.seal(0, 9);
    else
      h.record(0, 1, 12, false, {{line + 64, 5, set0(1)}}, {gone});  // itself it does not count
    REQUIRE(h.recover().ok());
    REQUIRE(h.word(line) == 90);
    REQUIRE(h.word(line + 64) == 0);
    REQUIRE(h.report.counted_records == 1);
    REQUIRE(h.all_retired(sealed ? 9 : 12));
  }
}

TEST_CASE("a record in another lane does not make one count") {
  HandMade h;
  const uint64_t line = h.chunk_off(0);
  h.line(line, 5, 50);
  h.line(line + 64, 5, 0);
  h.record(0, 0, 9, false, {{line, 5, set0(90)}}, {{h.chunk_off(1), 100, 12345}});
  h.record(1, 0, 12, true, {{line + 64, 5, set0(1)}});
  h.seal(1, 12);
  REQUIRE(h.recover().ok());
  REQUIRE(h.word(line) == 50);
  REQUIRE(h.word(line + 64) == 1);
}

TEST_CASE("retired records are home, or never counted: they are not looked at") {
  HandMade h;
  const uint64_t line = h.chunk_off(0);
  h.line(line, 5, 50);
  h.record(0, 0, 9, true, {{line, 5, set0(90)}});
  h.record(0, 4, 10, true, {{0x123456789 * 64, 5, set0(90)}});  // leads nowhere, but is history
  h.retired(0, 10);
  REQUIRE(h.recover().ok());
  REQUIRE(h.word(line) == 50);
  REQUIRE(h.all_retired(10));
}

// Torn, it is not seen; completed later by a word of a record stored over it, it must not count. Its seq is
// one above that of the lines it names, and the lines of a new pool begin with seq 1 though no record says
// so.
TEST_CASE("the first record of a new pool, torn, is retired although it cannot be seen") {
  HandMade h;
  const uint64_t line = h.layout.chunk_line_off(h.layout.zone(0).chunk_frame);
  REQUIRE(h.seq(line) == 1);
  h.record(0, 0, 2, true, {{line, 1, set0(1)}});
  auto* words = h.image->at<uint64_t>(h.layout.cell_off(0, 0));
  const uint64_t missing = std::exchange(words[2], 0);
  REQUIRE(h.recover().ok());
  REQUIRE(h.report.valid_records == 0);
  words[2] = missing;
  REQUIRE(h.recover().ok());
  REQUIRE(h.report.counted_records == 0);
  REQUIRE(h.word(line) == 0);
}

TEST_CASE("a later record, torn, is retired although it cannot be seen, also in a lane that was idle") {
  for (const uint32_t lane : {0u, 1u}) {
    HandMade h;
    const uint64_t line = h.chunk_off(0);
    h.line(line, 9, 90);
    h.record(0, 0, 9, true, {{line, 5, set0(90)}});
    h.record(lane, 1, 10, true, {{line, 9, set0(100)}});
    auto* words = h.image->at<uint64_t>(h.layout.cell_off(lane, 1));
    const uint64_t missing = std::exchange(words[2], 0);
    REQUIRE(h.recover().ok());
    REQUIRE(h.word(line) == 90);
    words[2] = missing;
    REQUIRE(h.recover().ok());
    REQUIRE(h.word(line) == 90);
    REQUIRE(h.report.counted_records == 0);
  }
}

TEST_CASE("a damaged lane header is corruption, whichever word, and nothing was changed") {
  for (const uint64_t at : {offsetof(LaneHeader, seal), offsetof(LaneHeader, retired)})
    for (const uint32_t lane : {0u, 1u}) {
      HandMade h;
      const uint64_t line = h.chunk_off(0);
      h.line(line, 5, 50);
      h.record(0, 0, 9, true, {{line, 5, set0(90)}});
      *h.image->at<uint64_t>(h.layout.lane_header_off(lane) + at) ^= 4;
      const ImagePtr before = h.image->clone();
      REQUIRE(h.recover() == Code::corruption);
      REQUIRE(h.image->same_as(*before));
    }
}

TEST_CASE(
    "a counting record that names an offset outside the pool, or in the lanes, is corruption and nothing was "
    "changed") {
  HandMade probe;
  for (const uint64_t bad : {probe.layout.pool_bytes(), uint64_t{1} << 45, kLaneAreaOff, kLaneAreaOff + 640,
                             align_down(probe.layout.zones_off - 1, 64)}) {
    HandMade h;
    const uint64_t line = h.chunk_off(0);
    h.line(line, 5, 50);
    h.record(0, 0, 9, true, {{line, 5, set0(90)}});
    h.record(1, 0, 7, true, {{bad, 5, set0(90)}});
    const ImagePtr before = h.image->clone();
    REQUIRE(h.recover() == Code::corruption);
    REQUIRE(h.image->same_as(*before));
  }
}

TEST_CASE(
    "fresh ranges that lead outside the pool, or are too short to be sealed, do not count and are not read") {
  HandMade probe;
  for (const FreshRange f :
       {FreshRange{probe.layout.pool_bytes(), 100, 1}, FreshRange{probe.layout.pool_bytes() - 16, 100, 1},
        FreshRange{uint64_t{1} << 43, 100, 1}, FreshRange{4096, ~uint64_t{0}, 1}, FreshRange{4096, 0, 0},
        FreshRange{4096, 3, 0}}) {
    HandMade h;
    const uint64_t line = h.chunk_off(0);
    h.line(line, 5, 50);
    h.record(0, 0, 9, false, {{line, 5, set0(90)}}, {f});
    REQUIRE(h.recover().ok());
    REQUIRE(h.word(line) == 50);
    REQUIRE(h.all_retired(9));
  }
}

TEST_CASE(
    "a record whose checksum is good but whose entries do not parse is corruption and nothing was changed") {
  HandMade h;
  const uint64_t line = h.chunk_off(0), off = h.layout.cell_off(1, 2);
  h.line(line, 5, 50);
  h.record(0, 0, 9, true, {{line, 5, set0(90)}});
  h.record(1, 2, 9, true, {{line, 5, set0(90)}});
  h.image->data()[off + kRecordBodyAt + 1] = std::byte{100};  // lines
  const uint32_t crc = record_crc(h.image->data() + off, 1, record_seed(h.salt, off));
  std::memcpy(h.image->data() + off, &crc, 4);
  const ImagePtr before = h.image->clone();
  REQUIRE(h.recover() == Code::corruption);
  REQUIRE(h.image->same_as(*before));
}

TEST_CASE("a record that claims to cross the half of its ring is no record") {
  HandMade h;
  const uint64_t line = h.chunk_off(0);
  std::vector<Change> changes;
  for (uint64_t i = 0; i < 6; ++i) {
    h.line(line + i * 64, 5, 50);
    changes.push_back({line + i * 64, 5, set0(90)});
  }
  h.record(0, 7, 9, true, changes);  // two cells from the last of half A
  REQUIRE(h.recover().ok());
  REQUIRE(h.report.valid_records == 0);
  REQUIRE(h.word(line) == 50);
}

TEST_CASE(
    "random damage anywhere in the lane area: recovery answers ok or corruption, never touches what is no "
    "line") {
  Random random(1);
  uint64_t ok = 0, corrupt = 0;
  AnchoredPool p(CommitForm::one_fence);
  for (int i = 0; i < 20; ++i)
    REQUIRE(p.put(static_cast<uint32_t>(i % 7), 100, static_cast<uint8_t>(i)).ok());
  const ImagePtr good = p.image()->clone();
  const uint64_t zones_off = p->layout().zones_off;
  p.close();
  for (int round = 0; round < 2000; ++round) {
    const ImagePtr bad = good->clone();
    for (uint64_t n = 1 + random.below(6); n > 0; --n) {
      const uint64_t at = kLaneAreaOff + random.below(zones_off - kLaneAreaOff);
      bad->data()[at] ^= static_cast<std::byte>(1 + random.below(255));
    }
    auto pool = Pool::open(std::make_unique<ImageDomain>(bad), {});
    REQUIRE((pool.has_value() || pool.status() == Code::corruption));
    ++(pool.has_value() ? ok : corrupt);
  }
  REQUIRE(ok > 0);
  REQUIRE(corrupt > 0);
}

TEST_CASE(
    "recovery of a killed pool brings back every commit, and again from any later crash of the next "
    "session") {
  for (const CommitForm form : {CommitForm::strict, CommitForm::one_fence}) {
    AnchoredPool p(form);
    std::array<int, 7> fills;
    fills.fill(-1);
    Random random(2);
    for (int i = 1; i <= 200; ++i) {
      const auto word = static_cast<uint32_t>(random.below(7));
      REQUIRE(p.put(word, 100, static_cast<uint8_t>(i)).ok());
      fills[word] = i;
      if (random.one_in(20)) REQUIRE(p->advance(random.one_in(2)));
      if (random.one_in(15)) REQUIRE(p.move_anchor().ok());
      if (i % 5 != 0) continue;
      AnchoredPool after(form, p.image()->clone());
      for (uint32_t w = 0; w < 7; ++w)
        if (fills[w] >= 0) REQUIRE(after.record_holds(w, 100, static_cast<uint8_t>(fills[w])));
      REQUIRE(after.problems(100).empty());
      REQUIRE(after.account().leaked_bytes == 0);
    }
  }
}

TEST_CASE("after quiesce the next open finds nothing to recover") {
  AnchoredPool p;
  for (int i = 0; i < 30; ++i) REQUIRE(p.put(static_cast<uint32_t>(i % 7), 100, 1).ok());
  REQUIRE(p->quiesce().ok());
  const ImagePtr copy = p.image()->clone();
  AnchoredPool again(CommitForm::strict, copy);
  REQUIRE(again->recovery().valid_records == 0);
  REQUIRE(again.problems(100).empty());
}

TEST_CASE("a damaged record between two sound ones of its half is corruption: what it committed would be lost") {
  for (const uint32_t damaged : {1u, 2u}) {
    HandMade h;
    for (uint32_t n = 0; n < 4; ++n) {
      h.line(h.chunk_off(n), 1);
      h.record(0, n, 5 + n, true, {{h.chunk_off(n), 1, set0(n)}});
    }
    h.image->at<uint64_t>(h.layout.cell_off(0, damaged))[2] ^= 1u << 9;
    const ImagePtr before = h.image->clone();
    REQUIRE(h.recover() == Code::corruption);
    REQUIRE(h.image->same_as(*before));
  }
}

TEST_CASE("a record that the next turn of the ring has half overwritten is no damage") {
  HandMade h;
  const uint32_t half_cells = h.layout.geometry.lane_cells / 2;
  h.line(h.chunk_off(0), 1);
  h.record(0, 0, 5, true, {{h.chunk_off(0), 1, set0(0)}});  // of the turn before: cell 1 is torn by a commit in flight
  h.record(0, 2, 7, true, {{h.chunk_off(0), 5, set0(1)}});
  h.record(0, half_cells, 9, true, {{h.chunk_off(0), 7, set0(2)}});
  REQUIRE(h.recover().ok());
  REQUIRE(h.word(h.chunk_off(0)) == 2);
}

TEST_CASE("a line that is whole and older than the chain that names it has lost a record to damage") {
  HandMade h;
  const uint64_t line = h.chunk_off(0);
  h.line(line, 5, 50);
  h.line(line + kLineBytes, 5);
  h.content[{line, 7}] = {70};  // commit 7 is nowhere in the log
  h.record(0, 0, 9, true, {{line, 7, set1(90)}});
  const ImagePtr before = h.image->clone();
  REQUIRE(h.recover() == Code::corruption);
  REQUIRE(h.image->same_as(*before));
  h.image->at<GuardedLine>(line)->words[2] ^= 1;  // torn or damaged: it is for those who read the line to say so
  REQUIRE(h.recover().ok());
  REQUIRE_FALSE(h.intact(line));
}
