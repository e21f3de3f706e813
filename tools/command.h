// What every subcommand shares: options, the open pool, statuses as failures, output in two forms.
//
// A subcommand is a file cmd_*.cpp with one add_...() for each command: it declares options and leaves a
// Task. main() runs the Task after parsing, so that a parse error never leaves a pool half used.
#pragma once

#include <CLI/CLI.hpp>
#include <nacre/nacre.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/failure.h"
#include "tools/stream.h"

namespace nacre::tools {

using Json = nlohmann::ordered_json;
using Task = std::function<Exit()>;

void add_create(CLI::App& app, Task& task);
void add_put(CLI::App& app, Task& task);
void add_get(CLI::App& app, Task& task);
void add_del(CLI::App& app, Task& task);
void add_exists(CLI::App& app, Task& task);
void add_count(CLI::App& app, Task& task);
void add_scan(CLI::App& app, Task& task);
void add_load(CLI::App& app, Task& task);
void add_dump(CLI::App& app, Task& task);
void add_info(CLI::App& app, Task& task);
void add_stats(CLI::App& app, Task& task);
void add_check(CLI::App& app, Task& task);
void add_shrink(CLI::App& app, Task& task);
void add_class(CLI::App& app, Task& task);
void add_class_suggest(CLI::App& group, Task& task);  // of add_class
void add_version(CLI::App& app, Task& task);

/// The options of (nearly) every command.
struct Common {
  std::string pool;
  std::string table = "default";
  std::string medium = "auto";
  bool json = false;
  bool hex = false;
};

/// Declares POOL, --json and --medium.
void add_pool_options(CLI::App& command, Common& common);
/// Declares --table and --hex as well.
void add_table_options(CLI::App& command, Common& common);

/// Bytes that come as an argument or from a file. CLI11's own strings cannot tell "" from absent: count()
/// can.
struct BytesArgument {
  std::string text;
  std::string file;
  CLI::Option* text_option = nullptr;
  CLI::Option* file_option = nullptr;
};
void add_key(CLI::App& command, BytesArgument& key);
/// The bytes; with `hex` the text is hexadecimal (a file never is). Failure(usage) if there are none or two.
std::string resolve(const BytesArgument& argument, const char* what, bool hex);
/// `text` as bytes: itself, or decoded when `hex`. Failure(usage) names `what`.
std::string argument_bytes(const std::string& text, const char* what, bool hex);

Exit exit_of(Code code) noexcept;
/// The failure of an operation on `object`.
Failure failure_of(const Status& status, const std::string& object);
/// Throws failure_of() unless ok.
void require(const Status& status, const std::string& object);
template <class T>
T require(Result<T> result, const std::string& object) {
  require(result.status(), object);
  return std::move(*result);
}

enum class Access { read, write };

/// An open pool and one of its tables. The end closes; close() also reports.
class Session {
 public:
  /// Opens the pool. Failure(io, corruption, incompatible, locked).
  Session(const Common& common, Access access);
  /// A new pool in memory, for what only asks about new pools.
  static Session in_memory(const Common& common, uint64_t size_bytes);
  Db& db() noexcept { return db_; }
  /// The table of --table. Access::write makes it when it is not there, with the engine of the default table.
  Table& table();
  std::string table_name() const;
  void close();

 private:
  Session(const Common& common, Access access, const Options& options, const std::string& path);
  Engine default_engine();

  const Common& common_;
  Access access_;
  Db db_;
  std::optional<Table> table_;
};

/// "hash" -> Engine::hash. Failure(usage) lists the engines there are.
Engine parse_engine(const std::string& name);

/// Sets object[name], or object[name_hex] if `bytes` are not UTF-8 or `hex` is set.
void set_bytes(Json& object, const std::string& name, std::string_view bytes, bool hex);
/// `bytes` for one field of a line: escaped or hexadecimal.
std::string field(std::string_view bytes, bool hex);
/// Writes one line to standard output and makes sure that it went out.
void print_line(std::string_view line);

/// Refuses an output path that is the pool itself, which opening it would empty.
void refuse_pool_as_output(const std::string& path, const Common& common, const char* option);

}  // namespace nacre::tools
