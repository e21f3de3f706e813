// The database around its tables: catalogue, open and its errors, full pools, read-only handles, figures.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "alloc/guarded_line.h"
#include "alloc/superblock_layout.h"
#include "tests/support/db_fixture.h"
#include "tests/support/files.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

namespace files = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (files::temp_directory_path() / "nacre-engine-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { files::remove_all(path_); }
  Folder(const Folder&) = delete;
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  files::path path_;
};

Options file_options(uint64_t size_bytes = 0) {
  Options o;
  o.medium = MediumChoice::dax;
  o.create_if_missing = size_bytes != 0;
  o.size_bytes = size_bytes;
  o.identity_seed = 42;
  return o;
}

Status open_status(const std::string& path, const Options& o = file_options()) {
  return Db::open(path.c_str(), o).status();
}

std::set<std::string> table_names(Db& db) {
  std::set<std::string> names;
  const auto infos = db.tables();
  REQUIRE(infos.has_value());
  for (const TableInfo& t : *infos) REQUIRE(names.insert(t.name).second);
  return names;
}

}  // namespace

TEST_CASE("tables: made, listed, dropped, made again, with contents of their own, over reopening") {
  const alloc::Geometry g = shrunk_geometry();
  const ImagePtr image = make_image(2 << 20);
  auto db = make_db(image, {.geometry = &g});
  REQUIRE(db->table("a", std::nullopt).status() == Code::not_found);
  for (const char* name : {"a", "b", "default"}) {
    auto table = db->table(name, EngineKind::hash);
    REQUIRE(table.has_value());
    for (int i = 0; i < 200; ++i) REQUIRE((*table)->put(std::to_string(i), name).ok());
  }
  REQUIRE(table_names(*db) == std::set<std::string>{"a", "b", "default"});
  REQUIRE(*db->table("a", std::nullopt) == *db->table("a", EngineKind::hash));
  REQUIRE(unsound(*db, 600).empty());
  const auto dropped = *db->table("a", std::nullopt);
  REQUIRE(db->drop_table("a").ok());
  REQUIRE(db->drop_table("a") == Code::not_found);
  REQUIRE(db->drop_table("default") == Code::invalid_argument);
  REQUIRE(dropped->put("x", "y") == Code::bad_handle);
  REQUIRE(dropped->get("1", [](std::string_view) {}) == Code::bad_handle);
  REQUIRE(dropped->remove("1") == Code::bad_handle);
  REQUIRE(dropped->count().status() == Code::bad_handle);
  REQUIRE(dropped->clear() == Code::bad_handle);
  REQUIRE(dropped->scan([](std::string_view, std::string_view) { return true; }) == Code::bad_handle);
  REQUIRE(dropped->cursor().status() == Code::bad_handle);
  REQUIRE(unsound(*db, 400).empty());
  const auto again = db->table("a", EngineKind::hash);
  REQUIRE(again.has_value());
  REQUIRE(count_of(**again) == 0);
  REQUIRE((*again)->put("1", "anew").ok());
  for (const bool clean : {true, false}) {
    const ImagePtr copy = image->clone();
    if (clean) REQUIRE(db->close().ok());
    auto next = open_db(clean ? image : copy);
    REQUIRE(table_names(*next) == std::set<std::string>{"a", "b", "default"});
    REQUIRE(value_of(**next->table("a", std::nullopt), "1") == "anew");
    REQUIRE(count_of(**next->table("a", std::nullopt)) == 1);
    REQUIRE(count_of(**next->table("b", std::nullopt)) == 200);
    REQUIRE(unsound(*next, 401).empty());
    if (clean) db = std::move(next);
  }
}

TEST_CASE("a name has 1 to 255 bytes, any bytes; the engine must fit the one the table has") {
  const auto db = make_db(make_image(4 << 20));
  REQUIRE(db->table("", EngineKind::hash).status() == Code::invalid_argument);
  REQUIRE(db->table(std::string(256, 'n'), EngineKind::hash).status() == Code::invalid_argument);
  const std::string odd("\0\xff\n\x80", 4);
  for (const std::string& name : {std::string(255, 'n'), std::string(254, 'n'), odd, std::string("\0", 1)})
    REQUIRE(db->table(name, EngineKind::hash).has_value());
  REQUIRE(table_names(*db).size() == 5);
  REQUIRE(db->table(odd, EngineKind::dram).status() == Code::invalid_argument);
  REQUIRE(db->table("d", EngineKind::dram).has_value());
  REQUIRE(db->table("d", EngineKind::hash).status() == Code::invalid_argument);
  REQUIRE(db->table("d", EngineKind::dram).has_value());
  REQUIRE(db->drop_table("d").ok());
  REQUIRE(db->table("d", EngineKind::hash).has_value());
  REQUIRE(unsound(*db, 0).empty());
}

TEST_CASE("many tables: the catalogue grows by nodes, and their lines are used again") {
  const alloc::Geometry g = shrunk_geometry();  // three tables a node
  const ImagePtr image = make_image(2 << 20);
  auto db = make_db(image, {.geometry = &g});
  constexpr int kTables = 60;
  for (int i = 0; i < kTables; ++i) {
    auto table = db->table("t" + std::to_string(i), EngineKind::hash);
    REQUIRE(table.has_value());
    for (int k = 0; k <= i; ++k) REQUIRE((*table)->put(std::to_string(k), std::to_string(i)).ok());
  }
  REQUIRE(unsound(*db).empty());
  for (int i = 0; i < kTables; i += 2) REQUIRE(db->drop_table("t" + std::to_string(i)).ok());
  const uint64_t nodes_before = figure(db->check(), "live_units");
  for (int i = 0; i < kTables; i += 2)
    REQUIRE(db->table("u" + std::to_string(i), EngineKind::hash).has_value());
  REQUIRE(figure(db->check(), "live_units") == nodes_before + kTables);  // a segment and a name each, no node
  REQUIRE(db->close().ok());
  db = open_db(image);
  REQUIRE(table_names(*db).size() == kTables + 1);
  for (int i = 1; i < kTables; i += 2) {
    const auto table = *db->table("t" + std::to_string(i), std::nullopt);
    REQUIRE(count_of(*table) == static_cast<uint64_t>(i) + 1);
    REQUIRE(value_of(*table, "0") == std::to_string(i));
  }
  REQUIRE(unsound(*db).empty());
}

TEST_CASE("clear empties a table at once and for good, again and again, and gives its space back") {
  const alloc::Geometry g = shrunk_geometry();
  for (const bool one_fence : {false, true}) {
    const ImagePtr image = make_image(1 << 20);
    auto db = make_db(image, {.one_fence = one_fence, .geometry = &g});
    const auto table = db->default_table();
    for (int round = 0; round < 20; ++round) {  // 20 x 100 KB in 1 MiB
      for (int i = 0; i < 500; ++i) REQUIRE(table->put(std::to_string(i), std::string(150, 'v')).ok());
      REQUIRE(table->clear().ok());
      REQUIRE(count_of(*table) == 0);
      REQUIRE(value_of(*table, "1") == "<not_found>");
      REQUIRE(unsound(*db, 0).empty());
    }
    REQUIRE(table->put("a", "1").ok());
    const ImagePtr crashed = image->clone();
    const auto after = open_db(crashed, {.one_fence = one_fence});
    REQUIRE(count_of(*after->default_table()) == 1);
    REQUIRE(unsound(*after, 1).empty());
  }
}

TEST_CASE(
    "count is right after a clean close, after a crash, and after a crash that followed a clean close") {
  const alloc::Geometry g = shrunk_geometry();
  ImagePtr image = make_image(2 << 20);
  auto db = make_db(image, {.geometry = &g});
  uint64_t n = 0;
  for (int session = 0; session < 6; ++session) {
    for (int i = 0; i < 100; ++i) REQUIRE(db->default_table()->put(std::to_string(n++), "v").ok());
    if (session != 3) REQUIRE(count_of(*db->default_table()) == n);
    if (session % 2 == 0) {
      REQUIRE(db->close().ok());
    } else {
      image = image->clone();
    }
    db = open_db(image);
    REQUIRE(figure(db->info(), "dirty_shutdowns") == static_cast<uint64_t>(session + 1) / 2);
    if (session != 4) REQUIRE(count_of(*db->default_table()) == n);
  }
  REQUIRE(unsound(*db, static_cast<int64_t>(n)).empty());
}

TEST_CASE(
    "a full pool says out_of_space, stays sound, and takes puts again after removes, also after reopening") {
  const alloc::Geometry g = shrunk_geometry();
  for (const bool one_fence : {false, true}) {
    const ImagePtr image = make_image(512 * 1024);
    auto db = make_db(image, {.one_fence = one_fence, .geometry = &g});
    std::map<std::string, std::string> model;
    Random random(7);
    for (int round = 0; round < 4; ++round) {
      const auto table = db->default_table();
      Status s;
      for (int i = 0;; ++i) {
        const std::string key = std::to_string(round) + "." + std::to_string(i);
        const std::string value = random.bytes(random.below(300));
        s = table->put(key, value);
        if (!s.ok()) break;
        model[key] = value;
      }
      REQUIRE(s == Code::out_of_space);
      REQUIRE(model.size() > 500);
      REQUIRE(unsound(*db, static_cast<int64_t>(model.size())).empty());
      uint64_t wrong = 0;
      for (const auto& [k, v] : model) wrong += value_of(*table, k) != v;
      REQUIRE(wrong == 0);
      for (auto it = model.begin(); it != model.end();) {
        if (random.one_in(3)) {
          ++it;
          continue;
        }
        REQUIRE(table->remove(it->first).ok());
        it = model.erase(it);
      }
      for (int i = 0; i < 50; ++i) {
        REQUIRE(table->put("back" + std::to_string(i), "v").ok());
        model["back" + std::to_string(i)] = "v";
      }
      REQUIRE(unsound(*db, static_cast<int64_t>(model.size())).empty());
      REQUIRE(db->close().ok());
      db = open_db(image, {.one_fence = one_fence});
      wrong = 0;
      for (const auto& [k, v] : model) wrong += value_of(*db->default_table(), k) != v;
      REQUIRE(wrong == 0);
    }
  }
}

TEST_CASE(
    "a read-only handle reads everything, refuses to write, and no byte of the file changes; a crashed copy "
    "too") {
  const Folder folder;
  const std::string clean = folder / "clean", crashed = folder / "crashed";
  {
    auto db = Db::open(clean.c_str(), file_options(2 << 20));
    REQUIRE(db.has_value());
    for (int i = 0; i < 300; ++i)
      REQUIRE((*db)->default_table()->put(std::to_string(i), std::to_string(i)).ok());
    write_file(crashed, read_file(clean));
    REQUIRE((*db)->close().ok());
  }
  for (const std::string& path : {clean, crashed}) {
    const std::string before = read_file(path);
    Options o = file_options();
    o.read_only = true;
    {
      auto db = Db::open(path.c_str(), o);
      REQUIRE(db.has_value());
      auto second = Db::open(path.c_str(), o);  // readers share
      REQUIRE(second.has_value());
      REQUIRE((*db)->read_only());
      const auto table = (*db)->default_table();
      for (int i = 0; i < 300; ++i) REQUIRE(value_of(*table, std::to_string(i)) == std::to_string(i));
      REQUIRE(count_of(*table) == 300);
      REQUIRE(table->put("a", "b") == Code::read_only);
      REQUIRE(table->remove("1") == Code::read_only);
      REQUIRE(table->clear() == Code::read_only);
      REQUIRE((*db)->table("new", EngineKind::hash).status() == Code::read_only);
      REQUIRE((*db)->drop_table("new") == Code::not_found);
      REQUIRE(unsound(**db, 300).empty());
      REQUIRE((*db)->close().ok());
    }
    const bool unchanged = read_file(path) == before;
    REQUIRE(unchanged);
  }
}

TEST_CASE("what is no pool is refused with its own code") {
  const Folder folder;
  const std::string path = folder / "pool";
  REQUIRE(open_status(folder / "absent") == Code::not_found);
  REQUIRE(open_status(folder / "") != Code::ok);
  write_file(path, "");
  REQUIRE(open_status(path) == Code::not_a_pool);
  write_file(path, std::string(1 << 20, 'x'));
  REQUIRE(open_status(path) == Code::not_a_pool);
  write_file(path, std::string(1 << 20, '\0'));
  REQUIRE(open_status(path) == Code::not_a_pool);
  files::remove(path);
  Options small = file_options(1 << 20);
  small.size_bytes = 4096;
  REQUIRE(open_status(path, small) == Code::invalid_argument);
  REQUIRE_FALSE(files::exists(path));
  Options both = file_options(1 << 20);
  both.read_only = true;
  REQUIRE(open_status(path, both) == Code::not_found);  // read-only never makes a pool
  REQUIRE_FALSE(files::exists(path));
  both.error_if_exists = true;
  REQUIRE(open_status(path, both) == Code::invalid_argument);
  {
    auto db = Db::open(path.c_str(), file_options(1 << 20));
    REQUIRE(db.has_value());
    REQUIRE(open_status(path) == Code::locked);
    Options reader = file_options();
    reader.read_only = true;
    REQUIRE(open_status(path, reader) == Code::locked);
  }
  Options fresh = file_options(1 << 20);
  fresh.error_if_exists = true;
  REQUIRE(open_status(path, fresh) == Code::exists);
  REQUIRE(open_status(path).ok());
  const std::string good = read_file(path);
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{4095}, size_t{4096}, size_t{8192}, size_t{12288},
                             good.size() / 2, good.size() - 4096, good.size() - 1}) {
    write_file(path, good.substr(0, bytes));
    const Status s = open_status(path);
    INFO("truncated to " << bytes << ": " << s.name());
    REQUIRE((s == Code::corruption || s == Code::not_a_pool));
    REQUIRE(files::file_size(path) == bytes);
  }
}

// The lanes are recovered, and written, before the size in the roots line is looked at.
TEST_CASE("a file that lost its end is not written to by the open that refuses it") {
  const Folder folder;
  const std::string path = folder / "pool";
  REQUIRE(open_status(path, file_options(1 << 20)).ok());
  const std::string cut = read_file(path).substr(0, 512 * 1024);
  write_file(path, cut);
  REQUIRE(open_status(path) == Code::corruption);
  const bool unchanged = read_file(path) == cut;
  REQUIRE(unchanged);
}

TEST_CASE("every page zeroed, one at a time: detected or harmless, never a crash, never another value") {
  const alloc::Geometry g = shrunk_geometry();
  const ImagePtr good = make_image(256 * 1024);
  std::map<std::string, std::string> model;
  {
    const auto db = make_db(good, {.geometry = &g});
    Random random(3);
    for (int i = 0; i < 600; ++i) {
      const std::string key = std::to_string(i), value = random.bytes(100);
      REQUIRE(db->default_table()->put(key, value).ok());
      model[key] = value;
    }
    REQUIRE(db->table("second", EngineKind::hash).has_value());
    REQUIRE(db->close().ok());
  }
  uint64_t at_open = 0, at_read = 0, at_check = 0, harmless = 0, wrong = 0;
  const ImagePtr bad = make_image(good->size_bytes());
  for (const uint64_t piece : {uint64_t{4096}, uint64_t{512}})
    for (uint64_t off = 0; off < good->size_bytes(); off += piece) {
      bad->assign(*good);
      std::memset(bad->data() + off, 0, piece);
      const bool changed = !bad->same_as(*good);
      auto db = try_open(bad);
      if (!db.has_value()) {
        REQUIRE((db.status() == Code::corruption || db.status() == Code::not_a_pool));
        ++at_open;
        continue;
      }
      bool detected = false;
      for (const auto& [key, value] : model) {
        std::string seen;
        const Status s = (*db)->default_table()->get(key, [&](std::string_view v) { seen = v; });
        detected |= s == Code::corruption;
        wrong += !(s == Code::corruption) && (!s.ok() || seen != value);
      }
      const Status scanned = (*db)->default_table()->scan([&](std::string_view k, std::string_view v) {
        const auto it = model.find(std::string(k));
        wrong += it == model.end() || it->second != v;
        return true;
      });
      detected |= !scanned.ok();
      const bool problem = !unsound(**db).empty();
      REQUIRE((!detected || problem));  // what reading finds, check finds
      ++(detected ? at_read : problem ? at_check : harmless);
      if (!changed) REQUIRE_FALSE(problem);
    }
  INFO("open " << at_open << ", read " << at_read << ", check " << at_check << ", harmless " << harmless);
  REQUIRE(wrong == 0);
  REQUIRE(at_open > 0);
  REQUIRE(at_read > 0);
}

TEST_CASE("another version, unknown incompat and ro_compat bits, through Db") {
  const ImagePtr good = make_image(1 << 20);
  REQUIRE(make_db(good)->close().ok());
  const auto with = [&](uint32_t word, uint64_t value) {
    const ImagePtr image = good->clone();
    for (uint64_t copy : {alloc::kSuperblockAOff, alloc::kSuperblockBOff}) {
      auto* line = image->at<alloc::GuardedLine>(copy);
      line->words[word] = value;
      line->guard = alloc::make_guard(0, copy, line->words, 1);
    }
    return image;
  };
  for (const bool read_only : {false, true}) {
    REQUIRE(try_open(with(alloc::kVersionWord, 2), {.read_only = read_only}).status() == Code::incompatible);
    REQUIRE(try_open(with(alloc::kIncompatWord, 4), {.read_only = read_only}).status() == Code::incompatible);
    REQUIRE(try_open(with(alloc::kCompatWord, 4), {.read_only = read_only}).has_value());
  }
  REQUIRE(try_open(with(alloc::kRoCompatWord, 4)).status() == Code::incompatible);
  REQUIRE(try_open(with(alloc::kRoCompatWord, 4), {.read_only = true}).has_value());
}

TEST_CASE("engine shapes of any content with a good check are refused or survived") {
  const ImagePtr good = make_image(1 << 20);
  REQUIRE(make_db(good)->close().ok());
  Random random(9);
  for (int i = 0; i < 300; ++i) {
    const ImagePtr image = good->clone();
    const uint64_t word = i == 0 ? 0 : random.next() >> random.below(64);
    for (uint64_t copy : {alloc::kSuperblockAOff, alloc::kSuperblockBOff}) {
      auto* line = image->at<alloc::GuardedLine>(copy + alloc::kGeometryLineOff);
      line->words[alloc::kClientWord] = word;
      line->guard = alloc::make_guard(0, copy + alloc::kGeometryLineOff, line->words, 1);
    }
    auto db = try_open(image);
    if (!db.has_value()) continue;
    (void)(*db)->default_table()->put("a", "b");
    (void)(*db)->check();
  }
}

TEST_CASE("stats, info and check carry their figures") {
  const auto db = make_db(make_image(4 << 20));
  for (int i = 0; i < 10; ++i) REQUIRE(db->default_table()->put(std::to_string(i), "v").ok());
  const auto stats = db->stats();
  for (const char* name :
       {"fences", "flushed_lines", "flushed_bytes", "commits", "strict_commits", "log_cells", "lane_wraps",
        "epoch_advances", "retire_advances", "recovered_records", "recovered_lines"}) {
    INFO(name);
    REQUIRE(figure(stats, name) != ~uint64_t{0});
  }
  REQUIRE(figure(stats, "commits") >= 10);
  const auto info = db->info();
  for (const char* name : {"format_version", "pool_bytes", "chunk_bytes", "lanes", "lane_cells",
                           "segment_bytes", "largest_unit_bytes", "largest_record_bytes", "zones",
                           "extents", "extent_bytes", "metadata_bytes", "chunks", "free_chunks",
                           "used_bytes", "live_unit_bytes", "dirty_shutdowns", "table.default.count"}) {
    INFO(name);
    REQUIRE(figure(info, name) != ~uint64_t{0});
  }
  REQUIRE(figure(info, "table.default.count") == 10);
  REQUIRE(figure(info, "pool_bytes") == 4 << 20);
  std::set<std::string> texts;
  for (const Figure& f : *info)
    if (!f.text.empty()) texts.insert(f.name);
  for (const char* name : {"identity", "medium", "medium_forced", "flush", "commit_form", "last_shutdown",
                           "table.default.engine"})
    REQUIRE(texts.contains(name));
  REQUIRE(figure(db->check(), "keys") == 10);
}
