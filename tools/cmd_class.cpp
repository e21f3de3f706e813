// nacre class list, add, retire: the unit sizes that a pool hands out. (suggest: cmd_class_suggest.cpp)
#include <fmt/format.h>

#include <memory>

#include "tools/class_arguments.h"
#include "tools/command.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

struct Request {
  Common common;
  ClassArguments classes;
  std::string unit;
  bool used = false;
};

const char* state_name(const ClassInfo& info) { return info.retired != 0 ? "retired" : "live"; }

Json json_of(const ClassInfo& c) {
  return {{"id", c.id},
          {"state", state_name(c)},
          {"unit_bytes", c.unit_bytes},
          {"align", c.align},
          {"slabs", c.slabs},
          {"slab_bytes", c.slab_bytes},
          {"units", c.units},
          {"live_units", c.live_units},
          {"live_bytes", c.live_bytes},
          {"free_bytes", c.free_bytes},
          {"tail_bytes", c.tail_bytes},
          {"fragmentation_permille", c.fragmentation_permille}};
}

std::string row_of(const ClassInfo& c) {
  return fmt::format("{:>10}  {:>5}  {:<7}  {:>7}  {:>12}  {:>12}  {:>10}  {:>10}  {:>5}.{} %", c.unit_bytes,
                     c.align, state_name(c), c.slabs, grouped(c.units), grouped(c.live_units),
                     human_bytes(c.free_bytes), human_bytes(c.tail_bytes), c.fragmentation_permille / 10,
                     c.fragmentation_permille % 10);
}

Exit run_list(const Request& request) {
  Session session(request.common, Access::read);
  const std::vector<ClassInfo> classes = require(session.db().classes(), request.common.pool);
  Output out = Output::standard();
  Json rows = Json::array();
  if (!request.common.json)
    out.line(fmt::format("{:>10}  {:>5}  {:<7}  {:>7}  {:>12}  {:>12}  {:>10}  {:>10}  {:>9}", "unit bytes",
                         "align", "state", "slabs", "units", "live units", "free", "tails", "fragments"));
  for (const ClassInfo& c : classes) {
    if (request.used && c.slabs == 0) continue;
    if (request.common.json)
      rows.push_back(json_of(c));
    else
      out.line(row_of(c));
  }
  if (request.common.json) {
    Json object;
    set_bytes(object, "pool", request.common.pool, false);
    object["classes"] = std::move(rows);
    out.line(object.dump());
  }
  out.finish();
  return Exit::ok;
}

void print_changes(const Request& request, const char* verb, const std::vector<uint64_t>& units) {
  if (request.common.json) {
    Json object;
    set_bytes(object, "pool", request.common.pool, false);
    object[verb] = units;
    return print_line(object.dump());
  }
  for (const uint64_t unit : units)
    print_line(fmt::format("{}: {} the class of {} bytes", request.common.pool, verb, unit));
}

Exit run_add(const Request& request) {
  const std::vector<ClassSpec> specs = class_specs(request.classes);
  if (specs.empty()) throw Failure(Exit::usage, "no class: give its unit in bytes, or --record KEY:VALUE");
  Session session(request.common, Access::write);
  std::vector<uint64_t> added;
  for (const ClassSpec& spec : specs) {
    require(session.db().add_class(spec), request.common.pool);
    added.push_back(spec.unit_bytes);
  }
  session.close();
  print_changes(request, "added", added);
  return Exit::ok;
}

Exit run_retire(const Request& request) {
  const std::vector<ClassSpec> specs = class_specs({{request.unit}, {}});
  Session session(request.common, Access::write);
  require(session.db().retire_class(specs.front().unit_bytes), request.common.pool);
  session.close();
  print_changes(request, "retired", {specs.front().unit_bytes});
  return Exit::ok;
}

using Run = Exit (*)(const Request&);

CLI::App* add(CLI::App& group, Task& task, const std::shared_ptr<Request>& request, const char* name,
              const char* text, Run run) {
  CLI::App* command = group.add_subcommand(name, text);
  add_pool_options(*command, request->common);
  command->callback([&task, request, run] { task = [request, run] { return run(*request); }; });
  return command;
}

}  // namespace

void add_class(CLI::App& app, Task& task) {
  CLI::App* group =
      app.add_subcommand("class", "List, add, retire or suggest allocation classes (unit sizes)");
  group->require_subcommand(1);
  const auto list = std::make_shared<Request>();
  add(*group, task, list, "list", "Print every class and what it is filled with", run_list)
      ->add_flag("--used", list->used, "Only classes that have memory");
  const auto added = std::make_shared<Request>();
  CLI::App* command =
      add(*group, task, added, "add", "Add classes; a retired one of the size lives again", run_add);
  command->add_option("CLASS", added->classes.units, "Unit size in bytes, and its alignment if not 16")
      ->type_name("BYTES[:ALIGN]");
  add_record_option(*command, added->classes);
  const auto retired = std::make_shared<Request>();
  add(*group, task, retired, "retire", "Hand out no more units of a class; what it holds stays", run_retire)
      ->add_option("UNIT", retired->unit, "Unit size in bytes")
      ->required()
      ->type_name("BYTES");
  add_class_suggest(*group, task);
}

}  // namespace nacre::tools
