#include "tools/command.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "tools/text.h"

namespace nacre::tools {
namespace {

constexpr Engine kEngines[] = {Engine::hash, Engine::dram};

std::optional<Engine> engine_of(std::string_view name) {
  for (const Engine engine : kEngines) {
    if (name == engine_name(engine)) return engine;
  }
  return std::nullopt;
}

}  // namespace

void add_pool_options(CLI::App& command, Common& common) {
  command.add_option("POOL", common.pool, "The pool")->required()->type_name("FILE");
  command.add_flag("--json", common.json, "Machine-readable output");
  command.add_option("--medium", common.medium, "How to reach the file: auto, dax, memory or msync")
      ->check(CLI::IsMember({"auto", "dax", "memory", "msync"}))
      ->type_name("NAME")
      ->capture_default_str();
}

void add_table_options(CLI::App& command, Common& common) {
  add_pool_options(command, common);
  command.add_option("--table", common.table, "The table")->type_name("NAME")->capture_default_str();
  command.add_flag("--hex", common.hex, "Keys and values are hexadecimal, in arguments and in output");
}

void add_key(CLI::App& command, BytesArgument& key) {
  key.text_option = command.add_option("KEY", key.text, "The key");
  key.file_option =
      command.add_option("--key-file", key.file, "Read the key from this file ('-': standard input)")
          ->type_name("FILE");
}

std::string argument_bytes(const std::string& text, const char* what, bool hex) {
  if (!hex) return text;
  std::string error;
  std::optional<std::string> bytes = from_hex(text, error);
  if (!bytes) throw Failure(Exit::usage, fmt::format("{} {}: {}", what, in_quotes(text), error));
  return std::move(*bytes);
}

std::string resolve(const BytesArgument& argument, const char* what, bool hex) {
  const bool has_text = argument.text_option->count() > 0;
  const bool has_file = argument.file_option->count() > 0;
  if (has_text && has_file) {
    throw Failure(Exit::usage,
                  fmt::format("the {0} is given twice: {1} and --{0}-file", what, in_quotes(argument.text)));
  }
  if (has_file) return read_whole(argument.file);
  if (has_text) return argument_bytes(argument.text, what, hex);
  throw Failure(Exit::usage, fmt::format("no {0}: give it as an argument or with --{0}-file", what));
}

Exit exit_of(Code code) noexcept {
  switch (code) {
    case Code::ok:
    case Code::stopped:
      return Exit::ok;
    case Code::invalid_argument:
    case Code::too_large:
    case Code::not_supported:
      return Exit::usage;
    case Code::corruption:
    case Code::media_error:
      return Exit::corruption;
    case Code::incompatible:
      return Exit::incompatible;
    case Code::locked:
      return Exit::locked;
    case Code::not_found:  // of a pool or table; of a key it is an answer and never gets here
    case Code::exists:
    case Code::bad_handle:
    case Code::read_only:
    case Code::out_of_space:
    case Code::out_of_memory:
    case Code::io_error:
    case Code::not_a_pool:
    case Code::limit:
    case Code::internal:
      break;
  }
  return Exit::io;
}

Failure failure_of(const Status& status, const std::string& object) {
  const std::string text = status.message();
  const bool named = text.find(object) != std::string::npos;
  return {exit_of(status.code()), named ? text : fmt::format("{}: {}", object, text)};
}

void require(const Status& status, const std::string& object) {
  if (!status.ok()) throw failure_of(status, object);
}

Session::Session(const Common& common, Access access)
    : Session(common, access, {.read_only = access == Access::read, .medium = common.medium}, common.pool) {}

Session::Session(const Common& common, Access access, const Options& options, const std::string& path)
    : common_(common), access_(access), db_(require(Db::open(path, options), path)) {}

Session Session::in_memory(const Common& common, uint64_t size_bytes) {
  return Session(common, Access::write, {.create_if_missing = true, .size = size_bytes, .medium = "memory"},
                 "memory");
}

std::string Session::table_name() const {
  return fmt::format("{}: table {}", common_.pool, in_quotes(common_.table));
}

Table& Session::table() {
  if (table_) return *table_;
  Result<Table> table = db_.table(common_.table);
  if (table.code() == Code::not_found && access_ == Access::write)
    table = db_.table(common_.table, default_engine());
  if (table.code() == Code::not_found)
    throw Failure(Exit::io, fmt::format("{}: no such table", table_name()));
  return table_.emplace(require(std::move(table), table_name()));
}

Engine Session::default_engine() {
  for (const TableInfo& row : require(db_.tables(), common_.pool)) {
    if (row.name == "default") return engine_of(row.engine).value_or(Engine::hash);
  }
  return Engine::hash;
}

void Session::close() { require(db_.close(), common_.pool); }

Engine parse_engine(const std::string& name) {
  if (const std::optional<Engine> engine = engine_of(name)) return *engine;
  std::string known;
  for (const Engine engine : kEngines)
    known += fmt::format("{}{}", known.empty() ? "" : ", ", engine_name(engine));
  throw Failure(Exit::usage,
                fmt::format("--engine {}: no such engine (known are {})", in_quotes(name), known));
}

void set_bytes(Json& object, const std::string& name, std::string_view bytes, bool hex) {
  if (hex || !is_utf8(bytes)) {
    object[name + "_hex"] = to_hex(bytes);
  } else {
    object[name] = bytes;
  }
}

std::string field(std::string_view bytes, bool hex) { return hex ? to_hex(bytes) : escaped(bytes); }

void print_line(std::string_view line) {
  Output out = Output::standard();
  out.line(line);
  out.finish();
}

void refuse_pool_as_output(const std::string& path, const Common& common, const char* option) {
  struct stat output = {};
  struct stat pool = {};
  if (path == "-" || ::stat(path.c_str(), &output) != 0 || ::stat(common.pool.c_str(), &pool) != 0) return;
  if (output.st_dev != pool.st_dev || output.st_ino != pool.st_ino) return;
  throw Failure(Exit::usage, fmt::format("{} {}: that is the pool itself", option, path));
}

}  // namespace nacre::tools
