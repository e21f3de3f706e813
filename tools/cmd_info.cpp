// nacre info, stats, check: figures of a pool.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "tools/command.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

using Figures = std::vector<Figure>;

constexpr std::string_view kProblem = "problem";

Json figure_value(const Figure& figure) {
  if (!figure.is_text) return figure.value;
  return is_utf8(figure.text) ? figure.text : escaped(figure.text);
}

/// Adds every figure to `object`; a name that comes more than once becomes an array.
void set_figures(Json& object, const Figures& figures) {
  for (const Figure& figure : figures) {
    if (!object.contains(figure.name)) {
      object[figure.name] = figure_value(figure);
      continue;
    }
    Json& seen = object[figure.name];
    if (!seen.is_array()) seen = Json::array({seen});
    seen.push_back(figure_value(figure));
  }
}

std::string figure_text(const Figure& figure) {
  if (figure.is_text) return escaped(figure.text);
  const bool is_size = figure.name.ends_with("_bytes") && figure.value >= 1024;
  return is_size ? fmt::format("{} ({})", figure.value, human_bytes(figure.value))
                 : std::to_string(figure.value);
}

struct Row {
  std::string name;
  std::string text;
};

/// One row for each figure; neighbours of one group share a row: class.32.slabs and class.32.units become
/// "class.32", "slabs 1, units 8192".
std::vector<Row> rows_of(const Figures& figures) {
  std::vector<Row> rows;
  std::string_view group;
  for (const Figure& figure : figures) {
    const std::string_view name = figure.name;
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) {
      rows.push_back({escaped(name), figure_text(figure)});
      group = {};
      continue;
    }
    const std::string member = fmt::format("{} {}", escaped(name.substr(dot + 1)), figure_text(figure));
    if (group == name.substr(0, dot)) {
      rows.back().text += ", " + member;
    } else {
      group = name.substr(0, dot);
      rows.push_back({escaped(group), member});
    }
  }
  return rows;
}

void print_figures(Output& out, const Figures& figures) {
  const std::vector<Row> rows = rows_of(figures);
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  for (const Row& row : rows) out.line(fmt::format("{:<{}}  {}", row.name, width, row.text));
}

Exit print_all(const Common& common, const Figures& figures) {
  Output out = Output::standard();
  if (common.json) {
    Json object;
    set_bytes(object, "pool", common.pool, false);
    set_figures(object, figures);
    out.line(object.dump());
  } else {
    print_figures(out, figures);
  }
  out.finish();
  return Exit::ok;
}

struct InfoRequest {
  Common common;
  bool space = false;
};

/// What the keys and values of all tables take by themselves. Reads every record.
Figure stored_bytes(Session& session, const Common& common) {
  Progress progress(0);
  uint64_t pairs = 0, bytes = 0;
  for (const TableInfo& row : require(session.db().tables(), common.pool)) {
    Table table = require(session.db().table(row.name), row.name);
    require(table.scan([&](std::string_view key, std::string_view value) {
              bytes += key.size() + value.size();
              progress.update(++pairs, bytes);
              return true;
            }),
            row.name);
  }
  return {.name = "stored_bytes", .value = bytes, .text = {}, .is_text = false};
}

uint64_t value_of(const Figures& figures, std::string_view name) {
  const auto found = std::find_if(figures.begin(), figures.end(), [&](const Figure& f) { return f.name == name; });
  return found == figures.end() ? 0 : found->value;
}

/// Bytes in use, all included, for a byte of keys and values.
void add_space(Figures& figures, Session& session, const Common& common) {
  const Figure stored = stored_bytes(session, common);
  const uint64_t taken = value_of(figures, "used_bytes") + value_of(figures, "metadata_bytes");
  figures.push_back(stored);
  if (stored.value == 0) return;
  const double ratio = static_cast<double>(taken) / static_cast<double>(stored.value);
  figures.push_back(
      {.name = "space_for_a_stored_byte", .value = 0, .text = fmt::format("{:.3f}", ratio), .is_text = true});
}

Exit run_info(const InfoRequest& request) {
  Session session(request.common, Access::read);
  Figures figures = require(session.db().info(), request.common.pool);
  if (request.space) add_space(figures, session, request.common);
  return print_all(request.common, figures);
}

Exit run_stats(const Common& common) {
  Session session(common, Access::read);
  return print_all(common, require(session.db().stats(), common.pool));
}

void print_report(const Common& common, bool sound, const Figures& figures, const Figures& problems) {
  Output out = Output::standard();
  if (common.json) {
    Json object;
    set_bytes(object, "pool", common.pool, false);
    object["sound"] = sound;
    object["problems"] = Json::array();
    for (const Figure& problem : problems) object["problems"].push_back(figure_value(problem));
    object["figures"] = Json::object();
    set_figures(object["figures"], figures);
    out.line(object.dump());
  } else {
    print_figures(out, figures);
    print_figures(out, problems);
    out.line(fmt::format("{}: {}", common.pool, sound ? "sound" : "not sound"));
  }
  out.finish();
}

Exit run_check(const Common& common) {
  Session session(common, Access::read);
  const CheckReport report = require(session.db().check(), common.pool);
  Figures figures;
  Figures problems;
  for (const Figure& figure : report.figures)
    (figure.name == kProblem ? problems : figures).push_back(figure);
  print_report(common, report.sound, figures, problems);
  if (report.sound) return Exit::ok;
  throw Failure(Exit::corruption, fmt::format("{}: not sound: {} problem{} found", common.pool,
                                              problems.size(), problems.size() == 1 ? "" : "s"));
}

template <class Run>
void add(CLI::App& app, Task& task, const char* name, const char* text, Run run) {
  auto common = std::make_shared<Common>();
  CLI::App* command = app.add_subcommand(name, text);
  add_pool_options(*command, *common);
  command->callback([&task, common, run] { task = [common, run] { return run(*common); }; });
}

}  // namespace

void add_info(CLI::App& app, Task& task) {
  auto request = std::make_shared<InfoRequest>();
  CLI::App* command = app.add_subcommand("info", "Print what the pool is: version, medium, sizes, tables");
  add_pool_options(*command, request->common);
  command->add_flag("--space", request->space, "Read every record, and add the bytes in use for a byte stored");
  command->callback([&task, request] { task = [request] { return run_info(*request); }; });
}

void add_stats(CLI::App& app, Task& task) {
  add(app, task, "stats", "Print the counters of this process's open", run_stats);
}

void add_check(CLI::App& app, Task& task) {
  add(app, task, "check", "Verify every structure and record and account for every byte; never writes",
      run_check);
}

}  // namespace nacre::tools
