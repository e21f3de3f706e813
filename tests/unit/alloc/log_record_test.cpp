// Log records: the two forms agree, the bound holds, and damaged cells are refused without reading beyond
// them.
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "alloc/log_record.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::alloc;
using nacre::test::Random;

namespace {

constexpr uint32_t kSeed = 99;
constexpr uint32_t kNoBound = 65535;

WordOp random_op(Random& random) {
  WordOp op{static_cast<uint8_t>(random.below(7)), static_cast<OpKind>(random.below(3)), random.next()};
  if (op.kind != OpKind::set && random.below(3) != 0) op.operand = uint64_t{1} << random.below(64);
  return op;
}

LogRecord random_record(Random& random) {
  LogRecord r;
  r.seq = 1 + (random.next() & kSeqMask) % (random.one_in(2) ? 100 : kSeqMask);
  r.strict = random.one_in(2);
  for (uint64_t n = random.below(4); n > 0; --n)
    r.fresh.push_back({random.below(uint64_t{1} << 40) * 16, random.next() >> random.below(64),
                       static_cast<uint32_t>(random.next())});
  for (uint64_t n = random.below(12); n > 0; --n) {
    LineUpdate u{random.below(uint64_t{1} << 38) * 64, random.below(r.seq),
                 random.below(kCheckMask + 1) << kSeqBits | r.seq, static_cast<uint32_t>(r.ops.size()),
                 static_cast<uint32_t>(1 + random.below(7))};
    for (uint32_t i = 0; i < u.op_count; ++i) r.ops.push_back(random_op(random));
    r.updates.push_back(u);
  }
  return r;
}

uint64_t bound(const LogRecord& r) {
  return max_record_cells(r.fresh.size(), r.updates.size(), r.ops.size());
}

bool same(const LogRecord& a, const LogRecord& b) {
  bool ok = a.seq == b.seq && a.strict == b.strict && a.cells == b.cells &&
            a.updates.size() == b.updates.size() && a.ops.size() == b.ops.size() &&
            b.fresh.size() == (a.strict ? 0 : a.fresh.size());
  for (size_t i = 0; ok && i < b.fresh.size(); ++i)
    ok = a.fresh[i].off == b.fresh[i].off && a.fresh[i].bytes == b.fresh[i].bytes &&
         a.fresh[i].crc == b.fresh[i].crc;
  for (size_t i = 0; ok && i < a.updates.size(); ++i)
    ok = a.updates[i].line_off == b.updates[i].line_off && a.updates[i].prev_seq == b.updates[i].prev_seq &&
         a.updates[i].guard >> kSeqBits == b.updates[i].guard >> kSeqBits &&
         a.updates[i].first_op == b.updates[i].first_op && a.updates[i].op_count == b.updates[i].op_count;
  for (size_t i = 0; ok && i < a.ops.size(); ++i)
    ok = a.ops[i].word == b.ops[i].word && a.ops[i].kind == b.ops[i].kind &&
         a.ops[i].operand == b.ops[i].operand;
  return ok;
}

void reseal(std::vector<std::byte>& cells) {
  uint16_t count;
  std::memcpy(&count, cells.data() + 4, 2);
  const uint32_t crc = record_crc(cells.data(), count, kSeed);
  std::memcpy(cells.data(), &crc, 4);
}

}  // namespace

TEST_CASE("10,000 random records survive encoding and decoding, within the bound that was reserved") {
  Random random(1);
  for (int round = 0; round < 10'000; ++round) {
    LogRecord record = random_record(random);
    std::vector<std::byte> cells(bound(record) * kLineBytes, std::byte{0xee});
    encode_record(record, kSeed, cells.data());
    REQUIRE(record.cells <= bound(record));
    REQUIRE(probe_record(cells.data(), record.cells, kSeed) == record.cells);
    REQUIRE(record_seq(cells.data()) == record.seq);
    LogRecord decoded;
    REQUIRE(decode_record(cells.data(), decoded));
    REQUIRE(same(record, decoded));
    REQUIRE(probe_record(cells.data(), record.cells - 1, kSeed) == 0);  // it would cross the half
    REQUIRE(probe_record(cells.data(), kNoBound, kSeed + 1) == 0);      // another place
  }
}

TEST_CASE("the bound is met by the largest numbers: full varints, wide operations") {
  LogRecord r;
  r.seq = kSeqMask;
  r.fresh.push_back({(uint64_t{1} << 44) - 16, ~uint64_t{0}, 1});
  r.updates.push_back({((uint64_t{1} << 40) - 1) * 64, 0, 0, 0, 7});
  for (uint8_t w = 0; w < 7; ++w) r.ops.push_back({w, OpKind::clear_bits, 3});
  std::vector<std::byte> cells(bound(r) * kLineBytes);
  encode_record(r, kSeed, cells.data());
  REQUIRE(r.cells == bound(r));
  LogRecord decoded;
  REQUIRE(decode_record(cells.data(), decoded));
  REQUIRE(same(r, decoded));
}

TEST_CASE("a put's record is one cell: header, two lines, one slot word, two bits") {
  LogRecord r;
  r.seq = 1u << 20;
  r.strict = true;
  r.updates.push_back({64 * 1000, (1u << 20) - 70, 0, 0, 1});
  r.ops.push_back({3, OpKind::set, 0x8000'1234'5678'9abc});
  r.updates.push_back({64 * 2000, (1u << 20) - 3, 0, 1, 2});
  r.ops.push_back({1, OpKind::clear_bits, 1u << 7});
  r.ops.push_back({4, OpKind::set_bits, 1u << 9});
  std::vector<std::byte> cells(bound(r) * kLineBytes);
  encode_record(r, kSeed, cells.data());
  REQUIRE(r.cells == 1);
}

TEST_CASE("a one-fence overwrite's record is one cell: a fresh range, the slot that leads to it, a bit in two slabs") {
  LogRecord r;
  r.seq = 1u << 30;
  r.fresh.push_back({0x12'3456'7890, 132, 0xdeadbeef});
  r.updates.push_back({64 * 1'000'000'000ull, r.seq - (1u << 21) + 1, kCheckMask << kSeqBits | r.seq, 0, 1});
  r.ops.push_back({3, OpKind::set, 0x89ab'cd00'0000'0000 | 0x12'3456'7890 / 16});
  r.updates.push_back({64 * 2'000'000'000ull, r.seq - 127, kCheckMask << kSeqBits | r.seq, 1, 1});
  r.ops.push_back({1, OpKind::set_bits, 1u << 7});
  r.updates.push_back({64 * 3'000'000'000ull, r.seq - (1u << 14) + 1, kCheckMask << kSeqBits | r.seq, 2, 1});
  r.ops.push_back({4, OpKind::clear_bits, 1u << 9});
  std::vector<std::byte> cells(bound(r) * kLineBytes);
  encode_record(r, kSeed, cells.data());
  REQUIRE(r.cells == 1);
  LogRecord decoded;
  REQUIRE(decode_record(cells.data(), decoded));
  REQUIRE(same(r, decoded));
}

TEST_CASE("slots that lead to fresh ranges in their order are coded by number, others as words") {
  LogRecord r;
  r.seq = 100;
  for (uint64_t i = 0; i < 40; ++i) {
    r.fresh.push_back({4096 + i * 144, 132, static_cast<uint32_t>(i)});
    r.updates.push_back({64 * (i + 1), 50, r.seq, static_cast<uint32_t>(r.ops.size()), 2});
    r.ops.push_back({2, OpKind::set, uint64_t{0xabcdef} << 40 | r.fresh.back().off / 16});
    r.ops.push_back({5, OpKind::set, i % 2 == 0 ? 4096 / 16 : i});
  }
  std::vector<std::byte> cells(bound(r) * kLineBytes);
  encode_record(r, kSeed, cells.data());
  LogRecord decoded;
  REQUIRE(decode_record(cells.data(), decoded));
  REQUIRE(same(r, decoded));
}

TEST_CASE("probe refuses every single flipped bit, random cells, and zeros") {
  Random random(2);
  for (int round = 0; round < 30; ++round) {
    LogRecord record = random_record(random);
    std::vector<std::byte> cells(bound(record) * kLineBytes);
    encode_record(record, kSeed, cells.data());
    cells.resize(record.cells * kLineBytes);
    for (size_t bit = 0; bit < cells.size() * 8; ++bit) {
      cells[bit / 8] ^= std::byte{1} << bit % 8;
      REQUIRE(probe_record(cells.data(), record.cells, kSeed) == 0);
      cells[bit / 8] ^= std::byte{1} << bit % 8;
    }
  }
  uint64_t accepted = 0;
  std::vector<std::byte> cell(64 * 4);
  REQUIRE(probe_record(cell.data(), 4, kSeed) == 0);
  for (int round = 0; round < 100'000; ++round) {
    for (size_t i = 0; i < cell.size(); i += 8) {
      const uint64_t word = random.next();
      std::memcpy(&cell[i], &word, 8);
    }
    cell[4] = static_cast<std::byte>(random.below(5)), cell[5] = cell[14] = std::byte{0};
    accepted += probe_record(cell.data(), 4, kSeed) != 0;
  }
  REQUIRE(accepted == 0);
}

// The buffer is exactly as long as the header says, so that a sanitizer sees the first byte beyond.
TEST_CASE(
    "decoding mutated cells whose crc was put right again never reads beyond them and never lies about "
    "counts") {
  Random random(3);
  uint64_t parsed = 0;
  for (int round = 0; round < 100'000; ++round) {
    LogRecord record = random_record(random);
    std::vector<std::byte> buffer(bound(record) * kLineBytes);
    encode_record(record, kSeed, buffer.data());
    std::vector<std::byte> cells(buffer.begin(),
                                 buffer.begin() + static_cast<std::ptrdiff_t>(record.cells * kLineBytes));
    for (uint64_t n = 1 + random.below(4); n > 0; --n) {
      size_t at = 6 + random.below(cells.size() - 6);
      if (at == kRecordFlagsAt) ++at;  // flags: probe refuses unknown ones
      cells[at] = static_cast<std::byte>(random.next());
    }
    reseal(cells);
    REQUIRE(probe_record(cells.data(), record.cells, kSeed) == record.cells);
    LogRecord out;
    if (!decode_record(cells.data(), out)) continue;
    ++parsed;
    for (const LineUpdate& u : out.updates) {
      REQUIRE(u.prev_seq < out.seq);
      REQUIRE(u.first_op + u.op_count <= out.ops.size());
    }
    for (const WordOp& op : out.ops) REQUIRE(op.word < kLineWords);
  }
  REQUIRE(parsed > 0);
}
