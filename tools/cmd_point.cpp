// nacre put, get, del, exists: one key each.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "tools/command.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

struct Request {
  Common common;
  BytesArgument key;
  BytesArgument value;
  std::string out = "-";
  bool raw = false;
};

std::string table_and_key(const Session& session, std::string_view key) {
  return fmt::format("{}: key {}", session.table_name(), in_quotes(key));
}

/// Prints what happened to `key` when --json asks for it.
void print_json(const Request& request, const char* answer, bool yes, std::string_view key) {
  if (!request.common.json) return;
  Json object;
  object[answer] = yes;
  set_bytes(object, "key", key, request.common.hex);
  print_line(object.dump());
}

Exit not_found(const Session& session, std::string_view key) {
  throw Failure(Exit::negative, fmt::format("{}: not found", table_and_key(session, key)));
}

/// `put POOL --key-file F VALUE`: the first argument is the value when the key comes from a file.
void sort_arguments(Request& request) {
  const bool key_from_file = request.key.file_option->count() > 0;
  const bool one_argument = request.key.text_option->count() > 0 && request.value.text_option->count() == 0;
  if (!key_from_file || !one_argument) return;
  std::swap(request.key.text, request.value.text);
  std::swap(request.key.text_option, request.value.text_option);
}

Exit run_put(Request& request) {
  sort_arguments(request);
  if (request.key.file == "-" && request.value.file == "-") {
    throw Failure(Exit::usage, "the key and the value cannot both come from standard input");
  }
  const std::string key = resolve(request.key, "key", request.common.hex);
  const std::string value = resolve(request.value, "value", request.common.hex);
  Session session(request.common, Access::write);
  require(session.table().put(key, value), table_and_key(session, key));
  session.close();
  print_json(request, "put", true, key);
  return Exit::ok;
}

void print_value(const Request& request, std::string_view key, const std::string& value) {
  const bool bare = request.raw || request.out != "-";
  std::string text = request.common.hex ? to_hex(value) : value;
  if (request.common.json) {
    Json object;
    object["found"] = true;
    set_bytes(object, "key", key, request.common.hex);
    set_bytes(object, "value", value, request.common.hex);
    text = object.dump();
  }
  Output out = Output::file(request.out);
  out.write(text);
  if (!bare || request.common.json) out.write("\n");
  out.finish();
}

Exit run_get(const Request& request) {
  const std::string key = resolve(request.key, "key", request.common.hex);
  refuse_pool_as_output(request.out, request.common, "--out");
  Session session(request.common, Access::read);
  const Result<std::string> value = session.table().get(key);
  if (value.code() == Code::not_found) {
    print_json(request, "found", false, key);
    return not_found(session, key);
  }
  require(value.status(), table_and_key(session, key));
  print_value(request, key, *value);
  return Exit::ok;
}

Exit run_del(const Request& request) {
  const std::string key = resolve(request.key, "key", request.common.hex);
  Session session(request.common, Access::write);
  // A table that is not there is not made in order to delete from it.
  const Result<Table> table = session.db().table(request.common.table);
  if (table.code() == Code::not_found)
    throw Failure(Exit::io, fmt::format("{}: no such table", session.table_name()));
  require(table.status(), session.table_name());
  const Status removed = table->remove(key);
  if (removed != Code::not_found) require(removed, table_and_key(session, key));
  session.close();
  print_json(request, "deleted", removed.ok(), key);
  return removed.ok() ? Exit::ok : not_found(session, key);
}

Exit run_exists(const Request& request) {
  const std::string key = resolve(request.key, "key", request.common.hex);
  Session session(request.common, Access::read);
  const bool there = require(session.table().exists(key), table_and_key(session, key));
  print_json(request, "exists", there, key);
  if (!request.common.json) print_line(there ? "yes" : "no");
  return there ? Exit::ok : Exit::negative;
}

template <class Run>
std::pair<CLI::App*, std::shared_ptr<Request>> add(CLI::App& app, Task& task, const char* name,
                                                   const char* text, Run run) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(name, text);
  add_table_options(*command, request->common);
  add_key(*command, request->key);
  command->callback([&task, request, run] { task = [request, run] { return run(*request); }; });
  return {command, request};
}

}  // namespace

void add_put(CLI::App& app, Task& task) {
  auto [command, request] =
      add(app, task, "put", "Write or overwrite a key; durable when it returns", run_put);
  request->value.text_option = command->add_option("VALUE", request->value.text, "The value");
  request->value.file_option = command
                                   ->add_option("--value-file", request->value.file,
                                                "Read the value from this file ('-': standard input)")
                                   ->type_name("FILE");
}

void add_get(CLI::App& app, Task& task) {
  auto [command, request] = add(app, task, "get", "Print the value of a key and a newline", run_get);
  command->add_flag("--raw", request->raw, "No newline after the value");
  command->add_option("--out", request->out, "Write exactly the value to this file")->type_name("FILE");
}

void add_del(CLI::App& app, Task& task) { add(app, task, "del", "Delete a key", run_del); }

void add_exists(CLI::App& app, Task& task) {
  add(app, task, "exists", "Say yes (exit 0) or no (exit 1)", run_exists);
}

}  // namespace nacre::tools
