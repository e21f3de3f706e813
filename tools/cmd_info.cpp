// nacre info, stats, check: figures of a pool.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "tools/command.h"
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

Exit run_info(const Common& common) {
  Session session(common, Access::read);
  return print_all(common, require(session.db().info(), common.pool));
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
  add(app, task, "info", "Print what the pool is: version, medium, sizes, tables", run_info);
}

void add_stats(CLI::App& app, Task& task) {
  add(app, task, "stats", "Print the counters of this process's open", run_stats);
}

void add_check(CLI::App& app, Task& task) {
  add(app, task, "check", "Verify every structure and record and account for every byte; never writes",
      run_check);
}

}  // namespace nacre::tools
