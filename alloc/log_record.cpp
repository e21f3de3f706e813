#include "alloc/log_record.h"

#include <cstring>

namespace nacre::alloc {
namespace {

constexpr uint64_t kFreshEntryMax = 5 + 10 + 4;
constexpr uint64_t kLineEntryMax = 5 + 7 + 2 + 1;
constexpr uint64_t kOpMax = 1 + 8;

class Writer {
 public:
  explicit Writer(std::byte* p) noexcept : p_(p) {}
  template <class T>
  void raw(T value, size_t bytes = sizeof(T)) noexcept {
    std::memcpy(p_, &value, bytes);
    p_ += bytes;
  }
  void varint(uint64_t value) noexcept {
    while (value >= 0x80) {
      *p_++ = static_cast<std::byte>(value | 0x80);
      value >>= 7;
    }
    *p_++ = static_cast<std::byte>(value);
  }
  std::byte* at() const noexcept { return p_; }

 private:
  std::byte* p_;
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

constexpr uint8_t kWideOp = 1u << 5;

void write_op(Writer& w, const WordOp& op) noexcept {
  const uint8_t head = static_cast<uint8_t>(op.word | static_cast<uint8_t>(op.kind) << 3);
  if (op.kind == OpKind::set) {
    w.raw(head);
    w.raw(op.operand);
  } else if (std::has_single_bit(op.operand)) {
    w.raw(head);
    w.raw(static_cast<uint8_t>(std::countr_zero(op.operand)));
  } else {
    w.raw(static_cast<uint8_t>(head | kWideOp));
    w.raw(op.operand);
  }
}

bool read_op(Reader& r, WordOp& op) noexcept {
  const auto head = static_cast<uint8_t>(r.raw(1));
  op.word = head & 7;
  op.kind = static_cast<OpKind>((head >> 3) & 3);
  if (op.word >= kLineWords || (head >> 3 & 3) > 2 || (head >> 6) != 0) return false;
  if (op.kind == OpKind::set) {
    if ((head & kWideOp) != 0) return false;
    op.operand = r.raw(8);
  } else if ((head & kWideOp) != 0) {
    op.operand = r.raw(8);
  } else {
    const uint64_t bit = r.raw(1);
    if (bit > 63) return false;
    op.operand = uint64_t{1} << bit;
  }
  return r.good();
}

RecordHeader header_at(const std::byte* cell) noexcept {
  RecordHeader h;
  std::memcpy(&h, cell, sizeof h);
  return h;
}

}  // namespace

uint64_t max_record_cells(uint64_t fresh_count, uint64_t line_count, uint64_t op_count) noexcept {
  return ceil_div(sizeof(RecordHeader) + fresh_count * kFreshEntryMax + line_count * kLineEntryMax + op_count * kOpMax,
                  kLineBytes);
}

void encode_record(LogRecord& record, uint32_t seed, std::byte* buffer) noexcept {
  Writer w(buffer + sizeof(RecordHeader));
  if (!record.strict)
    for (const FreshRange& f : record.fresh) {
      w.raw(f.off / kUnitAlign, 5);
      w.varint(f.bytes);
      w.raw(f.crc);
    }
  for (const LineUpdate& u : record.updates) {
    w.raw(u.line_off / kLineBytes, 5);
    w.varint(record.seq - u.prev_seq);
    w.raw(static_cast<uint16_t>(u.guard >> kSeqBits));
    w.raw(static_cast<uint8_t>(u.op_count));
    for (uint32_t i = 0; i < u.op_count; ++i) write_op(w, record.ops[u.first_op + i]);
  }
  const auto used = static_cast<uint64_t>(w.at() - buffer);
  record.cells = static_cast<uint32_t>(ceil_div(used, kLineBytes));
  const uint64_t total = record.cells * kLineBytes;
  std::memset(w.at(), 0, total - used);
  RecordHeader h{};
  h.cells = static_cast<uint16_t>(record.cells);
  h.lines = static_cast<uint16_t>(record.updates.size());
  h.seq_low = static_cast<uint16_t>(record.seq);
  h.seq_mid = static_cast<uint16_t>(record.seq >> 16);
  h.seq_high = static_cast<uint16_t>(record.seq >> 32);
  h.flags = record.strict ? kRecordStrict : 0;
  h.fresh_count = record.strict ? 0 : static_cast<uint8_t>(record.fresh.size());
  std::memcpy(buffer, &h, sizeof h);
  const uint32_t crc = crc32c(seed, buffer + sizeof crc, total - sizeof crc);
  std::memcpy(buffer, &crc, sizeof crc);
}

uint32_t probe_record(const std::byte* cell, uint32_t cells_left, uint32_t seed) noexcept {
  const RecordHeader h = header_at(cell);
  if (h.cells == 0 || h.cells > cells_left || (h.flags & ~kRecordKnownFlags) != 0) return 0;
  const uint32_t crc = crc32c(seed, cell + sizeof crc, h.cells * kLineBytes - sizeof crc);
  return crc == h.crc ? h.cells : 0;
}

uint64_t record_seq(const std::byte* cell) noexcept {
  const RecordHeader h = header_at(cell);
  return h.seq_low | static_cast<uint64_t>(h.seq_mid) << 16 | static_cast<uint64_t>(h.seq_high) << 32;
}

bool decode_record(const std::byte* cell, LogRecord& out) {
  const RecordHeader h = header_at(cell);
  out.clear();
  out.seq = record_seq(cell);
  out.strict = (h.flags & kRecordStrict) != 0;
  out.cells = h.cells;
  Reader r(cell + sizeof h, cell + h.cells * kLineBytes);
  for (uint32_t i = 0; i < h.fresh_count; ++i) {
    FreshRange f;
    f.off = r.raw(5) * kUnitAlign;
    f.bytes = r.varint();
    f.crc = static_cast<uint32_t>(r.raw(4));
    if (!r.good()) return false;
    out.fresh.push_back(f);
  }
  for (uint32_t i = 0; i < h.lines; ++i) {
    LineUpdate u;
    u.line_off = r.raw(5) * kLineBytes;
    const uint64_t delta = r.varint();
    if (delta == 0 || delta > out.seq) return false;
    u.prev_seq = out.seq - delta;
    const uint64_t check = r.raw(2);
    if ((check & ~kCheckMask) != 0) return false;
    u.guard = check << kSeqBits | out.seq;
    u.op_count = static_cast<uint32_t>(r.raw(1));
    u.first_op = static_cast<uint32_t>(out.ops.size());
    for (uint32_t k = 0; k < u.op_count; ++k) {
      WordOp op;
      if (!read_op(r, op)) return false;
      out.ops.push_back(op);
    }
    if (!r.good()) return false;
    out.updates.push_back(u);
  }
  return r.good() && r.rest_is_zero();
}

}  // namespace nacre::alloc
