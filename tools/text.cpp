#include "tools/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

namespace nacre::tools {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_continuation(unsigned char c) noexcept { return (c & 0xC0) == 0x80; }

/// Length of the well-formed UTF-8 character at `at`, 0 if there is none. Table 3-7 of the Unicode standard:
/// only the second byte has ranges of its own.
size_t utf8_length(std::string_view bytes, size_t at) noexcept {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0 || bytes.size() - at < length) return 0;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!is_continuation(byte(i))) return 0;
  }
  return length;
}

bool is_plain(unsigned char c) noexcept { return c >= 0x20 && c < 0x7F && c != '\\'; }

void append_byte_escape(std::string& out, unsigned char c) {
  out += "\\x";
  out += kDigits[c >> 4];
  out += kDigits[c & 15];
}

/// Appends what is at `at` and is not a plain ASCII character; returns how many bytes that was.
size_t append_special(std::string& out, std::string_view bytes, size_t at) {
  const auto c = static_cast<unsigned char>(bytes[at]);
  if (c == '\\')
    out += "\\\\";
  else if (c == '\t')
    out += "\\t";
  else if (c == '\n')
    out += "\\n";
  else {
    const size_t length = c < 0x80 ? 0 : utf8_length(bytes, at);
    // U+0080..U+009F (C2 80..9F) are control characters that some terminals obey.
    const bool c1_control = length == 2 && c == 0xC2 && static_cast<unsigned char>(bytes[at + 1]) < 0xA0;
    if (length != 0 && !c1_control) {
      out.append(bytes.substr(at, length));
      return length;
    }
    append_byte_escape(out, c);
  }
  return 1;
}

struct Unit {
  std::string_view name;
  uint64_t bytes;
};

constexpr std::array<Unit, 14> kUnits = {{
    {"", 1},
    {"b", 1},
    {"k", 1ull << 10},
    {"kib", 1ull << 10},
    {"kb", 1000ull},
    {"m", 1ull << 20},
    {"mib", 1ull << 20},
    {"mb", 1000ull * 1000},
    {"g", 1ull << 30},
    {"gib", 1ull << 30},
    {"gb", 1000ull * 1000 * 1000},
    {"t", 1ull << 40},
    {"tib", 1ull << 40},
    {"tb", 1000ull * 1000 * 1000 * 1000},
}};

std::optional<uint64_t> unit_bytes(std::string_view text) {
  std::string lower;
  for (const char c : text) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const Unit& unit : kUnits) {
    if (unit.name == lower) return unit.bytes;
  }
  return std::nullopt;
}

}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = utf8_length(bytes, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

void append_escaped(std::string& out, std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    size_t plain = at;
    while (plain < bytes.size() && is_plain(static_cast<unsigned char>(bytes[plain]))) ++plain;
    out.append(bytes.substr(at, plain - at));
    at = plain;
    if (at < bytes.size()) at += append_special(out, bytes, at);
  }
}

std::string escaped(std::string_view bytes) {
  std::string out;
  append_escaped(out, bytes);
  return out;
}

std::optional<std::string> unescape(std::string_view text, std::string& error) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t slash = std::min(text.find('\\', at), text.size());
    out.append(text.substr(at, slash - at));
    if (slash == text.size()) break;
    const char kind = slash + 1 < text.size() ? text[slash + 1] : '\0';
    at = slash + 2;
    if (kind == '\\')
      out += '\\';
    else if (kind == 't')
      out += '\t';
    else if (kind == 'n')
      out += '\n';
    else if (kind == 'x' && at + 2 <= text.size() && hex_digit(text[at]) >= 0 &&
             hex_digit(text[at + 1]) >= 0) {
      out += static_cast<char>(hex_digit(text[at]) * 16 + hex_digit(text[at + 1]));
      at += 2;
    } else {
      error = fmt::format("bad escape {} (known are \\\\ \\t \\n \\xNN)", in_quotes(text.substr(slash, 4)));
      return std::nullopt;
    }
  }
  return out;
}

void append_hex(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + 2 * bytes.size());
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  append_hex(out, bytes);
  return out;
}

std::optional<std::string> from_hex(std::string_view text, std::string& error) {
  if (text.size() % 2 != 0) {
    error = fmt::format("{} hexadecimal digits: an even number is needed, two a byte", text.size());
    return std::nullopt;
  }
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t at = 0; at < text.size(); at += 2) {
    const int high = hex_digit(text[at]);
    const int low = hex_digit(text[at + 1]);
    if (high < 0 || low < 0) {
      error = fmt::format("{} at offset {} is not a hexadecimal byte", in_quotes(text.substr(at, 2)), at);
      return std::nullopt;
    }
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::optional<uint64_t> parse_size(std::string_view text, std::string& error) {
  size_t digits = 0;
  uint64_t number = 0;
  bool overflow = false;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    overflow |= __builtin_mul_overflow(number, uint64_t{10}, &number);
    overflow |= __builtin_add_overflow(number, static_cast<uint64_t>(text[digits] - '0'), &number);
  }
  const std::string_view rest = text.substr(digits);
  const std::optional<uint64_t> unit = unit_bytes(rest);
  if (digits == 0 || rest.starts_with('.')) {
    error = fmt::format("size {}: a whole number is needed, such as 4096, 64MiB or 1G", in_quotes(text));
  } else if (!unit) {
    error = fmt::format("size {}: unknown unit {} (known are K M G T, KiB MiB GiB TiB, KB MB GB TB)",
                        in_quotes(text), in_quotes(rest));
  } else if (overflow || __builtin_mul_overflow(number, *unit, &number)) {
    error = fmt::format("size {}: more than {} bytes", in_quotes(text), std::numeric_limits<uint64_t>::max());
  } else {
    return number;
  }
  return std::nullopt;
}

std::string human_bytes(uint64_t bytes) {
  constexpr std::array<const char*, 7> kNames = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t unit = 0;
  auto scaled = static_cast<double>(bytes);
  for (; scaled >= 1024 && unit + 1 < kNames.size(); ++unit) scaled /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", scaled, kNames[unit]);
}

std::string grouped(uint64_t number) {
  std::string out = std::to_string(number);
  for (size_t at = out.size(); at > 3;) out.insert(at -= 3, 1, ',');
  return out;
}

std::string in_quotes(std::string_view bytes) {
  constexpr size_t kShownBytes = 64;
  std::string out = "\"";
  append_escaped(out, bytes.substr(0, kShownBytes));
  out += bytes.size() > kShownBytes ? fmt::format("...\" ({} bytes)", bytes.size()) : "\"";
  return out;
}

}  // namespace nacre::tools
