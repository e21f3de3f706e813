#include "tests/crash/state_classes.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "pmem/base/units.h"

namespace nacre::crash {
namespace {

constexpr uint64_t kWordsPerLine = kLineBytes / kWordBytes;
constexpr uint64_t kManyClasses = uint64_t{1} << 32;  // more than anybody visits

uint64_t product(uint64_t a, uint64_t b, uint64_t ceiling) noexcept {
  return b != 0 && a > ceiling / b ? ceiling : std::min(a * b, ceiling);
}

}  // namespace

StateClasses::StateClasses(const Unsettled& unsettled) : u_(unsettled) {
  using Key = std::tuple<Sealing, uint32_t, uint64_t>;  // sealing, flush, line; of a fresh range the line is 0
  std::map<Key, size_t> known;
  for (uint32_t i = 0; i < u_.words.size(); ++i) {
    const Unsettled::Word& word = u_.words[i];
    const bool home = word.sealing == Sealing::home;
    const bool old_or_new = word.count == 2 && word.latest == 1;
    if (word.sealing == Sealing::none || (!home && !old_or_new)) {
      others_.push_back({.kind = Kind::plain, .classes = word.count, .words = {i}});
      continue;
    }
    std::vector<Part>& parts = home ? homes_ : others_;
    const uint64_t line = word.sealing == Sealing::fresh ? 0 : word.word_idx / kWordsPerLine;
    const auto [at, is_new] = known.try_emplace({word.sealing, home ? 0 : word.sealed_by, line}, parts.size());
    if (is_new) parts.push_back({.kind = home ? Kind::home : Kind::sealed, .classes = home ? 1u : 2u, .words = {}});
    Part& part = parts[at->second];
    part.words.push_back(i);
    if (home)
      part.classes = product(part.classes, word.count, kManyClasses);
    else if (part.words.size() > 1)
      part.classes = 3;
  }
}

uint64_t StateClasses::count(uint64_t ceiling) const noexcept {
  uint64_t n = 1;
  for (const Part& part : others_) n = product(n, part.classes, ceiling);
  for (const Part& part : homes_) n = product(n, part.classes, ceiling);
  return n;
}

uint64_t StateClasses::count_in_blocks(uint64_t ceiling) const noexcept {
  uint64_t blocks = 1, in_block = 1;
  for (const Part& part : others_) blocks = product(blocks, part.classes, ceiling);
  for (const Part& part : homes_) in_block += 2 * part.classes - 1;
  return product(blocks, in_block, ceiling);
}

// Counts in a number system whose digits are the classes.
template <class Fn>
bool StateClasses::for_each_choice(const std::vector<Part>& parts, Random& random, Selection* selection,
                                   Fn&& fn) const {
  std::vector<uint64_t> digits(parts.size(), 0);
  for (bool more = true; more;) {
    for (size_t p = 0; p < parts.size(); ++p) choose(parts[p], digits[p], random, selection);
    if (!fn()) return false;
    more = false;
    for (size_t p = 0; p < parts.size() && !more; ++p) {
      more = ++digits[p] < parts[p].classes;
      if (!more) digits[p] = 0;
    }
  }
  return true;
}

void StateClasses::visit_all(Random& random, SelectionVisitor& visitor) const {
  std::vector<Part> all = others_;
  all.insert(all.end(), homes_.begin(), homes_.end());
  Selection selection(u_.words.size(), 0);
  for_each_choice(all, random, &selection, [&] { return visitor.visit(selection); });
}

void StateClasses::visit_blocks(Random& random, SelectionVisitor& visitor) const {
  Selection selection(u_.words.size(), 0);
  for_each_choice(others_, random, &selection, [&] { return visit_block(&selection, random, visitor); });
}

bool StateClasses::visit_block(Selection* selection, Random& random, SelectionVisitor& visitor) const {
  visitor.begin_block();
  bool more = true;
  for (const bool latest : {true, false}) {
    for (const Part& part : homes_) set_all(part, latest, selection);
    if (latest) more = visitor.visit(*selection);
    for (const Part& part : homes_) {
      const uint64_t usual = class_of(part, *selection);
      for (uint64_t c = 0; c < part.classes && more; ++c) {
        if (c == usual && latest) continue;
        choose(part, c, random, selection);
        more = visitor.visit(*selection);
      }
      set_all(part, latest, selection);
    }
  }
  visitor.end_block();
  return more;
}

void StateClasses::set_all(const Part& part, bool latest, Selection* selection) const {
  for (const uint32_t i : part.words) (*selection)[i] = latest ? u_.words[i].latest : 0;
}

void StateClasses::choose(const Part& part, uint64_t chosen, Random& random, Selection* selection) const {
  if (part.kind != Kind::sealed) {
    for (const uint32_t i : part.words) {
      (*selection)[i] = static_cast<uint16_t>(chosen % u_.words[i].count);
      chosen /= u_.words[i].count;
    }
    return;
  }
  set_all(part, chosen == kWhole, selection);
  while (class_of(part, *selection) != chosen)
    for (const uint32_t i : part.words) (*selection)[i] = static_cast<uint16_t>(random.below(u_.words[i].count));
}

uint64_t StateClasses::class_of(const Part& part, const Selection& selection) const {
  if (part.kind != Kind::sealed) {
    uint64_t chosen = 0;
    for (size_t w = part.words.size(); w-- > 0;)
      chosen = chosen * u_.words[part.words[w]].count + selection[part.words[w]];
    return chosen;
  }
  const auto all = [&](auto&& right) { return std::all_of(part.words.begin(), part.words.end(), right); };
  if (all([&](uint32_t i) { return selection[i] == 0; })) return kAbsent;
  return all([&](uint32_t i) { return selection[i] == u_.words[i].latest; }) ? kWhole : kTorn;
}

std::vector<uint64_t> StateClasses::class_of(const Selection& selection) const {
  std::vector<uint64_t> classes;
  for (const std::vector<Part>* parts : {&others_, &homes_})
    for (const Part& part : *parts) classes.push_back(class_of(part, selection));
  return classes;
}

}  // namespace nacre::crash
