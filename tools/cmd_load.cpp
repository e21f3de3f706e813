// nacre load: puts the pairs of a file, one after the other, each durable before the next.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>

#include "tools/command.h"
#include "tools/dump_format.h"
#include "tools/pair_source.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

struct Request {
  Common common;
  std::string file;
  std::string format = "auto";
  std::string ack;
};

/// What the first bytes say: a dump by its magic, JSON lines by an object with one of our members, else TSV.
std::string guess_format(Input& input) {
  const std::string_view head = input.peek(64);
  if (head.starts_with(kDumpMagic)) return "dump";
  if (!head.starts_with('{')) return "tsv";
  const std::string_view member = head.substr(std::min(head.find_first_not_of(" \t", 1), head.size()));
  constexpr std::string_view kMembers[] = {"\"key\"", "\"key_hex\"", "\"value\"", "\"value_hex\""};
  const auto begins = [&](std::string_view name) { return member.starts_with(name); };
  return std::any_of(std::begin(kMembers), std::end(kMembers), begins) ? "jsonl" : "tsv";
}

std::unique_ptr<PairSource> make_source(const std::string& format, Input& input, bool hex) {
  if (format == "dump") return make_dump_source(input);
  if (format == "jsonl") return make_jsonl_source(input);
  return make_tsv_source(input, hex);
}

/// Reads a dump to its end before a pair of it is put. Only a file can be read twice; a pipe is checked as it
/// comes.
void verify_dump(Input& input) {
  Pair pair;
  const std::unique_ptr<PairSource> dump = make_dump_source(input);
  while (dump->next(pair)) {
  }
  input.rewind();
}

/// Names each key on a file or pipe once put has said that it is durable: one write() a key, so that whoever
/// kills us knows what must be there.
class Acknowledger {
 public:
  explicit Acknowledger(const Request& request) : hex_(request.common.hex) {
    if (request.ack.empty()) return;
    refuse_pool_as_output(request.ack, request.common, "--ack");
    out_ = std::make_unique<Output>(Output::file(request.ack));
  }
  void acknowledge(std::string_view key) {
    if (!out_) return;
    out_->line(field(key, hex_));
    out_->flush();
  }

 private:
  bool hex_;
  std::unique_ptr<Output> out_;
};

class Loader {
 public:
  Loader(const Request& request, Session& session, Input& input)
      : input_(input), session_(session), acknowledger_(request), progress_(input.total_bytes()) {}

  void run(PairSource& source) {
    try {
      Pair pair;
      while (source.next(pair)) put(source, pair);
    } catch (const Failure& failure) {
      progress_.clear();
      throw Failure(failure.exit(), fmt::format("{}; loaded {} pairs before it", failure.what(), pairs_));
    }
    progress_.clear();
  }

  void print_summary(const Request& request) const {
    const double seconds = progress_.seconds();
    const double rate = seconds > 0 ? static_cast<double>(pairs_) / seconds : 0;
    std::string text = fmt::format("loaded {} pairs ({} of keys and values) in {:.2f} s, {:.0f} pairs/s",
                                   pairs_, human_bytes(bytes_), seconds, rate);
    if (request.common.json) text = Json{{"pairs", pairs_}, {"bytes", bytes_}, {"seconds", seconds}}.dump();
    if (request.ack == "-") {
      std::fprintf(stderr, "%s\n", text.c_str());  // standard output belongs to the keys
    } else {
      print_line(text);
    }
  }

 private:
  void put(const PairSource& source, const Pair& pair) {
    const Status status = session_.table().put(pair.key, pair.value);
    if (!status.ok()) {
      throw Failure(exit_of(status.code()), fmt::format("{}: put of key {}: {}", source.position(),
                                                        in_quotes(pair.key), status.message()));
    }
    acknowledger_.acknowledge(pair.key);
    ++pairs_;
    bytes_ += pair.key.size() + pair.value.size();
    progress_.update(pairs_, input_.consumed_bytes());
  }

  Input& input_;
  Session& session_;
  Acknowledger acknowledger_;
  Progress progress_;
  uint64_t pairs_ = 0;
  uint64_t bytes_ = 0;
};

Exit run(const Request& request) {
  Input input = Input::file(request.file);
  Session session(request.common, Access::write);
  const std::string format = request.format == "auto" ? guess_format(input) : request.format;
  if (format == "dump" && input.can_rewind()) verify_dump(input);
  session.table();  // made even if there is nothing to load
  Loader loader(request, session, input);
  loader.run(*make_source(format, input, request.common.hex));
  session.close();
  loader.print_summary(request);
  return Exit::ok;
}

}  // namespace

void add_load(CLI::App& app, Task& task) {
  auto request = std::make_shared<Request>();
  CLI::App* command =
      app.add_subcommand("load", "Put the pairs of a file, in its order; stops at the first error");
  add_table_options(*command, request->common);
  command
      ->add_option("FILE", request->file, "What scan or dump wrote, TSV or JSON lines ('-': standard input)")
      ->required();
  command->add_option("--format", request->format, "tsv, jsonl, dump, or auto: what the file begins with")
      ->check(CLI::IsMember({"auto", "tsv", "jsonl", "dump"}))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--ack", request->ack, "Write each key here once it is durable ('-': standard output)")
      ->type_name("FILE");
  command->callback([&task, request] { task = [request] { return run(*request); }; });
}

}  // namespace nacre::tools
