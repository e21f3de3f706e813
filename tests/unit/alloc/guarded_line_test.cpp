// What the checks of guarded lines and lane words are worth, counted rather than believed.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "alloc/guarded_line.h"
#include "alloc/lane_layout.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::alloc;
using nacre::test::Random;

namespace {

constexpr Salt kSalt = 0x1234abcd;
constexpr uint64_t kOff = 0x3f40;
constexpr uint32_t kLineBits = 512;
constexpr uint32_t kBusyBitIdx = 511;

struct Sealed {
  uint64_t words[8];
  bool intact(Salt salt = kSalt, uint64_t off = kOff) const {
    return guard_matches(salt, off, words, words[7]);
  }
  void flip(uint32_t bit) { words[bit / 64] ^= uint64_t{1} << bit % 64; }
};

Sealed random_line(uint64_t seed) {
  Random random(seed);
  Sealed line;
  for (uint64_t i = 0; i < kLineWords; ++i) line.words[i] = random.next();
  line.words[7] = make_guard(kSalt, kOff, line.words, random.next() & kSeqMask);
  return line;
}

// The difference that each of the 511 covered bits makes to (computed check ^ stored check).
std::vector<uint32_t> syndrome_columns(const Sealed& line) {
  const auto syndrome = [](const Sealed& l) {
    const uint64_t stored = (l.words[7] & ~kBusyBit) >> kSeqBits;
    return static_cast<uint32_t>(line_check(kSalt, kOff, l.words, guard_seq(l.words[7])) ^ stored);
  };
  std::vector<uint32_t> columns;
  for (uint32_t bit = 0; bit < kBusyBitIdx; ++bit) {
    Sealed bad = line;
    bad.flip(bit);
    columns.push_back(syndrome(bad) ^ syndrome(line));
  }
  return columns;
}

}  // namespace

TEST_CASE("every error of one or two bits in a guarded line is seen, flipped one by one") {
  const Sealed line = random_line(1);
  REQUIRE(line.intact());
  uint64_t tried = 0, missed = 0;
  for (uint32_t a = 0; a < kBusyBitIdx; ++a) {
    Sealed one = line;
    one.flip(a);
    missed += one.intact();
    ++tried;
    for (uint32_t b = a + 1; b < kBusyBitIdx; ++b) {
      Sealed two = one;
      two.flip(b);
      missed += two.intact();
      ++tried;
    }
  }
  REQUIRE(tried == 511 + 511 * 510 / 2);
  REQUIRE(missed == 0);
}

TEST_CASE("the check is linear, so its columns tell about every line: no one, two or three of them cancel") {
  const std::vector<uint32_t> columns = syndrome_columns(random_line(1));
  REQUIRE(columns == syndrome_columns(random_line(2)));
  REQUIRE(columns == syndrome_columns(Sealed{}));
  Random random(3);
  for (int i = 0; i < 10'000; ++i) {  // the linearity itself, with many bits at once
    Sealed line = random_line(random.next());
    uint32_t sum = 0;
    for (uint64_t n = random.below(40); n > 0; --n) {
      const auto bit = static_cast<uint32_t>(random.below(kBusyBitIdx));
      line.flip(bit);
      sum ^= columns[bit];
    }
    REQUIRE(line.intact() == (sum == 0));
  }
  std::vector<bool> is_column(1u << 15);
  for (uint32_t c : columns) {
    REQUIRE(c != 0);
    REQUIRE_FALSE(is_column[c]);
    is_column[c] = true;
  }
  uint64_t triples_missed = 0;
  for (size_t a = 0; a < columns.size(); ++a)
    for (size_t b = a + 1; b < columns.size(); ++b) triples_missed += is_column[columns[a] ^ columns[b]];
  REQUIRE(triples_missed == 0);
}

TEST_CASE("a change of one word changes the check by what check_change says, so damage elsewhere stays visible") {
  Random random(8);
  for (int i = 0; i < 10'000; ++i) {
    const Sealed line = random_line(random.next());
    Sealed changed = line;
    const uint64_t word = random.below(kLineWords);
    changed.words[word] = random.next();
    uint64_t differences[kLineWords] = {};
    differences[word] = changed.words[word] ^ line.words[word];
    const uint64_t seq = random.next() & kSeqMask;
    const uint64_t change = check_change(differences, seq ^ guard_seq(line.words[7]));
    changed.words[7] = ((line.words[7] >> kSeqBits & kCheckMask) ^ change) << kSeqBits | seq;
    REQUIRE(changed.intact());
    changed.flip(static_cast<uint32_t>(random.below(kLineWords * 64)));
    REQUIRE_FALSE(changed.intact());
  }
}

TEST_CASE("the busy bit is not covered, every other bit of the guard is") {
  Sealed line = random_line(4);
  line.flip(kBusyBitIdx);
  REQUIRE(line.intact());
  REQUIRE(kBusyBitIdx == kLineBits - 1);
}

TEST_CASE(
    "a line at another offset, or of another pool, fails its check in all but its share of 1 in 32,768") {
  const Sealed line = random_line(5);
  uint64_t passed = 0;
  for (uint64_t n = 0; n < 1'000'000; ++n)
    passed += n != kOff / kLineBytes && line.intact(kSalt, n * kLineBytes);
  REQUIRE(passed < 3 * 1'000'000 / 32768);
  passed = 0;
  Random random(6);
  for (uint64_t n = 0; n < 1'000'000; ++n) passed += line.intact(static_cast<Salt>(random.next()));
  REQUIRE(passed < 3 * 1'000'000 / 32768);
  for (uint32_t bit = 0; bit < 44; ++bit) REQUIRE_FALSE(line.intact(kSalt, kOff ^ uint64_t{1} << bit));
  for (uint32_t bit = 0; bit < 32; ++bit) REQUIRE_FALSE(line.intact(kSalt ^ 1u << bit));
  // Neighbours: what a write that went one line, or a few, astray would meet.
  for (uint64_t n = 1; n < 512; ++n) REQUIRE_FALSE(line.intact(kSalt, kOff + n * kLineBytes));
}

TEST_CASE("a line of zeros and a line of ones are not intact") {
  Sealed zeros{}, ones;
  std::fill(std::begin(ones.words), std::end(ones.words), ~uint64_t{0});
  uint64_t passed = 0;
  for (uint64_t n = 1; n < 100'000; ++n)
    passed += zeros.intact(kSalt, n * kLineBytes) + ones.intact(kSalt, n * kLineBytes);
  REQUIRE(passed < 3 * 200'000 / 32768);
}

TEST_CASE("every error of one or two bits in a lane word is seen") {
  Random random(7);
  for (int round = 0; round < 20; ++round) {
    const uint64_t off = 0x3000 + random.below(1000) * 8;
    const uint64_t word = make_lane_word(kSalt, off, random.next() & kSeqMask);
    REQUIRE(lane_word_intact(kSalt, off, word));
    uint64_t missed = 0;
    for (uint32_t a = 0; a < 64; ++a) {
      missed += lane_word_intact(kSalt, off, word ^ uint64_t{1} << a);
      for (uint32_t b = a + 1; b < 64; ++b)
        missed += lane_word_intact(kSalt, off, word ^ uint64_t{1} << a ^ uint64_t{1} << b);
    }
    REQUIRE(missed == 0);
  }
}

TEST_CASE("seal and retired words do not pass for each other, nor for those of another lane or pool") {
  const uint64_t word = make_lane_word(kSalt, kLaneAreaOff, 77);
  REQUIRE_FALSE(lane_word_intact(kSalt, kLaneAreaOff + 8, word));
  REQUIRE_FALSE(lane_word_intact(kSalt, kLaneAreaOff + 17 * kLineBytes, word));
  REQUIRE_FALSE(lane_word_intact(kSalt + 1, kLaneAreaOff, word));
  REQUIRE_FALSE(lane_word_intact(kSalt, kLaneAreaOff, 0));
}
