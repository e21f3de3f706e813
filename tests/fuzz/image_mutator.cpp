#include <algorithm>
#include <cstring>

#include "alloc/format.h"
#include "alloc/heap_layout.h"
#include "alloc/lane_layout.h"
#include "alloc/log_record.h"
#include "alloc/sealed_range.h"
#include "engine/catalogue_layout.h"
#include "engine/hash/segment_layout.h"
#include "engine/record.h"
#include "tests/fuzz/sparse_image.h"
#include "tests/support/random.h"

namespace nacre::fuzz {
namespace {

using namespace alloc;
using test::Random;

template <class T>
T load(const std::vector<std::byte>& bytes, uint64_t off) noexcept {
  T value;
  std::memcpy(&value, &bytes[off], sizeof value);
  return value;
}
template <class T>
void store(std::vector<std::byte>& bytes, uint64_t off, T value) noexcept {
  std::memcpy(&bytes[off], &value, sizeof value);
}

class Mutator {
 public:
  Mutator(SparseImage& image, uint64_t seed) : image_(image), bytes_(image.bytes), random_(seed) {
    if (bytes_.size() < kLaneAreaOff) return;  // no room for a superblock and its tables
    salt_ = salt_of(load<uint64_t>(bytes_, kIdLoWord * kWordBytes), load<uint64_t>(bytes_, kIdHiWord * kWordBytes));
    geometry_.chunk_bytes = load<uint32_t>(bytes_, kGeometryLineOff + kChunkWord * kWordBytes);
    geometry_.lane_count = load<uint32_t>(bytes_, kGeometryLineOff + kLaneWord * kWordBytes);
    geometry_.lane_cells = load<uint32_t>(bytes_, kGeometryLineOff + kLaneWord * kWordBytes + 4);
    lanes_end_ = kLaneAreaOff;
    if (geometry_.valid() && geometry_.lane_count <= 64)
      lanes_end_ += geometry_.lane_count * (1 + uint64_t{geometry_.lane_cells}) * kLineBytes;
    for (uint64_t off = 0; off < bytes_.size(); off += kLineBytes)
      if (!is_zero(off)) used_.push_back(off);
  }

  void run() {
    if (used_.empty()) return;
    for (uint64_t n = 1 + random_.below(3); n > 0; --n) {
      const uint64_t off = used_[random_.below(used_.size())];
      switch (random_.below(12)) {
        case 0:
          image_.flags = static_cast<uint8_t>(random_.next());
          break;
        case 1:
          raw(off);
          break;
        case 2:
          copy_line(off, used_[random_.below(used_.size())]);
          break;
        case 3:
          resize();
          break;
        default:
          change(off);
      }
    }
  }

 private:
  bool is_zero(uint64_t off) const noexcept {
    return std::all_of(&bytes_[off], &bytes_[off] + kLineBytes, [](std::byte b) { return b == std::byte{0}; });
  }

  void raw(uint64_t off) {
    const uint64_t at = off + random_.below(kLineBytes);
    bytes_[at] ^= static_cast<std::byte>(1u << random_.below(8));
  }

  // A line of another place, or an older one of its own, with a check that says it belongs here.
  void copy_line(uint64_t to, uint64_t from) {
    const bool guarded = line_intact_at(to) && line_intact_at(from);
    std::memmove(&bytes_[to], &bytes_[from], kLineBytes);
    if (guarded) guard(to);
  }

  void resize() {
    const uint64_t pages = std::clamp<uint64_t>(bytes_.size() / kPageBytes + random_.below(5) - 2, 1, kMaxPages);
    bytes_.resize(pages * kPageBytes);
    std::erase_if(used_, [&](uint64_t off) { return off >= bytes_.size(); });
    if (used_.empty()) used_.push_back(0);
  }

  // One word, and the check over it.
  void change(uint64_t off) {
    if (off >= kLaneAreaOff && off < lanes_end_) return change_lane(off);
    if (line_intact_at(off)) {
      change_word(off, random_.below(kLineWords));
      if (random_.one_in(4)) change_word(off, random_.below(kLineWords));
      return guard(off);
    }
    change_record(off);
  }

  void change_word(uint64_t off, uint64_t word) {
    const uint64_t at = off + word * kWordBytes;
    store(bytes_, at, strange(load<uint64_t>(bytes_, at)));
  }

  Salt salt_at(uint64_t off) const noexcept {
    return off < kClassTableOff && off % kSuperblockBytes < kRootsLineOff ? 0 : salt_;
  }
  bool line_intact_at(uint64_t off) const noexcept {
    return line_intact(salt_at(off), off, load<GuardedLine>(bytes_, off));
  }
  void guard(uint64_t off) noexcept {
    auto line = load<GuardedLine>(bytes_, off);
    const uint64_t seq = random_.one_in(20) ? kSeqMask - random_.below(3) : guard_seq(line.guard) + random_.below(2);
    line.guard = make_guard(salt_at(off), off, line.words, seq);
    store(bytes_, off, line);
    if (off < kClassTableOff && random_.below(4) != 0) {  // else the copies disagree
      const uint64_t other = off ^ kSuperblockBytes;
      line.guard = make_guard(salt_at(other), other, line.words, seq);
      store(bytes_, other, line);
    }
  }

  void change_lane(uint64_t off) {
    const uint64_t lane_bytes = (1 + uint64_t{geometry_.lane_cells}) * kLineBytes;
    const uint64_t lane_off = kLaneAreaOff + (off - kLaneAreaOff) / lane_bytes * lane_bytes;
    if (off == lane_off) {
      const uint64_t at = off + (random_.one_in(2) ? offsetof(LaneHeader, seal) : offsetof(LaneHeader, retired));
      return store(bytes_, at, make_lane_word(salt_, at, strange(load<uint64_t>(bytes_, at))));
    }
    const uint64_t cell = (off - lane_off) / kLineBytes - 1, half = geometry_.lane_cells / 2;
    const uint64_t half_end = cell / half * half + half;
    const auto cells = std::clamp<uint64_t>(load<uint16_t>(bytes_, off + kRecordCellsAt), 1, half_end - cell);
    const uint64_t at = off + kRecordSeqAt + random_.below(cells * kLineBytes - kRecordSeqAt);
    bytes_[at] = random_.one_in(2) ? static_cast<std::byte>(random_.next())
                                   : bytes_[at] ^ static_cast<std::byte>(1u << random_.below(8));
    const auto seed = record_seed(salt_, off);
    store(bytes_, off, record_crc(&bytes_[off], static_cast<uint32_t>(cells), seed));
  }

  // The record that begins in this line or the one before, if there is one.
  void change_record(uint64_t line_off) {
    const uint64_t first = line_off >= kLineBytes ? line_off - kLineBytes : 0;
    for (uint64_t off = first; off < line_off + kLineBytes; off += kUnitAlign) {
      const uint64_t bytes = record_length(off);
      if (bytes == 0 || !range_intact(salt_, off, &bytes_[off], bytes)) continue;
      const uint64_t at = off + kSealBytes + random_.below(std::min<uint64_t>(bytes - kSealBytes, 24));
      bytes_[at] = random_.one_in(2) ? static_cast<std::byte>(random_.next())
                                     : bytes_[at] ^ static_cast<std::byte>(1u << random_.below(8));
      const uint64_t now = record_length(off);
      if (now != 0) store(bytes_, off, range_crc(salt_, off, &bytes_[off], now));
      return;
    }
    raw(line_off);
  }

  // Header, key and value of what would be a record at `off`; 0 if it does not fit.
  uint64_t record_length(uint64_t off) const noexcept {
    if (off + engine::kLongHeaderBytes > bytes_.size()) return 0;
    const auto head = load<uint64_t>(bytes_, off), second = load<uint64_t>(bytes_, off + kWordBytes);
    const bool is_long = (head >> 32 & engine::kRecordLong) != 0;
    const uint64_t key_bytes = is_long ? head >> 40 : head >> 40 & UINT8_MAX;
    const uint64_t value_bytes = second & (is_long ? engine::kMaxValueBytes : engine::kMaxShortValueBytes);
    const uint64_t bytes = (is_long ? engine::kLongHeaderBytes : engine::kShortHeaderBytes) + key_bytes + value_bytes;
    return bytes <= bytes_.size() - off ? bytes : 0;
  }

  uint64_t some_off() { return used_[random_.below(used_.size())] + kUnitAlign * random_.below(4); }

  uint64_t strange(uint64_t old) {
    namespace hash = engine::hash;
    switch (random_.below(14)) {
      case 0:
        return 0;
      case 1:
        return ~uint64_t{0};
      case 2:
      case 3:
        return old ^ uint64_t { 1 } << random_.below(64);
      case 4:
        return old + 1;
      case 5:
        return old - 1;
      case 6:
        return make_extent_word(static_cast<uint32_t>(random_.below(80))) | (random_.one_in(2) ? kBitmapWritten : 0);
      case 7:
        return make_slab_word(static_cast<uint16_t>(random_.below(80)));
      case 8:
        return hash::make_entry(static_cast<hash::EntryKind>(random_.below(4)),
                                static_cast<uint32_t>(random_.below(40)), some_off());
      case 9:
        return (old & ~hash::kOffMask) | some_off() / kUnitAlign;  // a slot that leads elsewhere
      case 10:
        return some_off();
      case 11:
        return make_class_word(static_cast<ClassState>(random_.below(4)), static_cast<uint8_t>(random_.below(40)),
                               static_cast<uint8_t>(random_.below(14)), static_cast<uint32_t>(16 * random_.below(600)));
      case 12:
        return engine::make_table_head(static_cast<engine::TableState>(random_.below(4)), engine::EngineKind::hash,
                                       static_cast<uint8_t>(random_.below(3)), static_cast<uint16_t>(random_.below(5)));
      default:
        return random_.below(400);
    }
  }

  SparseImage& image_;
  std::vector<std::byte>& bytes_;
  Random random_;
  Geometry geometry_;
  Salt salt_ = 0;
  uint64_t lanes_end_ = 0;
  std::vector<uint64_t> used_;  // offsets of lines that are not zero
};

}  // namespace

void mutate(SparseImage& image, uint64_t seed) {
  if (image.bytes.size() >= alloc::kLaneAreaOff) Mutator(image, seed).run();
}

}  // namespace nacre::fuzz
