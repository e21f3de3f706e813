// The lanes of a pool alone: log records of any content behind good checksums, then recovery.
//
//   byte 0    bit 0: seals and retired words from the input
//   then      records: lane, cell, cells, flags (bit 0: leave the checksum bad), and 64 bytes for each cell
//
// Expected: recovery ends with ok or corruption. After corruption nothing has changed. After ok nothing outside lanes
// has changed but lines that a record names, and a second recovery finds no record that counts. A record that can be
// decoded comes back the same from encode and decode.
#include <vector>

#include "alloc/format.h"
#include "alloc/lane_layout.h"
#include "alloc/log_record.h"
#include "alloc/recover.h"
#include "alloc/zone.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"
#include "tests/support/image.h"

using namespace nacre;
using namespace nacre::alloc;
using namespace nacre::fuzz;

namespace {

constexpr uint64_t kImageBytes = 64 * 1024;
constexpr uint64_t kIdLo = 1, kIdHi = 2;

Geometry geometry() {
  Geometry g;
  g.chunk_bytes = 4096;
  g.lane_count = 2;
  g.lane_cells = 32;
  return g;
}

const test::Image& empty_pool() {
  static const test::ImagePtr image = [] {
    test::ImagePtr made = test::make_image(kImageBytes);
    test::ImageDomain domain(made);
    const ClassSpec lines[] = {{64, 64}};
    require(format_pool(domain, {.geometry = geometry(), .classes = lines, .identity_lo = kIdLo, .identity_hi = kIdHi})
                .ok(),
            "format");
    return made;
  }();
  return *image;
}

class Lanes {
 public:
  Lanes() : image_(empty_pool().clone()), layout_(geometry(), kImageBytes), salt_(salt_of(kIdLo, kIdHi)) {}

  void store_headers(Bytes& bytes) {
    for (uint32_t lane = 0; lane < layout_.geometry.lane_count; ++lane)
      for (const uint64_t at : {offsetof(LaneHeader, seal), offsetof(LaneHeader, retired)}) {
        const uint64_t off = layout_.lane_header_off(lane) + at;
        *image_->at<uint64_t>(off) = make_lane_word(salt_, off, bytes.number(kSeqBits / 8));
      }
  }

  void store_record(Bytes& bytes) {
    const uint32_t lane = bytes.byte() % layout_.geometry.lane_count;
    const uint32_t cell = bytes.byte() % layout_.geometry.lane_cells;
    const uint32_t room = layout_.geometry.lane_cells - cell;
    const auto cells = static_cast<uint16_t>(1 + bytes.byte() % std::min(room, 4u));
    const bool bad = (bytes.byte() & 1) != 0;
    const uint64_t off = layout_.cell_off(lane, cell);
    auto* at = image_->at<std::byte>(off);
    for (uint64_t i = 0; i < cells * kLineBytes; ++i) at[i] = static_cast<std::byte>(bytes.byte());
    if (bad) return;
    std::memcpy(at + kRecordCellsAt, &cells, sizeof cells);
    at[kRecordFlagsAt] &= std::byte{kRecordKnownFlags};
    const uint32_t crc = record_crc(at, cells, record_seed(salt_, off));
    std::memcpy(at, &crc, sizeof crc);
  }

  void encode_again() const {
    const uint32_t half = layout_.geometry.lane_cells / 2;
    for (uint32_t lane = 0; lane < layout_.geometry.lane_count; ++lane)
      for (uint32_t cell = 0; cell < layout_.geometry.lane_cells; ++cell) {
        const uint64_t off = layout_.cell_off(lane, cell);
        const auto* at = image_->at<const std::byte>(off);
        LogRecord record, again;
        if (probe_record(at, half - cell % half, record_seed(salt_, off)) == 0 || !decode_record(at, record)) continue;
        const uint64_t most = max_record_cells(record.fresh.size(), record.updates.size(), record.ops.size());
        alignas(64) static std::byte cells[64 * 1024];
        if (record.updates.size() > 255 || most * kLineBytes > sizeof cells || record.fresh.size() > kMaxFreshRanges)
          continue;
        encode_record(record, 0, cells);
        require(record.cells <= most, "a record takes more cells than the most it can");
        require(probe_record(cells, record.cells, 0) == record.cells, "an encoded record is not found");
        require(decode_record(cells, again), "an encoded record does not decode");
        same(record, again);
      }
  }

  // A strict record counts, whatever else there is: what it says must be home, or something later.
  std::vector<LineUpdate> strict_updates() const {
    std::vector<LineUpdate> updates;
    const uint32_t half = layout_.geometry.lane_cells / 2;
    for (uint32_t lane = 0; lane < layout_.geometry.lane_count; ++lane) {
      const uint64_t retired = *image_->at<uint64_t>(layout_.lane_header_off(lane) + offsetof(LaneHeader, retired));
      for (uint32_t cell = 0; cell < layout_.geometry.lane_cells; ++cell) {
        const uint64_t off = layout_.cell_off(lane, cell);
        const auto* at = image_->at<const std::byte>(off);
        LogRecord record;
        if (probe_record(at, half - cell % half, record_seed(salt_, off)) == 0 || !decode_record(at, record)) continue;
        if (!record.strict || record.seq <= (retired & kSeqMask)) continue;
        for (const LineUpdate& u : record.updates) updates.push_back(u);
      }
    }
    return updates;
  }

  void recover_twice() {
    const std::vector<LineUpdate> strict = strict_updates();
    const test::ImagePtr before = image_->clone();
    RecoveryReport first, second;
    const Status status = recover(first);
    require(status.ok() || status == Code::corruption, "recovery answers something else");
    if (!status.ok()) return require(image_->same_as(*before), "a refused recovery changed the pool");
    for (const LineUpdate& u : strict)
      require(guard_seq(image_->at<GuardedLine>(u.line_off)->guard) >= guard_seq(u.guard),
              "a strict record is not home");
    const test::ImagePtr after = image_->clone();
    const Status repeated = recover(second);
    if (repeated == Code::corruption && last_seq_ >= kSeqMask) return;  // the clock has come to its end
    require(repeated.ok(), "a second recovery is refused");
    require(second.counted_records == 0, "a record counts after recovery");
    const uint64_t lanes = layout_.zones_off - kLaneAreaOff;
    std::memcpy(after->data() + kLaneAreaOff, image_->data() + kLaneAreaOff, lanes);
    require(image_->same_as(*after), "a second recovery changes lines");
  }

 private:
  Status recover(RecoveryReport& report) {
    test::ImageDomain domain(image_);
    std::vector<uint64_t> seqs(layout_.geometry.lane_count);
    const Status status = recover_lanes(domain, layout_, salt_, seqs, report);
    if (status.ok()) last_seq_ = seqs[0];  // of all lanes: they are retired up to the same
    return status;
  }

  static void same(const LogRecord& a, const LogRecord& b) {
    require(a.seq == b.seq && a.strict == b.strict, "seq or form changed");
    require(a.fresh.size() == b.fresh.size() && a.updates.size() == b.updates.size() && a.ops.size() == b.ops.size(),
            "counts changed");
    for (size_t i = 0; i < a.updates.size(); ++i)
      require(a.updates[i].line_off == b.updates[i].line_off && a.updates[i].prev_seq == b.updates[i].prev_seq &&
                  a.updates[i].guard == b.updates[i].guard && a.updates[i].op_count == b.updates[i].op_count,
              "a line entry changed");
    for (size_t i = 0; i < a.ops.size(); ++i)
      require(a.ops[i].word == b.ops[i].word && a.ops[i].kind == b.ops[i].kind && a.ops[i].operand == b.ops[i].operand,
              "an operation changed");
  }

  test::ImagePtr image_;
  const Layout layout_;
  const Salt salt_;
  uint64_t last_seq_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  Lanes lanes;
  if ((bytes.byte() & 1) != 0) lanes.store_headers(bytes);
  while (!bytes.empty()) lanes.store_record(bytes);
  lanes.encode_again();
  lanes.recover_twice();
  return 0;
}

namespace {

// lane, cell, one cell, and the record as the product encodes it.
std::string encoded(uint8_t lane, uint8_t cell, uint64_t seq, bool strict, std::initializer_list<WordOp> ops) {
  LogRecord record;
  record.seq = seq;
  record.strict = strict;
  if (!strict) record.fresh.push_back({32768, 48, 0x1234, nullptr});
  LineUpdate update{32768 + 64, seq - 1, uint64_t{7} << kSeqBits | seq, 0, static_cast<uint32_t>(ops.size())};
  for (const WordOp& op : ops) record.ops.push_back(op);
  record.updates.push_back(update);
  alignas(64) static std::byte cells[4096];
  std::memset(cells, 0, sizeof cells);
  encode_record(record, 0, cells);
  std::string seed{static_cast<char>(lane), static_cast<char>(cell), static_cast<char>(record.cells - 1), 0};
  seed.append(reinterpret_cast<const char*>(cells), record.cells * kLineBytes);
  return seed;
}

}  // namespace

std::vector<Seed> nacre::fuzz::seeds() {
  const std::string set = encoded(0, 0, 3, true, {{1, OpKind::set, 0x1122334455667788}});
  const std::string bits = encoded(0, 1, 4, true, {{1, OpKind::set_bits, 4}, {6, OpKind::clear_bits, 0xff00}});
  const std::string slot =
      encoded(1, 16, 5, false, {{0, OpKind::set, uint64_t{9} << kSlotOffBits | 32768 / kUnitAlign}});
  std::string headers(1, '\1');
  for (int i = 0; i < 24; ++i) headers += static_cast<char>(i % 6 == 0 ? 2 : 0);
  return {{"chain", std::string(1, '\0') + set + bits},
          {"slot", std::string(1, '\0') + slot},
          {"headers", headers + set + bits + slot}};
}
