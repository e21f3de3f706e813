// nacre: one command with subcommands over libnacre. This file parses, runs and turns every ending into an
// exit code; what each command does is in cmd_*.cpp.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "tools/command.h"
#include "tools/text.h"

namespace {

using namespace nacre::tools;

constexpr const char* kFooter =
    R"(Exit codes:
  0  done; the answer is yes
  1  the answer is no: key not found, exists = no
  2  wrong request, or wrong text in the input of load
  3  cannot open, read or write: no such pool or table, not a pool, pool there already, out of space
  4  corruption: damaged bytes in a pool or a dump
  5  incompatible: made by another format version
  6  locked: open in another process

Errors go to standard error as "nacre: <text>". Arguments that begin with '-' come after "--".
Escapes in output and TSV: \\ \t \n and \xNN. NACRE_MEDIUM decides what --medium auto is.
`nacre COMMAND --help` describes a command.)";

void describe(CLI::App& app, Task& task) {
  app.require_subcommand(1);
  app.set_version_flag("--version", [] { return fmt::format("nacre {}", nacre::version()); });
  app.footer(kFooter);
  add_create(app, task);
  add_put(app, task);
  add_get(app, task);
  add_del(app, task);
  add_exists(app, task);
  add_count(app, task);
  add_scan(app, task);
  add_load(app, task);
  add_dump(app, task);
  add_info(app, task);
  add_stats(app, task);
  add_check(app, task);
  add_class(app, task);
  add_shrink(app, task);
  add_version(app, task);
}

Exit report(Exit exit, const std::string& text) {
  std::fprintf(stderr, "nacre: %s\n", text.c_str());
  return exit;
}

/// CLI11 calls a command it does not know an absent one.
std::string parse_error_text(CLI::App& app, int argc, char** argv, const CLI::ParseError& error) {
  const std::string first = argc > 1 ? argv[1] : "";
  const auto named = app.get_subcommands([&](const CLI::App* command) { return command->check_name(first); });
  const bool is_unknown = argc > 1 && !first.starts_with('-') && named.empty();
  return is_unknown ? fmt::format("unknown command {}", in_quotes(first)) : error.what();
}

/// The help of the innermost command that was named.
std::string help_text(const CLI::App& app) {
  const CLI::App* shown = &app;
  std::string before;
  for (auto used = app.get_subcommands(); !used.empty(); used = shown->get_subcommands()) {
    before += (before.empty() ? "" : " ") + shown->get_name();
    shown = used.front();
  }
  return shown->help(before);
}

Exit parse_and_run(int argc, char** argv) {
  CLI::App app("Nacre: an embedded, persistent key-value store", "nacre");
  Task task;
  describe(app, task);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    print_line(version.what());
    return Exit::ok;
  } catch (const CLI::CallForHelp&) {
    Output out = Output::standard();
    out.write(help_text(app));
    out.finish();
    return Exit::ok;
  } catch (const CLI::ParseError& error) {
    return report(Exit::usage,
                  fmt::format("{} (see nacre --help)", parse_error_text(app, argc, argv, error)));
  }
  return task();
}

Exit run(int argc, char** argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const Failure& failure) {
    return report(failure.exit(), failure.what());
  } catch (const std::bad_alloc&) {
    return report(Exit::io, "out of memory");
  } catch (const std::exception& error) {
    return report(Exit::io, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away is an error of write(), so that the pool is closed before we end; then we end as
  // every filter does, by the signal.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return static_cast<int>(run(argc, argv));
  } catch (const ClosedPipe&) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
    return static_cast<int>(Exit::io);
  }
}
