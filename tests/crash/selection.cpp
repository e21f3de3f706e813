#include "tests/crash/selection.h"

#include <algorithm>
#include <bit>
#include <map>

#include "pmem/base/units.h"
#include "tests/crash/state_classes.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

constexpr uint64_t kWordsPerLine = kLineBytes / kWordBytes;
constexpr uint16_t kMaxArrayLevels = 4;  // of a word with more versions the array sees the outer ones

// Visits for one call of visit_selections.
class Walk {
 public:
  Walk(const Unsettled& unsettled, const SelectionLimits& limits, uint64_t seed, SelectionVisitor& visitor)
      : u_(unsettled), limits_(limits), random_{seed}, visitor_(visitor), selection_(u_.words.size()) {}

  Coverage run() {
    if (limits_.model == CrashModel::E) return prefixes();
    if (limits_.model == CrashModel::L) return lines_in_order();
    if (selection_count(u_, limits_.exhaustive + 1) <= limits_.exhaustive) {
      all();
      return Coverage::all;
    }
    if (const StateClasses classes(u_); few_classes(classes)) {
      each_class(classes);
      return Coverage::classes;
    }
    ends();
    array_rows();
    line_subsets();
    const uint64_t per_family = std::max<uint64_t>(limits_.sampled / 4, 1);
    one_changed(false, per_family);
    one_changed(true, per_family);
    program_order(per_family);
    random_rows();
    return thinned_ ? Coverage::thinned : Coverage::sampled;
  }

 private:
  void show() {
    if (!stopped_ && !visitor_.visit(selection_)) stopped_ = true;
  }
  void fill(bool latest) {
    for (size_t i = 0; i < selection_.size(); ++i) selection_[i] = latest ? u_.words[i].latest : 0;
  }

  // Counts in a number system whose digits are the candidates.
  void all() {
    fill(false);
    for (bool more = true; more && !stopped_;) {
      show();
      more = false;
      for (size_t i = 0; i < selection_.size() && !more; ++i) {
        more = ++selection_[i] < u_.words[i].count;
        if (!more) selection_[i] = 0;
      }
    }
  }

  bool few_classes(const StateClasses& classes) const {
    const uint64_t ceiling = limits_.classes + 1;
    return std::min(classes.count(ceiling), classes.count_in_blocks(ceiling)) < ceiling;
  }

  // Then some more, though nobody should be able to tell them from those that were visited.
  void each_class(const StateClasses& classes) {
    const uint64_t ceiling = limits_.classes + 1;
    if (classes.count(ceiling) <= classes.count_in_blocks(ceiling))
      classes.visit_all(random_, visitor_);
    else
      classes.visit_blocks(random_, visitor_);
    array_rows();
    random_rows();
  }

  void ends() {
    fill(false), show();
    fill(true), show();
  }

  void array_rows() {
    std::vector<uint16_t> levels;
    for (const auto& word : u_.words) levels.push_back(std::min(word.count, kMaxArrayLevels));
    for (const Selection& row : covering_array(levels)) {
      for (size_t i = 0; i < row.size(); ++i) selection_[i] = outer_candidate(u_.words[i], row[i]);
      show();
    }
  }
  // 0: durable, 1: latest, then the oldest and the newest of the others.
  static uint16_t outer_candidate(const Unsettled::Word& word, uint16_t level) {
    if (word.count <= kMaxArrayLevels) return level;
    const uint16_t outer[kMaxArrayLevels] = {0, word.latest, 1, static_cast<uint16_t>(word.count - 2)};
    return outer[level];
  }

  void line_subsets() {
    std::vector<uint64_t> lines;
    for (const auto& word : u_.words) lines.push_back(word.word_idx / kWordsPerLine);
    std::sort(lines.begin(), lines.end());
    lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
    if (lines.size() > limits_.line_subsets) return;
    for (uint64_t subset = 0; subset < (1ull << lines.size()); ++subset) {
      for (size_t i = 0; i < selection_.size(); ++i) {
        const auto line = std::lower_bound(lines.begin(), lines.end(), u_.words[i].word_idx / kWordsPerLine);
        selection_[i] = subset >> (line - lines.begin()) & 1 ? u_.words[i].latest : 0;
      }
      show();
    }
  }

  void one_changed(bool others_latest, uint64_t limit) {
    const uint64_t step = step_for(u_.candidates.size() - u_.words.size(), limit);
    uint64_t n = random_.below(step);
    fill(others_latest);
    for (size_t i = 0; i < selection_.size(); ++i) {
      const uint16_t usual = selection_[i];
      for (uint16_t c = 0; c < u_.words[i].count; ++c) {
        if (c == usual || n++ % step != 0) continue;
        selection_[i] = c;
        show();
      }
      selection_[i] = usual;
    }
  }

  // Each prefix of the sequence of observed stores survives; then each suffix, where a word whose last store
  // lies in the suffix is latest and every other is durable.
  void program_order(uint64_t limit) {
    const std::vector<Event> events = stores();
    const uint64_t step = step_for(2 * events.size(), limit);
    uint64_t n = random_.below(step);
    fill(false);
    for (const Event& event : events) {
      selection_[event.i] = event.choice;
      if (n++ % step == 0) show();
    }
    fill(false);
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
      selection_[event->i] = u_.words[event->i].latest;
      if (n++ % step == 0) show();
    }
  }

  /// A store that was seen: from then on word `i` has candidate `choice`.
  struct Event {
    uint64_t stamp;
    size_t i;
    uint16_t choice;
  };
  std::vector<Event> stores() const {
    std::vector<Event> events;
    for (size_t i = 0; i < u_.words.size(); ++i) {
      const Unsettled::Word& word = u_.words[i];
      for (uint16_t c = 1; c < word.count; ++c) events.push_back({u_.candidate(word, c).stamp, i, c});
      if (word.latest + 1 != word.count) events.push_back({~0ull, i, word.latest});  // an older value came back
    }
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.stamp < b.stamp; });
    return events;
  }

  // ---- model E

  Coverage prefixes() {
    const std::vector<Event> events = stores();
    const uint64_t step = step_for(events.size(), limits_.sampled);
    fill(false), show();
    uint64_t n = 0;
    for (const Event& event : events) {
      selection_[event.i] = event.choice;
      if (++n % step == 0) show();
    }
    fill(true), show();
    return thinned_ ? Coverage::thinned : Coverage::all;
  }

  // ---- model L: a digit for each line, which says how many of its stores are there

  Coverage lines_in_order() {
    std::map<uint64_t, std::vector<Event>> by_line;
    for (const Event& event : stores()) by_line[u_.words[event.i].word_idx / kWordsPerLine].push_back(event);
    for (auto& [line, events] : by_line) line_stores_.push_back(std::move(events));
    digits_.assign(line_stores_.size(), 0);
    uint64_t count = 1;
    for (const auto& events : line_stores_) count = std::min(count * (events.size() + 1), limits_.exhaustive + 1);
    if (count <= limits_.exhaustive) {
      all_digits();
      return Coverage::all;
    }
    sampled_digits();
    return thinned_ ? Coverage::thinned : Coverage::sampled;
  }

  void show_digits() {
    fill(false);
    for (size_t l = 0; l < digits_.size(); ++l)
      for (size_t e = 0; e < digits_[l]; ++e) selection_[line_stores_[l][e].i] = line_stores_[l][e].choice;
    show();
  }

  void all_digits() {
    for (bool more = true; more && !stopped_;) {
      show_digits();
      more = false;
      for (size_t l = 0; l < digits_.size() && !more; ++l) {
        more = ++digits_[l] <= line_stores_[l].size();
        if (!more) digits_[l] = 0;
      }
    }
  }

  void fill_digits(bool latest) {
    for (size_t l = 0; l < digits_.size(); ++l) digits_[l] = latest ? line_stores_[l].size() : 0;
  }

  // The ends, an array over none, all, half and one of each line's stores, one line at any prefix, random rows.
  void sampled_digits() {
    fill_digits(false), show_digits();
    fill_digits(true), show_digits();
    std::vector<uint16_t> levels;
    for (const auto& events : line_stores_)
      levels.push_back(static_cast<uint16_t>(std::min<size_t>(events.size() + 1, kMaxArrayLevels)));
    for (const Selection& row : covering_array(levels)) {
      for (size_t l = 0; l < row.size(); ++l) {
        const size_t stores = line_stores_[l].size();
        const size_t outer[kMaxArrayLevels] = {0, stores, stores / 2, 1};
        digits_[l] = outer[row[l]];
      }
      show_digits();
    }
    size_t changes = 0;
    for (const auto& events : line_stores_) changes += events.size();
    const uint64_t step = step_for(2 * changes, limits_.sampled);
    uint64_t n = random_.below(step);
    for (const bool others : {false, true}) {
      fill_digits(others);
      for (size_t l = 0; l < digits_.size(); ++l) {
        const size_t usual = digits_[l];
        for (digits_[l] = 0; digits_[l] <= line_stores_[l].size(); ++digits_[l])
          if (digits_[l] != usual && n++ % step == 0) show_digits();
        digits_[l] = usual;
      }
    }
    for (uint32_t row = 0; row < limits_.random_rows && !stopped_; ++row) {
      for (size_t l = 0; l < digits_.size(); ++l) digits_[l] = random_.below(line_stores_[l].size() + 1);
      show_digits();
    }
  }

  void random_rows() {
    for (uint32_t row = 0; row < limits_.random_rows && !stopped_; ++row) {
      // A quarter of the rows mostly durable, a quarter mostly latest, the rest uniform.
      const uint64_t kind = row % 4;
      for (size_t i = 0; i < selection_.size(); ++i) {
        const bool stay = kind < 2 && random_.below(8) != 0;
        selection_[i] =
            stay ? (kind == 0 ? 0 : u_.words[i].latest) : static_cast<uint16_t>(random_.below(u_.words[i].count));
      }
      show();
    }
  }

  uint64_t step_for(uint64_t count, uint64_t limit) {
    if (count <= limit) return 1;
    thinned_ = true;
    return ceil_div(count, limit);
  }

  const Unsettled& u_;
  const SelectionLimits& limits_;
  Random random_;
  SelectionVisitor& visitor_;
  Selection selection_;
  std::vector<std::vector<Event>> line_stores_;
  std::vector<size_t> digits_;
  bool stopped_ = false;
  bool thinned_ = false;
};

struct IndependentVectors {
  uint32_t rows;
  std::vector<uint64_t> bits;
};

// Kleitman and Spencer, "Families of k-independent sets", 1973: vectors of `rows` bits whose first bit is 0
// and which have (rows + 1) / 2 ones. Any two of them agree in the first 0, differ both ways as their weights
// are equal, and have a common 1 as their weights together exceed rows - 1: so every pair of bits occurs.
IndependentVectors independent_vectors(size_t count) {
  IndependentVectors v{.rows = 4, .bits = {}};
  for (uint64_t possible = 3; possible < count;) {  // C(3, 2)
    const uint32_t from = v.rows++;
    possible = 1;  // C(rows - 1, (rows + 1) / 2)
    for (uint32_t i = 0; i < (v.rows + 1) / 2; ++i) possible = possible * (from - i) / (i + 1);
  }
  for (uint64_t bits = 0; v.bits.size() < count; bits += 2)
    if (static_cast<uint32_t>(std::popcount(bits)) == (v.rows + 1) / 2) v.bits.push_back(bits);
  return v;
}

}  // namespace

const char* model_name(CrashModel model) noexcept {
  switch (model) {
    case CrashModel::W:
      return "W";
    case CrashModel::L:
      return "L";
    case CrashModel::E:
      return "E";
  }
  return "unknown";
}

Coverage visit_selections(const Unsettled& unsettled, const SelectionLimits& limits, uint64_t seed,
                          SelectionVisitor& visitor) {
  return Walk(unsettled, limits, seed, visitor).run();
}

uint64_t selection_count(const Unsettled& unsettled, uint64_t ceiling) noexcept {
  uint64_t n = 1;
  for (const auto& word : unsettled.words) {
    n *= word.count;
    if (n >= ceiling) return ceiling;
  }
  return n;
}

// A binary array, repeated for each pair of levels {a, b} that its two symbols may stand for.
std::vector<Selection> covering_array(std::span<const uint16_t> levels) {
  std::vector<Selection> rows;
  if (levels.empty()) return rows;
  const IndependentVectors vectors = independent_vectors(levels.size());
  const uint16_t max_level = *std::max_element(levels.begin(), levels.end());
  for (uint16_t b = 1; b < std::max<uint16_t>(max_level, 2); ++b) {
    for (uint16_t a = 0; a < b; ++a) {
      for (uint64_t r = 0; r < vectors.rows; ++r) {
        Selection& row = rows.emplace_back(levels.size());
        for (size_t i = 0; i < levels.size(); ++i)
          row[i] = static_cast<uint16_t>((vectors.bits[i] >> r & 1 ? b : a) % levels[i]);
      }
    }
  }
  return rows;
}

}  // namespace nacre::crash
