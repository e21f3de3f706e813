#include "tools/dump_format.h"

#include <fmt/format.h>
#include <nacre/nacre.hpp>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/text.h"

namespace nacre::tools {
namespace {

class Xxh3 {
 public:
  Xxh3() { XXH3_64bits_reset(&state_); }
  void update(std::string_view bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  std::string digest() const { return fmt::format("{:016x}", XXH3_64bits_digest(&state_)); }

 private:
  XXH3_state_t state_;
};

/// A decimal number that is written in the one way the writer writes it.
std::optional<uint64_t> exact_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (error != std::errc() || end != text.data() + text.size() || leading_zero) return std::nullopt;
  return number;
}

class DumpSource final : public PairSource {
 public:
  explicit DumpSource(Input& input) : input_(input) { read_header(); }

  bool next(Pair& pair) override {
    if (finished_) return false;
    record_off_ = input_.consumed_bytes();
    chunk_.clear();
    if (!input_.read_bytes(1, chunk_)) damaged("it ends without its trailer: truncated");
    ++record_number_;
    if (chunk_ == "=") return read_trailer();
    if (chunk_ != "+") damaged("a record begins with + or =");
    read_record(pair);
    return true;
  }

  std::string position() const override {
    return fmt::format("{}: record {} at byte {}", input_.name(), record_number_, record_off_);
  }

 private:
  [[noreturn]] void damaged(std::string_view text) const {
    throw Failure(Exit::corruption, fmt::format("{}: damaged dump: {}", position(), text));
  }

  void read_header() {
    std::string_view line;
    input_.read_line(line);
    if (!line.starts_with(kDumpMagic))
      throw Failure(Exit::corruption, fmt::format("{}: not a nacre dump", input_.name()));
    const std::string_view rest = line.substr(kDumpMagic.size());
    const std::string_view version = rest.substr(0, rest.find(' '));
    if (exact_number(version) != uint64_t{kDumpVersion} && exact_number(version)) {
      throw Failure(Exit::incompatible,
                    fmt::format("{}: a dump of format version {}; this program reads version {}",
                                input_.name(), version, kDumpVersion));
    }
    if (!exact_number(version) || !input_.had_newline()) damaged("bad header");
    hash_.update(line);
    hash_.update("\n");
  }

  /// Reads digits up to `end`, which is consumed. 20 digits hold every 64-bit number.
  uint64_t read_number(char end) {
    std::string digits;
    for (;;) {
      if (!input_.read_bytes(1, digits)) damaged("it ends within a record: truncated");
      if (digits.back() == end || digits.size() > 20) break;
    }
    chunk_ += digits;
    if (digits.back() != end) damaged("bad length");
    digits.pop_back();
    const std::optional<uint64_t> number = exact_number(digits);
    if (!number) damaged("bad length");
    return *number;
  }

  void read_part(uint64_t bytes, std::string& out) {
    out.clear();
    if (!input_.read_bytes(bytes, out)) damaged("it ends within a record: truncated");
    hash_.update(out);
  }

  void read_record(Pair& pair) {
    const uint64_t key_bytes = read_number(',');
    const uint64_t value_bytes = read_number(':');
    hash_.update(chunk_);
    read_part(key_bytes, pair.key);
    read_part(2, chunk_);
    if (chunk_ != "->") damaged("no -> after the key");
    read_part(value_bytes, pair.value);
    read_part(1, chunk_);
    if (chunk_ != "\n") damaged("no newline after the value");
    ++records_;
  }

  bool read_trailer() {
    const uint64_t records = read_number(' ');
    const std::string wanted = hash_.digest() + "\n";
    std::string found;
    if (!input_.read_bytes(wanted.size(), found)) damaged("it ends within its trailer: truncated");
    if (found != wanted)
      damaged(fmt::format("checksum {} where {} was expected", in_quotes(found), hash_.digest()));
    if (records != records_) damaged(fmt::format("{} records where {} were expected", records_, records));
    if (!input_.at_end()) damaged("bytes after the trailer");
    finished_ = true;
    return false;
  }

  Input& input_;
  Xxh3 hash_;
  std::string chunk_;
  uint64_t records_ = 0;
  uint64_t record_number_ = 0;
  uint64_t record_off_ = 0;
  bool finished_ = false;
};

}  // namespace

struct DumpWriter::Hash {
  Xxh3 xxh3;
};

DumpWriter::DumpWriter(Output& out, std::string_view table, std::string_view engine)
    : out_(out), hash_(std::make_unique<Hash>()) {
  nlohmann::ordered_json header;
  header["nacre"] = version();
  header["table"] = escaped(table);
  header["engine"] = engine;
  write(fmt::format("{}{} {}\n", kDumpMagic, kDumpVersion, header.dump()));
}

DumpWriter::~DumpWriter() = default;

void DumpWriter::write(std::string_view bytes) {
  hash_->xxh3.update(bytes);
  out_.write(bytes);
  bytes_ += bytes.size();
}

void DumpWriter::add(std::string_view key, std::string_view value) {
  write(fmt::format("+{},{}:", key.size(), value.size()));
  write(key);
  write("->");
  write(value);
  write("\n");
  ++records_;
}

void DumpWriter::finish() {
  // Not hashed: the checksum covers what is before '='.
  const std::string trailer = fmt::format("={} {}\n", records_, hash_->xxh3.digest());
  out_.write(trailer);
  bytes_ += trailer.size();
}

std::unique_ptr<PairSource> make_dump_source(Input& input) { return std::make_unique<DumpSource>(input); }

}  // namespace nacre::tools
