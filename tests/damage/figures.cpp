#include "tests/damage/figures.h"

#include <cinttypes>
#include <cstdio>

namespace nacre::damage {
namespace {

double percent(uint64_t part, uint64_t whole) noexcept {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void print_row(const char* name, const Cell& cell) {
  std::printf("  %-12s %9" PRIu64, name, cell.cases());
  for (const uint64_t n : cell.outcomes) std::printf(" %10" PRIu64, n);
  std::printf(" %9" PRIu64 " %8.3f %%\n", cell.check_disagrees, percent(cell.wrong(), cell.cases()));
}

}  // namespace

void print_tables(const Tally& tally) {
  for (uint32_t f = 0; f < kFamilyCount; ++f) {
    Cell total;
    for (const Cell& cell : tally[f]) total.add(cell);
    if (total.cases() == 0) continue;
    std::printf("\n%s\n  %-12s %9s", family_name(static_cast<Family>(f)), "", "cases");
    for (uint32_t o = 0; o < kOutcomeCount; ++o) std::printf(" %10s", outcome_name(static_cast<Outcome>(o)));
    std::printf(" %9s %10s\n", "disagree", "missed");
    for (uint32_t r = 0; r < kRegionCount; ++r)
      if (tally[f][r].cases() != 0) print_row(region_name(static_cast<Region>(r)), tally[f][r]);
    print_row("all", total);
  }
  std::printf("\n");
}

void Figures::add(const BatchReport& report, uint64_t cut_bits, double seconds) {
  for (uint32_t f = 0; f < kFamilyCount; ++f)
    for (uint32_t r = 0; r < kRegionCount; ++r) tally_[f][r].add(report.tally[f][r]);
  violations_ += report.violations;
  crashes_ += report.crashes;
  hangs_ += report.hangs;
  cut_bits_ += cut_bits;
  seconds_ += seconds;
}

Cell Figures::family(Family family) const noexcept {
  Cell total;
  for (const Cell& cell : tally_[static_cast<size_t>(family)]) total.add(cell);
  return total;
}

// Damage of any kind but bits, and not from this very pool's past, that begins in a record.
Cell Figures::records() const noexcept {
  Cell total;
  for (const Family f : {Family::zeroed, Family::random, Family::foreign})
    for (const Region r : {Region::records, Region::extents})
      total.add(tally_[static_cast<size_t>(f)][static_cast<size_t>(r)]);
  return total;
}

void Figures::print_summary() const {
  uint64_t cases = 0;
  for (uint32_t f = 0; f < kFamilyCount; ++f) cases += family(static_cast<Family>(f)).cases();
  std::printf("%" PRIu64 " damaged pools, %" PRIu64 " violations, %" PRIu64 " crashes, %" PRIu64 " hangs, %" PRIu64
              " bits left out, %.1f s\n",
              cases, violations_, crashes_, hangs_, cut_bits_, seconds_);
}

bool Figures::write_json(const std::string& path) const {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return std::fprintf(stderr, "%s cannot be written\n", path.c_str()), false;
  const char* separator = "[\n";
  const auto line = [&](const std::string& figure, uint64_t count, uint64_t violations, uint64_t cuts,
                        const std::string& model) {
    std::fprintf(file,
                 "%s  {\"figure\": \"%s\", \"count\": %" PRIu64 ", \"violations\": %" PRIu64 ", \"cuts\": %" PRIu64
                 ", \"model\": \"%s\", \"seconds\": %.1f}",
                 separator, figure.c_str(), count, violations, cuts, model.c_str(), seconds_);
    separator = ",\n";
  };
  const Cell one = family(Family::one_bit), two = family(Family::two_bits), in_records = records();
  line("damage: single-bit flips", one.cases(), one.violations, cut_bits_, "silent, crash, hang are violations");
  line("damage: two-bit flips", two.cases(), two.violations, 0, "sampled, within a line and across lines");
  line("damage: zeroed, random or foreign lines and pages that begin in a record", in_records.cases(),
       in_records.violations, 0, "silent, crash, hang are violations");
  for (const Family f : {Family::stale, Family::swapped, Family::zeroed, Family::random, Family::foreign}) {
    const Cell cell = family(f);
    char missed[128];
    std::snprintf(missed, sizeof missed,
                  "%" PRIu64 " read wrong (%.3f %%), %" PRIu64
                  " of them told by nothing; crash and hang are violations",
                  cell.wrong(), percent(cell.wrong(), cell.cases()), cell[Outcome::wrong]);
    line(std::string("damage: ") + family_name(f) + " lines and pages", cell.cases(), cell.violations, 0, missed);
  }
  std::fprintf(file, "\n]\n");
  const bool written = std::ferror(file) == 0;
  return std::fclose(file) == 0 && written;
}

}  // namespace nacre::damage
