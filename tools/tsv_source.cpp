#include <fmt/format.h>

#include <optional>

#include "tools/pair_source.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

class TsvSource final : public PairSource {
 public:
  TsvSource(Input& input, bool hex) : input_(input), hex_(hex) {}

  bool next(Pair& pair) override {
    std::string_view line;
    if (!input_.read_line(line)) return false;
    ++line_number_;
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) fail("no TAB between key and value");
    if (line.find('\t', tab + 1) != std::string_view::npos)
      fail("a second TAB (in a value it is written \\t)");
    pair.key = decode(line.substr(0, tab), "key");
    pair.value = decode(line.substr(tab + 1), "value");
    return true;
  }

  std::string position() const override { return fmt::format("{}:{}", input_.name(), line_number_); }

 private:
  [[noreturn]] void fail(std::string_view text) const {
    throw Failure(Exit::usage, fmt::format("{}: {}", position(), text));
  }

  std::string decode(std::string_view text, const char* what) const {
    std::string error;
    std::optional<std::string> bytes = hex_ ? from_hex(text, error) : unescape(text, error);
    if (!bytes) fail(fmt::format("{}: {}", what, error));
    return std::move(*bytes);
  }

  Input& input_;
  bool hex_;
  uint64_t line_number_ = 0;
};

}  // namespace

std::unique_ptr<PairSource> make_tsv_source(Input& input, bool hex) {
  return std::make_unique<TsvSource>(input, hex);
}

}  // namespace nacre::tools
