#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "tools/pair_source.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

using nlohmann::json;

/// Splits one JSON object into the texts of its members, without reading the values: a number or an object is
/// kept as it is written (a parsed 1.10 or a 20-digit number would come back as something else). Each piece
/// is validated by the JSON library afterwards.
class ObjectSplitter {
 public:
  explicit ObjectSplitter(std::string_view text) : text_(text) {}

  /// True with the next member; false at the end of the object or when it is not well-formed: see complete().
  bool next(std::string_view& name, std::string_view& value) {
    const bool first = !std::exchange(began_, true);
    if (first && !take('{')) return false;
    if (take('}')) return finish();
    if (!first && !take(',')) return false;
    return string_text(name) && take(':') && value_text(value);
  }
  /// True when the whole text was one object.
  bool complete() const { return complete_; }

 private:
  bool finish() {
    skip_space();
    complete_ = at_ == text_.size();
    return false;
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool take(char wanted) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  /// Moves over the string that begins at at_; false if it does not end.
  bool pass_string() {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\')
        ++at_;
      else if (text_[at_] == '"')
        return ++at_, true;
    }
    return false;
  }

  bool string_text(std::string_view& out) {
    skip_space();
    const size_t from = at_;
    if (at_ == text_.size() || text_[at_] != '"' || !pass_string()) return false;
    out = text_.substr(from, at_ - from);
    return true;
  }

  bool value_text(std::string_view& out) {
    skip_space();
    const size_t from = at_;
    size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '"') {
        if (!pass_string()) return false;
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && depth-- == 0) return false;
      ++at_;
    }
    size_t end = at_;
    while (end > from && std::string_view(" \t\r\n").find(text_[end - 1]) != std::string_view::npos) --end;
    out = text_.substr(from, end - from);
    return !out.empty();
  }

  std::string_view text_;
  size_t at_ = 0;
  bool began_ = false;
  bool complete_ = false;
};

class JsonlSource final : public PairSource {
 public:
  explicit JsonlSource(Input& input) : input_(input) {}

  bool next(Pair& pair) override {
    std::string_view line;
    do {
      if (!input_.read_line(line)) return false;
      ++line_number_;
    } while (line.find_first_not_of(" \t\r") == std::string_view::npos);
    read_object(line, pair);
    return true;
  }

  std::string position() const override { return fmt::format("{}:{}", input_.name(), line_number_); }

 private:
  [[noreturn]] void fail(std::string_view text) const {
    throw Failure(Exit::usage, fmt::format("{}: {}", position(), text));
  }

  void read_object(std::string_view line, Pair& pair) {
    // The JSON library takes a NUL for the end of its input.
    if (line.find('\0') != std::string_view::npos) fail("a NUL byte (in a string it is written \\u0000)");
    ObjectSplitter members(line);
    std::string_view name;
    std::string_view text;
    bool has_key = false;
    bool has_value = false;
    while (members.next(name, text)) read_member(string_of(name), text, pair, has_key, has_value);
    if (!members.complete()) fail("not a JSON object");
    if (!has_key) fail("no \"key\" (or \"key_hex\")");
    if (!has_value) fail("no \"value\" (or \"value_hex\")");
  }

  void read_member(const std::string& name, std::string_view text, Pair& pair, bool& has_key,
                   bool& has_value) {
    const bool is_key = name == "key" || name == "key_hex";
    if (!is_key && name != "value" && name != "value_hex") {
      fail(fmt::format("unknown member {} (known are key, key_hex, value, value_hex)", in_quotes(name)));
    }
    bool& seen = is_key ? has_key : has_value;
    if (std::exchange(seen, true)) fail(fmt::format("a second {}", is_key ? "key" : "value"));
    std::string& out = is_key ? pair.key : pair.value;
    if (name.ends_with("_hex"))
      out = hex_of(name, text);
    else if (text.front() == '"')
      out = string_of(text);
    else if (is_key)
      fail("the key is not a string");
    else if (!json::accept(text))
      fail("the value is not JSON");
    else
      out = text;
  }

  std::string string_of(std::string_view text) const {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_string()) fail("a string is not well-formed JSON");
    return parsed.get<std::string>();
  }

  std::string hex_of(const std::string& name, std::string_view text) const {
    std::string error = "not a string";
    std::optional<std::string> bytes;
    if (text.front() == '"') bytes = from_hex(string_of(text), error);
    if (!bytes) fail(fmt::format("{}: {}", name, error));
    return std::move(*bytes);
  }

  Input& input_;
  uint64_t line_number_ = 0;
};

}  // namespace

std::unique_ptr<PairSource> make_jsonl_source(Input& input) { return std::make_unique<JsonlSource>(input); }

}  // namespace nacre::tools
