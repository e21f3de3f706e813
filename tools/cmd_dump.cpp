// nacre dump: one table as a file that load takes back.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "tools/command.h"
#include "tools/dump_format.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

struct Request {
  Common common;
  std::string file = "-";
};

/// A file that appears under its name only when it is whole and on its medium. What is not a plain file (a
/// pipe, a device, a link) is written as it is.
class WholeFile {
 public:
  explicit WholeFile(const std::string& path)
      : path_(path), written_(in_place(path) ? path : path + ".partial"), out_(Output::file(written_)) {}
  ~WholeFile() {
    if (!published_ && written_ != path_) static_cast<void>(std::remove(written_.c_str()));
  }
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  Output& out() noexcept { return out_; }
  void publish() {
    out_.sync();
    out_.finish();
    if (written_ != path_ && std::rename(written_.c_str(), path_.c_str()) != 0) {
      throw Failure(Exit::io,
                    fmt::format("{}: cannot rename it to {}: {}", written_, path_, std::strerror(errno)));
    }
    published_ = true;
  }

 private:
  static bool in_place(const std::string& path) {
    struct stat info = {};
    return path == "-" || (::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode));
  }

  std::string path_;
  std::string written_;
  Output out_;
  bool published_ = false;
};

std::string engine_of_table(Session& session, const Common& common) {
  for (const TableInfo& row : require(session.db().tables(), common.pool)) {
    if (row.name == common.table) return row.engine;
  }
  return "";
}

void dump_table(Session& session, DumpWriter& dump) {
  Iterator pairs = require(session.table().iterator(), session.table_name());
  Status status;
  while ((status = pairs.next()).ok()) dump.add(pairs.key(), pairs.value());
  if (status != Code::not_found) require(status, session.table_name());  // no trailer: it is not whole
  dump.finish();
}

Exit run(const Request& request) {
  const Common& common = request.common;
  if (common.json && request.file == "-") {
    throw Failure(Exit::usage, "--json and the dump both want standard output: name a FILE");
  }
  refuse_pool_as_output(request.file, common, "FILE");
  Session session(common, Access::read);
  session.table();  // before the file is made
  WholeFile file(request.file);
  DumpWriter dump(file.out(), common.table, engine_of_table(session, common));
  dump_table(session, dump);
  file.publish();
  if (request.file == "-") return Exit::ok;
  Json object{{"pairs", dump.records()}, {"bytes", dump.bytes()}};
  set_bytes(object, "file", request.file, false);
  print_line(common.json ? object.dump()
                         : fmt::format("dumped {} pairs to {}, {}", dump.records(), request.file,
                                       human_bytes(dump.bytes())));
  return Exit::ok;
}

}  // namespace

void add_dump(CLI::App& app, Task& task) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand("dump", "Write a table to a file with a checksum, for load");
  add_pool_options(*command, request->common);
  command->add_option("--table", request->common.table, "The table")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("FILE", request->file, "Where to (default: standard output)");
  command->callback([&task, request] { task = [request] { return run(*request); }; });
}

}  // namespace nacre::tools
