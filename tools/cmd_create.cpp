// nacre create, nacre version.
#include <fmt/format.h>

#include <memory>

#include "tools/class_arguments.h"
#include "tools/command.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

struct Request {
  Common common;
  std::string engine = "hash";
  std::string size = "1GiB";
  std::string max_size = "0";
  ClassArguments classes;
};

uint64_t size_argument(const std::string& text, const char* option) {
  std::string error;
  const std::optional<uint64_t> bytes = parse_size(text, error);
  if (!bytes) throw Failure(Exit::usage, fmt::format("{}: {}", option, error));
  return *bytes;
}

uint64_t requested_bytes(const std::string& text) {
  const uint64_t bytes = size_argument(text, "--size");
  if (bytes == 0)
    throw Failure(Exit::usage, "--size: a pool of 0 bytes is not possible");  // 0 asks for the default
  return bytes;
}

Exit run(const Request& request) {
  const Common& common = request.common;
  Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.size = requested_bytes(request.size);
  options.max_size = size_argument(request.max_size, "--max-size");
  if (options.max_size != 0 && options.max_size < options.size)
    throw Failure(Exit::usage, "--max-size: it is less than --size");
  options.medium = common.medium;
  options.engine = parse_engine(request.engine);
  options.classes = class_specs(request.classes);
  Db db = require(Db::open(common.pool, options), common.pool);
  if (common.table != "default") {
    const std::string table = fmt::format("{}: table {}", common.pool, in_quotes(common.table));
    require(db.table(common.table, options.engine).status(), table);
  }
  require(db.close(), common.pool);

  Json made;
  set_bytes(made, "pool", common.pool, false);
  made["size_bytes"] = options.size;
  made["engine"] = request.engine;
  for (const ClassSpec& spec : options.classes) made["classes"].push_back(spec.unit_bytes);
  set_bytes(made, "table", common.table, false);
  print_line(common.json ? made.dump()
                         : fmt::format("made {}: {}, table {}, engine {}", common.pool,
                                       human_bytes(options.size), in_quotes(common.table), request.engine));
  return Exit::ok;
}

}  // namespace

void add_create(CLI::App& app, Task& task) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand("create", "Make a pool; fails if the file is there");
  add_pool_options(*command, request->common);
  command->add_option("--table", request->common.table, "A table to make beside the default one")
      ->type_name("NAME");
  command->add_option("--engine", request->engine, "Engine of the tables: hash, or dram (volatile)")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--size", request->size, "Bytes, or with K M G T, KiB MiB GiB TiB, KB MB GB TB")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--max-size", request->max_size, "The pool grows no larger than that; 0: no bound")
      ->type_name("SIZE")
      ->capture_default_str();
  command
      ->add_option("--class", request->classes.units,
                   "A further allocation class: unit size in bytes; may be repeated")
      ->type_name("BYTES[:ALIGN]")
      ->allow_extra_args(false);
  add_record_option(*command, request->classes);
  command->callback([&task, request] { task = [request] { return run(*request); }; });
}

void add_version(CLI::App& app, Task& task) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("version", "Print the version of the library");
  command->add_flag("--json", *json, "Machine-readable output");
  command->callback([&task, json] {
    task = [json] {
      print_line(*json ? Json{{"version", version()}}.dump() : fmt::format("nacre {}", version()));
      return Exit::ok;
    };
  });
}

}  // namespace nacre::tools
