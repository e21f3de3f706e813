// nacre scan, nacre count.
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "tools/command.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

struct Request {
  Common common;
  std::string prefix;
  uint64_t limit = std::numeric_limits<uint64_t>::max();
  bool keys_only = false;
};

/// One pair as a line: the text that load reads back, as TSV or as a JSON line.
std::string pair_line(const Request& request, std::string_view key, std::string_view value) {
  const bool hex = request.common.hex;
  if (request.common.json) {
    Json object;
    set_bytes(object, "key", key, hex);
    if (!request.keys_only) set_bytes(object, "value", value, hex);
    return object.dump();
  }
  std::string line = field(key, hex);
  if (!request.keys_only) {
    line += '\t';
    line += field(value, hex);
  }
  return line;
}

Exit run_scan(const Request& request) {
  const std::string prefix = argument_bytes(request.prefix, "--prefix", request.common.hex);
  Session session(request.common, Access::read);
  Iterator pairs = require(session.table().iterator(), session.table_name());
  Output out = Output::standard();
  uint64_t printed = 0;
  Status status;
  while (printed < request.limit && (status = pairs.next()).ok()) {
    if (!pairs.key().starts_with(prefix)) continue;
    out.line(pair_line(request, pairs.key(), pairs.value()));
    ++printed;
  }
  out.finish();  // what was read comes before the complaint about what could not be
  if (status != Code::not_found) require(status, session.table_name());
  return Exit::ok;
}

Exit run_count(const Request& request) {
  Session session(request.common, Access::read);
  const uint64_t count = require(session.table().count(), session.table_name());
  Json object;
  set_bytes(object, "table", request.common.table, false);
  object["count"] = count;
  print_line(request.common.json ? object.dump() : std::to_string(count));
  return Exit::ok;
}

}  // namespace

void add_scan(CLI::App& app, Task& task) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand("scan", "Print key TAB value for each pair, in no particular order");
  add_table_options(*command, request->common);
  command->add_option("--limit", request->limit, "Stop after N pairs")->type_name("N");
  command->add_option("--prefix", request->prefix, "Only keys that begin with this")->type_name("PREFIX");
  command->add_flag("--keys-only", request->keys_only, "Print no values");
  command->callback([&task, request] { task = [request] { return run_scan(*request); }; });
}

void add_count(CLI::App& app, Task& task) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand("count", "Print the number of keys of a table");
  add_table_options(*command, request->common);
  command->callback([&task, request] { task = [request] { return run_count(*request); }; });
}

}  // namespace nacre::tools
