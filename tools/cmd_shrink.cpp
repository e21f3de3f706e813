// nacre shrink: gives the empty end of a pool back to its file system.
#include <fmt/format.h>

#include <memory>

#include "tools/command.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

uint64_t pool_bytes(const Db& db, const std::string& pool) {
  for (const Figure& figure : require(db.info(), pool))
    if (figure.name == "pool_bytes") return figure.value;
  return 0;
}

Exit run(const Common& common) {
  Session session(common, Access::write);
  const uint64_t before = pool_bytes(session.db(), common.pool);
  require(session.db().shrink(), common.pool);
  const uint64_t after = pool_bytes(session.db(), common.pool);
  session.close();
  Json done;
  set_bytes(done, "pool", common.pool, false);
  done["before_bytes"] = before;
  done["after_bytes"] = after;
  print_line(common.json ? done.dump()
                         : fmt::format("{}: {} before, {} now", common.pool, human_bytes(before), human_bytes(after)));
  return Exit::ok;
}

}  // namespace

void add_shrink(CLI::App& app, Task& task) {
  auto common = std::make_shared<Common>();
  CLI::App* command = app.add_subcommand("shrink", "Give the empty end of a pool back to its file system");
  add_pool_options(*command, *common);
  command->callback([&task, common] { task = [common] { return run(*common); }; });
}

}  // namespace nacre::tools
