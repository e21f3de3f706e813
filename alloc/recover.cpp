#include "alloc/recover.h"

#include <algorithm>
#include <vector>

#include "alloc/historic_mutants.h"
#include "alloc/lane_layout.h"
#include "alloc/log_record.h"
#include "alloc/mutants.h"
#include "alloc/sealed_range.h"
#include "alloc/sites.h"

namespace nacre::alloc {
namespace {

/// Where a valid record lies in its lane.
struct RecordPlace {
  uint32_t cell;
  uint32_t cells;
  uint64_t seq;
};

struct LaneScan {
  uint64_t seal = 0;
  uint64_t retired = 0;
  uint64_t highest = 0;            // seq of any record with a good crc, or retired
  std::vector<LogRecord> records;  // valid: good crc and seq > retired; ascending by seq
  std::vector<RecordPlace> places;  // of the same records, ascending by cell
};

/// One line update of a counting record.
struct ChainLink {
  uint64_t line_off;
  uint64_t seq;
  const LogRecord* record;
  const LineUpdate* update;
};

class Recovery {
 public:
  Recovery(pmem::Domain& domain, const Layout& layout, Salt salt, RecoveryReport& report)
      : domain_(domain), layout_(layout), salt_(salt), report_(report), lanes_(layout.geometry.lane_count) {}

  Status run(std::span<uint64_t> last_seqs) {
    for (uint32_t lane = 0; lane < lanes_.size(); ++lane)
      if (lane == 0 || !broken(site::kRecoverFirstLaneOnly)) NACRE_TRY(scan_lane(lane));  // 1
    NACRE_TRY(check_clock());
    choose_counting();
    NACRE_TRY(check_links());
    NACRE_TRY(for_each_chain([this](std::span<const ChainLink> chain) { return check_chain(chain); }));
    if (broken(site::kRecoverRetireFirst)) retire_everything(last_seqs);
    if (!links_.empty()) {
      if (!broken(site::kRecoverApplyFirst)) make_relied_on_durable();  // 2
      NACRE_TRY(for_each_chain([this](std::span<const ChainLink> chain) { return apply_chain(chain), Code::ok; }));
      domain_.fence(site::kRecoverHomeFence);  // 3, 4
      if (broken(site::kRecoverApplyFirst)) make_relied_on_durable();
    }
    if (links_.empty() && broken(site::kRecoverRetireSome)) return keep_lanes(last_seqs);
    retire_everything(last_seqs);  // 5
    return domain_.health();
  }

 private:
  Status scan_lane(uint32_t lane) {
    LaneScan& scan = lanes_[lane];
    NACRE_TRY(read_header_word(lane, offsetof(LaneHeader, seal), "seal", scan.seal));
    NACRE_TRY(read_header_word(lane, offsetof(LaneHeader, retired), "retired", scan.retired));
    scan.highest = scan.retired;
    const uint32_t half_cells = layout_.geometry.lane_cells / 2;
    for (uint32_t cell = 0; cell < layout_.geometry.lane_cells; ++cell) {
      const uint64_t off = layout_.cell_off(lane, cell);
      const std::byte* p = domain_.base() + off;
      const uint32_t cells = probe_record(p, half_cells - cell % half_cells, record_seed(salt_, off));
      if (cells == 0 && broken(site::kRecoverStopsAtHole)) break;
      if (cells == 0 || (cell >= half_cells && broken(site::kRecoverFirstHalf))) continue;
      scan.highest = std::max(scan.highest, record_seq(p));
      if (!broken(site::kRecoverRetiredCounts) && record_seq(p) <= scan.retired) continue;
      LogRecord record;
      if (!decode_record(p, record))
        return Status::error(Code::corruption, "lane %u, cell %u: a log record passes its checksum but does not parse",
                             lane, cell);
      scan.records.push_back(std::move(record));
      scan.places.push_back({cell, cells, record_seq(p)});
    }
    std::sort(scan.records.begin(), scan.records.end(),
              [](const LogRecord& a, const LogRecord& b) { return a.seq < b.seq; });
    report_.valid_records += scan.records.size();
    return check_places(lane, scan.places);
  }

  // A record is stored behind the one before it, and only after that one was durable. So in the half of the lane's last
  // record there is no gap before it; if there is one, a record was lost to damage and not to the crash. (What lies
  // behind the last record, and in the other half, the next commit may have overwritten in part.)
  Status check_places(uint32_t lane, std::span<const RecordPlace> places) const {
    const auto last = std::max_element(places.begin(), places.end(),
                                       [](const RecordPlace& a, const RecordPlace& b) { return a.seq < b.seq; });
    if (last == places.end()) return Code::ok;
    const uint32_t half_cells = layout_.geometry.lane_cells / 2;
    for (auto next = last; next != places.begin(); --next) {
      const RecordPlace& before = *(next - 1);
      if (before.cell / half_cells != last->cell / half_cells) break;
      if (before.cell + before.cells != next->cell && !broken(site::kRecoverHoleIgnored))
        return Status::error(Code::corruption, "lane %u: between cells %u and %u a log record is damaged; what it "
                             "committed is lost. Restore the pool from a copy", lane, before.cell, next->cell);
    }
    return Code::ok;
  }

  Status read_header_word(uint32_t lane, uint64_t at, const char* name, uint64_t& seq) const {
    const uint64_t off = layout_.lane_header_off(lane) + at;
    const uint64_t word = *domain_.at<uint64_t>(off);
    if (!lane_word_intact(salt_, off, word) && !broken(site::kLaneHeaderUnchecked))
      return Status::error(Code::corruption, "lane %u: its %s word %016llx fails its check; the log cannot be trusted. "
                           "Restore the pool from a copy", lane, name, static_cast<unsigned long long>(word));
    seq = word & kSeqMask;
    return Code::ok;
  }

  // Every lane is retired to one above the highest seq. Were that no seq any more, it would be 0 on the medium, and
  // every record would count again.
  Status check_clock() const {
    for (uint32_t lane = 0; lane < lanes_.size(); ++lane)
      if (lanes_[lane].highest >= kSeqMask)
        return Status::error(Code::corruption, "lane %u: it says seq %llu, which no commit can follow", lane,
                             static_cast<unsigned long long>(lanes_[lane].highest));
    return Code::ok;
  }

  // A record counts if it is strict, or sealed, or followed by a valid one in its lane, or its fresh bytes are those
  // the log names.
  void choose_counting() {
    for (LaneScan& scan : lanes_)
      for (size_t i = 0; i < scan.records.size(); ++i) {
        const LogRecord& record = scan.records[i];
        bool counts = (record.strict && !broken(site::kRecoverStrict)) ||
                      (record.seq <= scan.seal && !broken(site::kRecoverSeal)) ||
                      (i + 1 < scan.records.size() && !broken(site::kRecoverFollowed));
        if (!counts && !broken(site::kRecoverFreshRefused) && fresh_intact(record)) {
          verified_.push_back(&record);
          counts = true;
        }
        if (!counts) continue;
        ++report_.counted_records;
        for (const LineUpdate& u : record.updates) links_.push_back({u.line_off, record.seq, &record, &u});
      }
    std::sort(links_.begin(), links_.end(), [](const ChainLink& a, const ChainLink& b) {
      return a.line_off != b.line_off ? a.line_off < b.line_off : a.seq < b.seq;
    });
  }

  bool fresh_intact(const LogRecord& record) const {
    if (broken(site::kRecoverFreshTrusted)) return true;
    for (const FreshRange& f : record.fresh) {
      if (f.bytes < kSealBytes || f.off > layout_.pool_bytes() || f.bytes > layout_.pool_bytes() - f.off) return false;
      const std::byte* p = domain_.base() + f.off;
      if (!broken(site::kRecoverFreshOwnCrc) && stored_range_crc(p) != f.crc) return false;
      if (!broken(site::kRecoverFreshHead) && !range_intact(salt_, f.off, p, f.bytes)) return false;
      if (broken(site::kRecoverFreshFirst)) return true;
    }
    return true;
  }

  Status check_links() const {
    for (const ChainLink& link : links_)
      if (!layout_.is_line(link.line_off))
        return Status::error(Code::corruption,
                             "log record %llu names offset %llu, which is no line of this pool of %llu "
                             "bytes",
                             static_cast<unsigned long long>(link.seq), static_cast<unsigned long long>(link.line_off),
                             static_cast<unsigned long long>(layout_.pool_bytes()));
    return Code::ok;
  }

  // After a kill of the process, cells and fresh bytes may be visible without ever having been fenced.
  void make_relied_on_durable() {
    for (uint32_t lane = 0; lane < lanes_.size(); ++lane)
      domain_.flush(layout_.cell_off(lane, 0), layout_.geometry.lane_cells * kLineBytes, site::kRecoverLogFlush);
    for (const LogRecord* record : verified_)
      for (const FreshRange& f : record->fresh) domain_.flush(f.off, f.bytes, site::kRecoverFreshFlush);
    domain_.fence(site::kRecoverRelyFence);
  }

  template <class Fn>
  Status for_each_chain(Fn&& fn) const {
    for (size_t begin = 0, end; begin < links_.size(); begin = end) {
      end = begin + 1;
      while (end < links_.size() && links_[end].line_off == links_[begin].line_off) ++end;
      size_t first = end - 1;
      while (first > begin && !broken(site::kRecoverLastLink) &&
             (links_[first - 1].seq == links_[first].update->prev_seq || broken(site::kRecoverGaps)))
        --first;
      NACRE_TRY(fn(std::span(links_).subspan(first, end - first)));
    }
    return Code::ok;
  }

  // A chain reaches back to what is on the medium, or it is stale. If the line is whole and older than that, records
  // between the two were lost to damage. (A line that is not whole may be torn; its words keep a bad check then.)
  Status check_chain(std::span<const ChainLink> chain) const {
    const uint64_t off = chain.front().line_off, prev = chain.front().update->prev_seq;
    const auto* line = domain_.at<GuardedLine>(off);
    if (guard_seq(line->guard) >= prev || broken(site::kRecoverLostIgnored)) return Code::ok;
    if (!line_intact(salt_, off, *line) && !broken(site::kRecoverTornRefused)) return Code::ok;
    return Status::error(Code::corruption, "line at offset %llu is of commit %llu and the log goes on behind commit "
                         "%llu: a log record is damaged, and what it committed is lost. Restore the pool from a copy",
                         static_cast<unsigned long long>(off), static_cast<unsigned long long>(guard_seq(line->guard)),
                         static_cast<unsigned long long>(prev));
  }

  void apply_chain(std::span<const ChainLink> chain) {
    const uint64_t off = chain.front().line_off;
    auto* line = domain_.at<GuardedLine>(off);
    const uint64_t top = chain.back().seq;
    if (!broken(site::kRecoverSkipNone) && guard_seq(line->guard) > top)
      return;  // reused or changed since by what is no longer in the log
    if (broken(site::kRecoverSkipEqual) && guard_seq(line->guard) == top) return;
    uint64_t words[kLineWords];
    std::copy_n(line->words, kLineWords, words);
    for (size_t l = 0; l < chain.size(); ++l) {
      const ChainLink& link = chain[broken(site::kRecoverOldestWins) ? chain.size() - 1 - l : l];
      for (uint32_t i = 0; i < (broken(site::kRecoverFirstOp) ? 1 : link.update->op_count); ++i) {
        const WordOp& op = link.record->ops[link.update->first_op + i];
        words[op.word] = apply_op(words[op.word], op);
      }
    }
    const bool same = std::equal(words, words + kLineWords, line->words);
    std::copy_n(words, kLineWords, line->words);
    if (!broken(site::kRecoverNoGuard))
      // Not one made here: damage elsewhere in the line must stay visible.
      line->guard = chain.back().update->guard | (broken(site::kLockSurvives) ? line->guard & kBusyBit : 0);
    if (broken(site::kRecoverGuardMade)) line->guard = make_guard(salt_, off, words, top);
    if (broken(site::kRecoverFlushChanged) && same) return;
    domain_.flush(off, kLineBytes, site::kRecoverHomeFlush);  // changed or not: it may never have been fenced
    ++report_.lines_applied;
  }

  // So that no record found now, complete or not, can ever count later. That includes one so torn that it is not even
  // seen: a later record stored over it may have the same value in just the word that is missing, and complete it.
  // Its seq is at most one above the highest seq of all lanes, for all that its clock saw was durable; so each lane
  // is retired up to there. Written even when it says nothing new: the word that was read may not have been durable.
  void retire_everything(std::span<uint64_t> last_seqs) {
    uint64_t floor = kFirstSeq;
    for (const LaneScan& scan : lanes_) floor = std::max(floor, scan.highest);
    if (!broken(site::kRecoverFloorLow)) ++floor;
    for (uint32_t lane = 0; lane < lanes_.size(); ++lane) {
      const uint64_t off = layout_.lane_header_off(lane) + offsetof(LaneHeader, retired);
      if (broken(site::kRecoverFloorOwn)) floor = std::max(kFirstSeq, lanes_[lane].highest) + 1;
      last_seqs[lane] = broken(site::kRecoverSeqRestarts) ? kFirstSeq : floor;
      if (lane != 0 && broken(site::kRecoverRetireFirstLane)) continue;
      if (lanes_[lane].records.empty() && broken(site::kRecoverRetireBusy)) continue;
      *domain_.at<uint64_t>(off) = make_lane_word(salt_, off, floor);
      domain_.flush(off, kWordBytes, site::kRecoverRetireFlush);
    }
    domain_.fence(site::kRecoverRetireFence);
  }

  // A mutant: a pool whose log holds nothing that counts is left as it is.
  Status keep_lanes(std::span<uint64_t> last_seqs) const {
    for (uint32_t lane = 0; lane < lanes_.size(); ++lane) last_seqs[lane] = std::max(kFirstSeq, lanes_[lane].highest);
    return domain_.health();
  }

  pmem::Domain& domain_;
  const Layout& layout_;
  Salt salt_;
  RecoveryReport& report_;
  std::vector<LaneScan> lanes_;
  std::vector<ChainLink> links_;
  std::vector<const LogRecord*> verified_;
};

}  // namespace

Status recover_lanes(pmem::Domain& domain, const Layout& layout, Salt salt, std::span<uint64_t> last_seqs,
                     RecoveryReport& report) {
  return Recovery(domain, layout, salt, report).run(last_seqs);
}

}  // namespace nacre::alloc
