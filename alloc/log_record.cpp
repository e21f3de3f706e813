#include "alloc/log_record.h"

#include <bit>
#include <cstring>

#include "alloc/mutants.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kOffBytes = 5;
constexpr uint64_t kVarintMax = 10;
constexpr uint64_t kSeqDeltaMax = 7;  // 48 bits in sevens
constexpr uint64_t kCheckBytes = 2;
constexpr uint64_t kSlotHeadBytes = 3;
constexpr uint64_t kFreshEntryMax = kOffBytes + kVarintMax + sizeof(uint32_t);
constexpr uint64_t kLineEntryMax = kOffBytes + kSeqDeltaMax + kCheckBytes;
constexpr uint64_t kOpMax = 1 + sizeof(uint64_t);
constexpr uint64_t kHeaderMax = kRecordBodyAt + 2 * 3;  // two counts below 2^21
constexpr uint64_t kSlotOffMask = (uint64_t{1} << kSlotOffBits) - 1;

/// Puts a record together in registers and stores each word of its cells once, the first one last. Nothing is read
/// back: a load from bytes that several stores have just made waits until those stores have left the core.
class CellWriter {
 public:
  CellWriter(std::byte* cell, uint32_t seed) noexcept : cell_(cell), crc_(seed) {}

  /// The low `bits` bits of `value`, whose others are zero; at most 56.
  [[gnu::always_inline]] void put(uint64_t value, uint32_t bits) noexcept {
    word_ |= value << used_;
    used_ += bits;
    if (used_ < 64) return;
    emit();
    used_ -= 64;
    word_ = value >> (bits - used_);
  }
  [[gnu::always_inline]] void put_word(uint64_t value) noexcept {
    put(value & 0xffffffff, 32);
    put(value >> 32, 32);
  }
  [[gnu::always_inline]] void varint(uint64_t value) noexcept {
    if (value < uint64_t{1} << 21) [[likely]] {
      const uint32_t more = (value >= 1u << 7) + (value >= 1u << 14);  // bytes behind the first
      const uint64_t coded = (value & 0x7f) | (value & 0x3f80) << 1 | (value & 0x1fc000) << 2;
      return put(coded | (0x8080 & ((1u << 8 * more) - 1)), 8 + 8 * more);
    }
    for (; value >= 0x80; value >>= 7) put((value & 0x7f) | 0x80, 8);
    put(value, 8);
  }
  /// Pads the last cell, stores the first word, which holds the low 16 bits of `seq`, and returns the number of cells.
  [[gnu::always_inline]] uint32_t finish(uint64_t seq) noexcept {
    if (used_ != 0) emit();
    const uint64_t cells = ceil_div(at_, kLineBytes);
    for (word_ = 0; at_ < cells * kLineBytes;) emit();
    const uint64_t head = cells | (seq & 0xffff) << 16;
    crc_ = crc32c(crc_, &head, sizeof(uint32_t));
    store(0, crc_ | head << 32);
    return static_cast<uint32_t>(cells);
  }

 private:
  void store(uint64_t at, uint64_t word) noexcept { std::memcpy(cell_ + at, &word, sizeof word); }
  [[gnu::always_inline]] void emit() noexcept {
    if (at_ < kLineBytes || !broken(site::kLogCrcFirstCell)) crc_ = crc32c_u64(crc_, word_);
    store(at_, word_);
    at_ += sizeof word_;
  }

  std::byte* cell_;
  uint64_t word_ = 0;                // being filled, from its low end
  uint64_t at_ = sizeof(uint64_t);  // where it goes
  uint32_t used_ = 0;               // bits of it
  uint32_t crc_;
};

class Reader {
 public:
  Reader(const std::byte* p, const std::byte* end) noexcept : p_(p), end_(end) {}
  uint64_t raw(size_t bytes) noexcept {
    uint64_t value = 0;
    if (static_cast<size_t>(end_ - p_) < bytes) {
      good_ = false;
      return 0;
    }
    std::memcpy(&value, p_, bytes);
    p_ += bytes;
    return value;
  }
  uint64_t varint() noexcept {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = raw(1);
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    good_ = false;
    return 0;
  }
  size_t left() const noexcept { return static_cast<size_t>(end_ - p_); }
  bool good() const noexcept { return good_; }
  bool rest_is_zero() const noexcept {
    for (const std::byte* q = p_; q < end_; ++q)
      if (*q != std::byte{0}) return false;
    return true;
  }

 private:
  const std::byte* p_;
  const std::byte* end_;
  bool good_ = true;
};

/// Writes the line entries of a record; knows which fresh range the next slot is likely to lead to.
class EntryWriter {
 public:
  EntryWriter(CellWriter& w, const LogRecord& record) noexcept
      : w_(w), record_(record), fresh_count_(record.strict ? 0 : record.fresh.size()) {}

  [[gnu::always_inline]] void write(const LineUpdate& u) noexcept {
    w_.put(u.line_off / kLineBytes, 40);
    w_.varint(broken(site::kLogPrevLost) ? 1 : record_.seq - u.prev_seq);
    w_.put(u.guard >> kSeqBits, 16);
    const WordOp* ops = &record_.ops[u.first_op];
    for (uint32_t i = 0; i < u.op_count; ++i) write_op(ops[i], i + 1 < u.op_count);
  }

 private:
  [[gnu::always_inline]] void write_op(const WordOp& op, bool more) noexcept {
    const uint64_t head = op.word | static_cast<uint64_t>(op.kind) << kOpKindShift | (more ? kOpMore : 0);
    if (op.kind == OpKind::set) {
      if (next_ < fresh_count_ && (op.operand & kSlotOffMask) * kUnitAlign == record_.fresh[next_].off)
        return write_slot(head, op);
      w_.put(head, 8);
      w_.put_word(op.operand);
    } else if (is_power_of_two(op.operand)) {
      w_.put(head | static_cast<uint64_t>(std::countr_zero(op.operand)) << 8, 16);
    } else {
      w_.put(head | kOpWide, 8);
      w_.put_word(op.operand);
    }
  }
  [[gnu::always_inline]] void write_slot(uint64_t head, const WordOp& op) noexcept {
    const bool later = next_ != 0 && !broken(site::kLogRangeLost);
    w_.put(head | kOpSetSlot << kOpKindShift | (later ? kOpWide : 0) | op.operand >> kSlotOffBits << 8, 32);
    if (later) w_.put(next_, 8);
    ++next_;
  }

  CellWriter& w_;
  const LogRecord& record_;
  size_t fresh_count_;
  size_t next_ = 0;
};

// True if the operation made sense; `more` is set if another one of the same line follows.
bool read_op(Reader& r, const LogRecord& record, WordOp& op, bool& more) noexcept {
  const auto head = static_cast<uint8_t>(r.raw(1));
  const uint8_t kind = head >> kOpKindShift & kOpKindMask;
  const bool wide = (head & kOpWide) != 0;
  more = (head & kOpMore) != 0;
  op.word = head & kOpWordMask;
  if (op.word >= kLineWords || head >> 7 != 0) return false;
  if (kind == kOpSetSlot) {
    const uint64_t high = r.raw(kSlotHeadBytes);
    const uint64_t range = wide ? r.raw(1) : 0;
    if (range >= record.fresh.size()) return false;
    op.kind = OpKind::set;
    op.operand = high << kSlotOffBits | record.fresh[range].off / kUnitAlign;
    return r.good();
  }
  op.kind = static_cast<OpKind>(kind);
  if (op.kind == OpKind::set || wide) {
    if (op.kind == OpKind::set && wide) return false;
    op.operand = r.raw(8);
  } else {
    const uint64_t bit = r.raw(1);
    if (bit > 63) return false;
    op.operand = uint64_t{1} << bit;
  }
  return r.good();
}

bool read_line_entry(Reader& r, LogRecord& out) {
  LineUpdate u{};
  u.line_off = r.raw(kOffBytes) * kLineBytes;
  const uint64_t delta = r.varint();
  if (delta == 0 || delta > out.seq) return false;
  u.prev_seq = out.seq - delta;
  const uint64_t check = r.raw(kCheckBytes);
  if ((check & ~kCheckMask) != 0) return false;
  u.guard = check << kSeqBits | out.seq;
  u.first_op = static_cast<uint32_t>(out.ops.size());
  for (bool more = true; more;) {
    WordOp op{};
    if (!read_op(r, out, op, more)) return false;
    out.ops.push_back(op);
    ++u.op_count;
  }
  out.updates.push_back(u);
  return true;
}

uint64_t load(const std::byte* p, size_t bytes) noexcept {
  uint64_t value = 0;
  std::memcpy(&value, p, bytes);
  return value;
}

}  // namespace

uint64_t max_record_cells(uint64_t fresh_count, uint64_t line_count, uint64_t op_count) noexcept {
  if (broken(site::kLogMaxLow)) op_count = 0;
  return ceil_div(kHeaderMax + fresh_count * kFreshEntryMax + line_count * kLineEntryMax + op_count * kOpMax,
                  kLineBytes);
}

void encode_record(LogRecord& record, uint32_t seed, std::byte* cell) noexcept {
  CellWriter w(cell, seed);
  w.put(record.seq >> 16 | (record.strict ? uint64_t{kRecordStrict} << 32 : 0), 40);
  w.varint(record.strict ? 0 : record.fresh.size());
  w.varint(record.updates.size());
  if (!record.strict)
    for (const FreshRange& f : record.fresh) {
      w.put(f.off / kUnitAlign, 40);
      w.varint(f.bytes);
      w.put(f.crc, 32);
    }
  EntryWriter entries(w, record);
  for (const LineUpdate& u : record.updates) entries.write(u);
  record.cells = w.finish(record.seq);
}

uint32_t record_crc(const std::byte* cell, uint32_t cells, uint32_t seed) noexcept {
  if (broken(site::kLogCrcFirstCell)) cells = 1;
  const uint32_t body = crc32c(seed, cell + sizeof(uint64_t), cells * kLineBytes - sizeof(uint64_t));
  return crc32c(body, cell + sizeof(uint32_t), sizeof(uint32_t));
}

uint32_t probe_record(const std::byte* cell, uint32_t cells_left, uint32_t seed) noexcept {
  const auto cells = static_cast<uint32_t>(load(cell + kRecordCellsAt, 2));
  const uint64_t flags = load(cell + kRecordFlagsAt, 1);
  if (cells == 0 || cells > cells_left || (flags & ~uint64_t{kRecordKnownFlags}) != 0) return 0;
  const bool good = load(cell, sizeof(uint32_t)) == record_crc(cell, cells, seed);
  return good || broken(site::kLogCrcIgnored) ? cells : 0;
}

uint64_t record_seq(const std::byte* cell) noexcept { return load(cell + kRecordSeqAt, kSeqBits / 8); }

bool decode_record(const std::byte* cell, LogRecord& out) {
  out.clear();
  out.seq = record_seq(cell);
  out.strict = (load(cell + kRecordFlagsAt, 1) & kRecordStrict) != 0;
  out.cells = static_cast<uint32_t>(load(cell + kRecordCellsAt, 2));
  Reader r(cell + kRecordBodyAt, cell + out.cells * kLineBytes);
  const uint64_t fresh_count = r.varint(), line_count = r.varint();
  if (fresh_count > r.left() || line_count > r.left() || (out.strict && fresh_count != 0)) return false;
  for (uint64_t i = 0; i < fresh_count; ++i) {
    FreshRange f{};
    f.off = r.raw(kOffBytes) * kUnitAlign;
    f.bytes = r.varint();
    f.crc = static_cast<uint32_t>(r.raw(4));
    if (!r.good()) return false;
    out.fresh.push_back(f);
  }
  for (uint64_t i = 0; i < line_count; ++i)
    if (!read_line_entry(r, out)) return false;
  return r.good() && r.rest_is_zero();
}

}  // namespace nacre::alloc
