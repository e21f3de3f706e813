#include "bench/nacre_bench/option_values.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "bench/nacre_bench/options.h"

namespace nacre::bench {

namespace {

// Edits (insert, delete, replace) that turn `a` into `b`: Wagner and Fischer 1974, one row at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row[b.size()];
}

std::string given(std::string_view option, std::string_view value) {
  return "--" + std::string(option) + "=" + std::string(value);
}

// The power of two that K, M or G stands for; 0 for anything else.
unsigned unit_shift(std::string_view unit) {
  if (unit == "K" || unit == "k") return 10;
  if (unit == "M" || unit == "m") return 20;
  if (unit == "G" || unit == "g") return 30;
  return 0;
}

uint64_t parse_number(std::string_view option, std::string_view value, uint64_t least, uint64_t most,
                      bool units) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
  std::string_view rest(end, static_cast<size_t>(value.data() + value.size() - end));
  const unsigned shift = units ? unit_shift(rest) : 0;
  if (shift != 0) rest = {};
  if (error != std::errc{} || !rest.empty() || n > (most >> shift) || (n << shift) < least)
    throw UsageError{given(option, value) + " is not a whole number from " + std::to_string(least) + " to " +
                     std::to_string(most)};
  return n << shift;
}

}  // namespace

std::string nearest_name(std::string_view word, std::span<const char* const> names) {
  const auto distance = [&](std::string_view name) {
    return name.starts_with(word) && !word.empty() ? 1 : edit_distance(word, name);
  };
  return *std::min_element(names.begin(), names.end(),
                           [&](const char* a, const char* b) { return distance(a) < distance(b); });
}

std::string one_of(std::string_view option, std::string_view value, std::span<const char* const> names) {
  for (const char* name : names)
    if (value == name) return name;
  std::string all;
  for (const char* name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  throw UsageError{given(option, value) + " is none of " + all + "; did you mean " +
                   nearest_name(value, names) + "?"};
}

uint64_t whole_number(std::string_view option, std::string_view value, uint64_t least, uint64_t most) {
  return parse_number(option, value, least, most, false);
}

uint64_t size_in_bytes(std::string_view option, std::string_view value, uint64_t least, uint64_t most) {
  return parse_number(option, value, least, most, true);
}

double fraction(std::string_view option, std::string_view value, double least, double most) {
  double x = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), x);
  if (error != std::errc{} || end != value.data() + value.size() || !(x >= least && x <= most))
    throw UsageError{given(option, value) + " is not a number from " + std::to_string(least) + " to " +
                     std::to_string(most)};
  return x;
}

bool boolean(std::string_view option, std::optional<std::string_view> value) {
  if (!value || *value == "1" || *value == "true") return true;
  if (*value == "0" || *value == "false") return false;
  throw UsageError{given(option, *value) + " is neither 0 nor 1"};
}

}  // namespace nacre::bench
