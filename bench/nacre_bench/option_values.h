// Turns the text behind --name= into a value, or says what is wrong with it and what was probably meant.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nacre::bench {

/// The name nearest to `word`: an abbreviation is nearest to what it abbreviates. `names` is not empty.
std::string nearest_name(std::string_view word, std::span<const char* const> names);

/// `value` if it is one of `names`; else throws UsageError with all of them and the nearest.
std::string one_of(std::string_view option, std::string_view value, std::span<const char* const> names);

/// A whole number from `least` to `most`; else throws UsageError.
uint64_t whole_number(std::string_view option, std::string_view value, uint64_t least, uint64_t most);

/// As whole_number, with an optional K, M or G behind it (powers of 1024).
uint64_t size_in_bytes(std::string_view option, std::string_view value, uint64_t least, uint64_t most);

/// A decimal fraction from `least` to `most`; else throws UsageError.
double fraction(std::string_view option, std::string_view value, double least, double most);

/// No value, 1 or true; 0 or false; else throws UsageError.
bool boolean(std::string_view option, std::optional<std::string_view> value);

}  // namespace nacre::bench
