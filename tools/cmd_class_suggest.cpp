// nacre class suggest: the classes that would save most, from the sizes of a pool's records or from a
// histogram.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>

#include "tools/command.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

constexpr uint64_t kUnitStep = 16;
constexpr uint64_t kDefaultsPoolBytes = uint64_t{16}
                                        << 20;  // the least with the chunks and classes of a large pool
constexpr size_t kPlotRows = 16;
constexpr uint64_t kPlotColumns = 48;

using Histogram = std::map<uint64_t, uint64_t>;  // record bytes -> how many

struct Request {
  Common common;
  std::string histogram;
  uint32_t max_classes = 4;
  bool plot = false;
};

Histogram scan_records(const Common& common, Session& session) {
  Histogram histogram;
  Progress progress(0);
  uint64_t records = 0, bytes = 0;
  for (const TableInfo& row : require(session.db().tables(), common.pool)) {
    const std::string name = fmt::format("{}: table {}", common.pool, in_quotes(row.name));
    const Table table = require(session.db().table(row.name), name);
    require(table.scan([&](std::string_view key, std::string_view value) {
      const uint64_t record_bytes = nacre_record_bytes(key.size(), value.size());
      ++histogram[record_bytes];
      progress.update(++records, bytes += record_bytes);
    }),
            name);
  }
  return histogram;
}

uint64_t number_of(std::string_view text, const Input& input, uint64_t line_number) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return number;
  throw Failure(Exit::usage, fmt::format("{}:{}: {} is no number below 2^64; a line is \"BYTES COUNT\"",
                                         input.name(), line_number, in_quotes(text)));
}

/// Lines "BYTES COUNT": the bytes of a record, header included, and how many there are. '#' begins a comment.
Histogram read_histogram(const std::string& path) {
  constexpr std::string_view kBlank = " \t\r";
  Input input = Input::file(path);
  Histogram histogram;
  std::string_view line;
  for (uint64_t line_number = 1; input.read_line(line); ++line_number) {
    line = line.substr(0, line.find('#'));
    const size_t begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) continue;
    line = line.substr(begin, line.find_last_not_of(kBlank) + 1 - begin);
    const size_t gap = line.find_first_of(kBlank);
    const std::string_view rest = gap == std::string_view::npos ? std::string_view() : line.substr(gap);
    const size_t second = rest.find_first_not_of(kBlank);
    const uint64_t count =
        number_of(second == std::string_view::npos ? rest : rest.substr(second), input, line_number);
    uint64_t& sum = histogram[number_of(line.substr(0, gap), input, line_number)];
    if (sum + count < sum)
      throw Failure(Exit::usage, fmt::format("{}:{}: the counts of one size add up to 2^64 or more",
                                             input.name(), line_number));
    sum += count;
  }
  return histogram;
}

/// An argument for a shell.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string add_command(const Common& common, const std::vector<Suggestion>& classes) {
  std::string command = "nacre class add " + (common.pool.empty() ? "POOL" : shell_word(common.pool));
  for (const Suggestion& c : classes) command += fmt::format(" {}", c.unit_bytes);
  return command;
}

/// How many records there are of which sizes: at most kPlotRows bars of equally wide ranges.
void print_plot(Output& out, const Histogram& histogram) {
  if (histogram.empty()) return;
  const uint64_t least = histogram.begin()->first / kUnitStep * kUnitStep;
  const uint64_t width = ((histogram.rbegin()->first - least) / kPlotRows / kUnitStep + 1) * kUnitStep;
  std::map<uint64_t, uint64_t> bars;
  uint64_t highest = 1;
  for (const auto& [bytes, count] : histogram)
    highest = std::max(highest, bars[(bytes - least) / width] += count);
  for (const auto& [bar, count] : bars) {
    const auto length =
        static_cast<size_t>(static_cast<double>(count) / static_cast<double>(highest) * kPlotColumns);
    out.line(fmt::format("{:>8} to {:>8} B  {:<{}} {}", grouped(least + bar * width),
                         grouped(least + (bar + 1) * width - 1),
                         std::string(std::max<size_t>(length, 1), '#'), kPlotColumns, grouped(count)));
  }
  out.line("");
}

void print_text(const Request& request, const Histogram& histogram, const ClassAdvice& advice) {
  Output out = Output::standard();
  if (request.plot || ::isatty(STDOUT_FILENO) == 1) print_plot(out, histogram);
  const nacre_suggestion_totals& t = advice.totals;
  out.line(fmt::format("{} records of {}; {} are wasted now, {} with the classes below", grouped(t.records),
                       human_bytes(t.record_bytes), human_bytes(t.waste_before_bytes),
                       human_bytes(t.waste_after_bytes)));
  if (t.too_large != 0)
    out.line(fmt::format("{} records are larger than every class; they lie in whole chunks and are left out",
                         grouped(t.too_large)));
  if (advice.classes.empty()) {
    out.line("no further class would save anything");
  } else {
    out.line(
        fmt::format("{:>10}  {:>14}  {:>12}  {:>12}", "unit bytes", "records", "waste now", "waste then"));
    for (const Suggestion& c : advice.classes)
      out.line(fmt::format("{:>10}  {:>14}  {:>12}  {:>12}", c.unit_bytes, grouped(c.records),
                           human_bytes(c.waste_before_bytes), human_bytes(c.waste_after_bytes)));
    out.line(add_command(request.common, advice.classes));
  }
  out.finish();
}

void print_json(const Request& request, const ClassAdvice& advice) {
  Json object;
  if (!request.common.pool.empty()) set_bytes(object, "pool", request.common.pool, false);
  object["records"] = advice.totals.records;
  object["record_bytes"] = advice.totals.record_bytes;
  object["too_large"] = advice.totals.too_large;
  object["waste_before_bytes"] = advice.totals.waste_before_bytes;
  object["waste_after_bytes"] = advice.totals.waste_after_bytes;
  object["classes"] = Json::array();
  for (const Suggestion& c : advice.classes)
    object["classes"].push_back({{"unit_bytes", c.unit_bytes},
                                 {"records", c.records},
                                 {"waste_before_bytes", c.waste_before_bytes},
                                 {"waste_after_bytes", c.waste_after_bytes}});
  if (!advice.classes.empty()) object["command"] = add_command(request.common, advice.classes);
  print_line(object.dump());
}

/// The pool, or one in memory that has the classes of every new pool.
Session open_session(Common& common) {
  if (!common.pool.empty()) return Session(common, Access::read);
  return Session::in_memory(common, kDefaultsPoolBytes);
}

Exit run(Request& request) {
  if (request.common.pool.empty() && request.histogram.empty())
    throw Failure(Exit::usage, "suggest looks at a POOL, or at a --histogram");
  Histogram histogram;
  if (!request.histogram.empty()) histogram = read_histogram(request.histogram);
  Session session = open_session(request.common);
  if (request.histogram.empty()) histogram = scan_records(request.common, session);
  std::vector<SizeCount> rows;
  for (const auto& [bytes, count] : histogram) rows.push_back({bytes, count});
  const ClassAdvice advice = require(session.db().suggest_classes(rows, request.max_classes),
                                     request.common.pool.empty() ? request.histogram : request.common.pool);
  if (request.common.json)
    print_json(request, advice);
  else
    print_text(request, histogram, advice);
  return Exit::ok;
}

}  // namespace

void add_class_suggest(CLI::App& group, Task& task) {
  const auto request = std::make_shared<Request>();
  CLI::App* command =
      group.add_subcommand("suggest", "Find the classes that would waste least for these records");
  add_pool_options(*command, request->common);
  command->get_option("POOL")->required(false);
  command
      ->add_option(
          "--histogram", request->histogram,
          "Lines \"BYTES COUNT\" in place of the pool's records ('-': standard input); BYTES is 12 + key + "
          "value. Without POOL: for the classes of a new pool")
      ->type_name("FILE");
  command->add_option("--max", request->max_classes, "At most so many classes, up to 64")
      ->check(CLI::Range(1, 64))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--plot", request->plot, "Draw the histogram also where standard output is no terminal");
  command->callback([&task, request] { task = [request] { return run(*request); }; });
}

}  // namespace nacre::tools
