// Bytes as text and back: escapes, hexadecimal, sizes. No I/O, no library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nacre::tools {

/// True if `bytes` is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes) noexcept;

/// Appends `bytes` so that they fit one field of one line: \\ \t \n as such, other control bytes and whatever
/// is not UTF-8 as \xNN, the rest as it is. unescape() gives exactly the same bytes back.
void append_escaped(std::string& out, std::string_view bytes);
std::string escaped(std::string_view bytes);
/// The bytes that `text` stands for; nullopt with `error` set to what is wrong.
std::optional<std::string> unescape(std::string_view text, std::string& error);

void append_hex(std::string& out, std::string_view bytes);
std::string to_hex(std::string_view bytes);
/// Two digits a byte, either case, nothing between them; nullopt with `error` set to what is wrong.
std::optional<std::string> from_hex(std::string_view text, std::string& error);

/// "4096", "64K", "1GiB" (1024s), "1GB" (1000s); nullopt with `error` set to what is wrong.
std::optional<uint64_t> parse_size(std::string_view text, std::string& error);

/// 1288490188 -> "1.2 GiB"; below 1024 "17 B".
std::string human_bytes(uint64_t bytes);
/// 1234567 -> "1,234,567".
std::string grouped(uint64_t number);

/// A key for a message: in quotes, escaped, cut after 64 bytes.
std::string in_quotes(std::string_view bytes);

}  // namespace nacre::tools
