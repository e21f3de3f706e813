#include "tests/crash/db_client.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "alloc/pool.h"
#include "engine/catalogue.h"
#include "engine/db.h"
#include "engine/shape.h"
#include "tests/crash/db_trials.h"
#include "tests/crash/pool_oracle.h"
#include "tests/crash/replay_text.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

using engine::Db;
using engine::EngineKind;
using engine::Figure;

std::vector<uint64_t> numbers(std::string_view op) {
  std::vector<uint64_t> n;
  const std::vector<std::string> parts = split(op, ':');
  for (size_t i = 1; i < parts.size(); ++i) n.push_back(std::stoull(parts[i]));
  return n;
}

std::string_view verb(std::string_view op) { return op.substr(0, op.find(':')); }

constexpr uint64_t kLongKey = 9000;

}  // namespace

// Key 0 is the empty key; every third key is long, so that keys of several classes occur; one takes several lines.
std::string key_text(uint64_t key) {
  if (key == 0) return {};
  std::string text = "key" + std::to_string(key);
  if (key % 3 == 0) text += "-and-some-more-bytes";
  if (key == kLongKey) text += ": " + std::string(200, 'k');
  return text;
}

std::string value_text(uint64_t bytes, uint64_t seed) {
  std::string text(bytes, '\0');
  for (uint64_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(mix64(seed + i / 8) >> i % 8 * 8);
  return text;
}

uint64_t value_hash(std::string_view value) {
  uint64_t hash = 1;
  for (char c : value) hash = mix64(hash ^ static_cast<uint8_t>(c)) + 0x9e3779b97f4a7c15ull;
  return hash | 1;
}

std::string table_name(uint64_t table) {
  if (table == 9) return "a table with a long name: " + std::string(80, 'n');  // more than a line
  return table == 0 ? std::string(engine::kDefaultTable) : "table" + std::to_string(table);
}

namespace {

using Content = std::map<std::string, std::map<std::string, std::string>>;

// The classes that operations may change are part of the content, as a table of this name: unit -> "live" or
// "retired"; an absent one is not listed.
const std::string kClassesTable = "(classes)";
constexpr uint32_t kClassUnits[] = {32, 176, 304, 1280};  // of which 32 and 176 are there in every pool

uint64_t fold(const Content& content) {
  uint64_t hash = 1;
  const auto add = [&](std::string_view s) {
    hash = mix64(hash ^ s.size()) + 0x9e3779b97f4a7c15ull;
    for (; !s.empty(); s.remove_prefix(std::min(s.size(), sizeof(uint64_t)))) {
      uint64_t word = 0;
      std::memcpy(&word, s.data(), std::min(s.size(), sizeof word));
      hash = mix64(hash ^ word) + 0x9e3779b97f4a7c15ull;
    }
  };
  for (const auto& [table, pairs] : content) {
    add(table);
    for (const auto& [key, value] : pairs) add(key), add(value);
  }
  return hash;
}

std::string describe(const Content& content) {
  std::string text;
  for (const auto& [table, pairs] : content) {
    text += "[" + table + "]";
    for (const auto& [key, value] : pairs)
      text += " " + key + ":" + std::to_string(value.size()) + "/" + std::to_string(fold({{"", {{"", value}}}}) % 1000);
    text += " ";
  }
  return text;
}

class DbModel final : public Model {
 public:
  DbModel() {
    content_[table_name(0)];
    content_[kClassesTable] = {{"176", "live"}, {"32", "live"}};
  }
  std::unique_ptr<Model> clone() const override { return std::make_unique<DbModel>(*this); }

  Code apply(std::string_view op) override {
    const std::string_view v = verb(op);
    if (v == "addclass" || v == "noclass") return change_class(v == "addclass", std::to_string(numbers(op)[0]));
    if (v == "saw") return has_value(numbers(op)) ? Code::ok : Code::internal;
    if (v != "put" && v != "del" && v != "clear" && v != "create" && v != "drop") return Code::ok;
    const std::vector<uint64_t> n = numbers(op);
    const std::string name = table_name(n[0]);
    if (v == "create") return content_[name], Code::ok;
    const auto table = content_.find(name);
    if (table == content_.end()) return Code::not_found;
    if (v == "put") table->second[key_text(n[1])] = value_text(n[2], n[3]);
    if (v == "del") return table->second.erase(key_text(n[1])) != 0 ? Code::ok : Code::not_found;
    if (v == "clear") table->second.clear();
    if (v == "drop") content_.erase(table);
    return Code::ok;
  }
  uint64_t fingerprint() const override { return fold(content_); }
  std::string text() const override { return describe(content_); }

 private:
  bool has_value(const std::vector<uint64_t>& n) const {
    const auto table = content_.find(table_name(n[0]));
    if (table == content_.end()) return n[2] == 0;
    const auto pair = table->second.find(key_text(n[1]));
    return pair == table->second.end() ? n[2] == 0 : n[2] == value_hash(pair->second);
  }
  Code change_class(bool live, const std::string& unit) {
    auto& classes = content_[kClassesTable];
    const auto it = classes.find(unit);
    const bool lives = it != classes.end() && it->second == "live";
    if (lives == live) return live ? Code::exists : Code::not_found;
    if (!live && it == classes.end()) return Code::not_found;
    classes[unit] = live ? "live" : "retired";
    return Code::ok;
  }

  Content content_;
};

class DbStore final : public Store {
 public:
  explicit DbStore(std::unique_ptr<Db> db) : db_(std::move(db)) {}
  ~DbStore() override { db_->abandon(); }

  Status apply(std::string_view op) override {
    alloc::Pool::prefer_lane(lane_);
    const std::string_view v = verb(op);
    if (v == "lane") return lane_ = static_cast<int>(numbers(op)[0]), Code::ok;
    if (v == "epoch" || v == "retire") return db_->pool().advance(v == "retire"), Code::ok;
    if (v == "reclaim") return db_->pool().reclaim(), Code::ok;
    if (v == "shrink") return db_->shrink();
    if (v == "try") return trial(op);
    const std::vector<uint64_t> n = numbers(op);
    if (v == "addclass") return db_->add_class({static_cast<uint32_t>(n[0])});
    if (v == "noclass") return db_->retire_class(static_cast<uint32_t>(n[0]));
    if (v == "drop") return db_->drop_table(table_name(n[0]));
    auto table = db_->table(table_name(n[0]), v == "create" ? std::optional(EngineKind::hash) : std::nullopt);
    if (!table) return table.status();
    if (v == "create") return Code::ok;
    if (v == "put") return (*table)->put(key_text(n[1]), value_text(n[2], n[3]));
    if (v == "del") return (*table)->remove(key_text(n[1]));
    if (v == "clear") return (*table)->clear();
    return Code::invalid_argument;
  }

  Observation check() override {
    Observation seen;
    const auto figures = db_->check();
    if (!figures) return seen.problem = figures.status().message(), seen;
    for (const Figure& f : *figures) {
      if (f.name == "leaked_bytes") seen.leaked_bytes = f.value;
      if (f.name == "problem" && seen.problem.empty()) seen.problem = f.text;
    }
    if (seen.problem.empty()) seen.problem = pool_trouble(db_->pool());
    if (seen.problem.empty()) seen.problem = drop_trouble();
    Content content;
    if (const std::string trouble = dump(&content); !trouble.empty() && seen.problem.empty()) seen.problem = trouble;
    seen.fingerprint = fold(content);
    return seen;
  }

  std::string text() override {
    Content content;
    const std::string trouble = dump(&content);
    return describe(content) + trouble;
  }
  Status close() override {
    alloc::Pool::prefer_lane(lane_);
    return db_->close();
  }
  Db& db() noexcept { return *db_; }

 private:
  Status trial(std::string_view op) {
    const std::vector<std::string> words = split(op, ':');
    NACRE_ASSIGN(const auto table, db_->table(table_name(std::stoull(words[2])), std::nullopt));
    return damage_is_seen(*db_, *table, words[1], key_text(std::stoull(words[3])));
  }

  // A drop ends in its own call, and one that a crash cut short in the next open.
  std::string drop_trouble() {
    engine::Catalogue catalogue(db_->pool(), engine::Shape::decode(db_->pool().layout().geometry.client));
    const auto entries = catalogue.list();
    if (!entries) return entries.status().message();
    for (const engine::TableEntry& e : *entries)
      if (e.state == engine::TableState::dropping) return "a drop was not brought to its end";
    return {};
  }

  // All tables by scan, each key by look-up as well, and the counts.
  std::string dump(Content* content) {
    const auto tables = db_->tables();
    if (!tables) return tables.status().message();
    for (const engine::TableInfo& info : *tables) {
      auto table = db_->table(info.name, std::nullopt);
      if (!table) return table.status().message();
      auto& pairs = (*content)[info.name];
      uint64_t seen = 0;
      const Status s = (*table)->scan([&](std::string_view key, std::string_view value) {
        ++seen;
        pairs[std::string(key)] = value;
        return true;
      });
      if (!s.ok()) return s.message();
      if (seen != pairs.size()) return "a key is seen twice in a scan";
      for (const auto& [key, value] : pairs) {
        bool same = false;
        const std::string_view want = value;
        if (!(*table)->get(key, [&](std::string_view v) { same = v == want; }).ok() || !same)
          return "get does not find what the scan saw: " + key;
      }
      const auto count = (*table)->count();
      if (!count || *count != pairs.size()) return "count does not agree with the scan";
    }
    return dump_classes((*content)[kClassesTable]);
  }

  std::string dump_classes(std::map<std::string, std::string>& states) {
    const auto classes = db_->classes();
    if (!classes) return classes.status().message();
    for (const engine::ClassInfo& c : *classes)
      for (const uint32_t unit : kClassUnits)
        if (c.unit_bytes == unit) states[std::to_string(unit)] = c.retired ? "retired" : "live";
    return {};
  }

  std::unique_ptr<Db> db_;
  int lane_ = 0;
};

class DbClient final : public Client {
 public:
  explicit DbClient(const Config& config) {
    const auto number = [&](const char* key, const char* otherwise) {
      return static_cast<uint32_t>(std::stoull(std::string(config_value(config, key, otherwise))));
    };
    size_bytes_ = number("size", "65536");
    geometry_.chunk_bytes = number("chunk", "4096");
    geometry_.lane_count = number("lanes", "2");
    geometry_.lane_cells = number("cells", "32");
    geometry_.client =
        engine::Shape{number("segment", "4"), number("stash", "1"), number("dirbits", "1"), number("skip", "1")}
            .encode();
    options_.one_fence = config_value(config, "form", "strict") == "one";
    options_.geometry = &geometry_;
    options_.identity_seed = 7;
    options_.grow_helper = false;  // growth happens in the operation that needs it: a run is the same each time
    options_.grow_step_bytes = number("step", "8192");
    max_bytes_ = std::max<uint64_t>(size_bytes_, number("max", "0"));
  }

  uint64_t pool_bytes() const override { return size_bytes_; }
  uint64_t max_bytes() const override { return max_bytes_; }
  std::unique_ptr<Model> empty_model() const override { return std::make_unique<DbModel>(); }

  Status format(std::unique_ptr<pmem::Domain> domain) override {
    alloc::Pool::prefer_lane(0);  // what an earlier run preferred must not make this one unrepeatable
    NACRE_ASSIGN(auto db, Db::open_domain(std::move(domain), options_, true));
    return db->close();
  }
  Result<std::unique_ptr<Store>> open(std::unique_ptr<pmem::Domain> domain) override {
    alloc::Pool::prefer_lane(0);
    NACRE_ASSIGN(auto db, Db::open_domain(std::move(domain), options_, false));
    return std::unique_ptr<Store>(std::make_unique<DbStore>(std::move(db)));
  }
  std::string probe(const Model&, uint64_t salt) const override {
    static const char* const ops[] = {"put:0:1:24:77", "put:0:30:100:78", "del:0:1", "clear:0"};
    return ops[salt % 4];
  }

 private:
  uint64_t size_bytes_, max_bytes_;
  alloc::Geometry geometry_;
  engine::Options options_;
};

std::unique_ptr<Client> make_db_client(const Config& config) { return std::make_unique<DbClient>(config); }

/// "put" of keys first .. first + count - 1.
std::string fill(uint64_t first, uint64_t count, uint64_t table = 0) {
  std::string ops;
  for (uint64_t key = first; key < first + count; ++key)
    ops += "put:" + std::to_string(table) + ":" + std::to_string(key) + ":8:" + std::to_string(key) + ";";
  return ops;
}

/// As fill, with values that take a chunk each.
std::string large(uint64_t first, uint64_t count) {
  std::string ops;
  for (uint64_t key = first; key < first + count; ++key)
    ops += "put:0:" + std::to_string(key) + ":3900:" + std::to_string(key) + ";";
  return ops;
}

std::string remove(uint64_t first, uint64_t count, uint64_t table = 0) {
  std::string ops;
  for (uint64_t key = first; key < first + count; ++key)
    ops += "del:" + std::to_string(table) + ":" + std::to_string(key) + ";";
  return ops;
}

struct Directed {
  std::string name, ops;
  std::string config = {};
  bool explore_format = false;
};

// A segment of the shrunk shape has 21 slots, so some 18 keys fill one.
std::vector<Directed> directed() {
  return {
      {"format and first open", "put:0:1:8:1", "", true},
      {"first split: a root node appears", fill(0, 16) + "|;" + fill(16, 6)},
      {"second level of the directory", fill(0, 40) + "|;" + fill(40, 12)},
      {"splits where the tag tells the side", fill(0, 40) + "|;" + fill(40, 12), ",skip=0"},
      {"splits inside a node of eight entries", fill(0, 34) + "|;" + fill(34, 14), ",dirbits=3"},
      {"rebuild of a segment full of tombstones", fill(0, 18) + remove(2, 13) + "|;" + fill(100, 12)},
      {"line memory of split segments is reused",
       fill(0, 24) + "|;retire;retire;retire;" + fill(24, 10) + "retire;retire;retire;" + fill(40, 8)},
      {"overwrites that grow and shrink", fill(0, 3) + "|;put:0:1:100:1;put:0:1:8:2;put:0:1:700:3;put:0:1:0:4"},
      {"unit of an overwritten record is reused",
       fill(0, 3) + "|;put:0:1:8:21;epoch;epoch;epoch;put:0:1:8:22;put:0:2:8:23"},
      {"an idle lane whose last record frees in another slab",
       fill(0, 3) + "lane:1;put:0:1:100:5;lane:0;put:0:1:8:6;epoch;epoch;epoch;|;put:0:5:100:7;put:0:6:100:8"},
      {"clear of a table with a directory", fill(0, 30) + "|;clear:0;put:0:1:8:9"},
      {"clear, and again", fill(0, 5) + "|;clear:0;clear:0;put:0:1:8:9;clear:0"},
      {"tables come and go", "|;create:1;put:1:1:8:1;drop:1;create:1;put:1:2:8:2"},
      {"drop of a table with a directory", "create:1;" + fill(0, 24, 1) + "|;drop:1;create:2"},
      // A record that ends before the guard of its line: what an old log record makes of that line would change it.
      {"line memory of a dropped table, and records of that size",
       "create:1;" + fill(0, 20, 1) + "|;drop:1;epoch;epoch;epoch;put:0:1:230:1;put:0:2:230:2;put:0:3:230:3"},
      {"a second catalogue node", "create:1;create:2;|;create:3;create:4;put:4:1:8:1;drop:3"},
      {"two lanes take turns",
       fill(0, 4) + "|;lane:1;put:0:1:8:31;lane:0;put:0:2:8:32;lane:1;del:0:1;lane:0;put:0:1:8:33"},
      {"lane wraps", fill(0, 4) + "|;" + fill(0, 4) + fill(0, 4) + fill(0, 4) + fill(0, 4) + fill(0, 4), ",cells=16"},
      {"full pool",
       "|;put:0:1:3900:1;put:0:2:3900:2;put:0:3:3900:3;put:0:4:3900:4;put:0:5:3900:5;put:0:6:3900:6;"
       "put:0:7:3900:7;put:0:8:3900:8;put:0:9:3900:9;del:0:1;put:0:10:3900:10"},
      {"growth by records, into a new zone",
       large(1, 8) + "|;put:0:9:3900:9;put:0:10:3900:10;put:0:11:3900:11;put:0:12:3900:12", ",max=131072"},
      {"growth by splits", fill(0, 40) + large(50, 5) + "|;" + fill(60, 14) + large(80, 3), ",max=131072"},
      {"growth, then clear, shrink and growth again",
       large(1, 12) + "|;clear:0;retire;retire;retire;shrink;put:0:1:3900:1;" + large(2, 10), ",max=131072"},
      {"shrink in a pool that is almost empty", fill(0, 6) + "|;shrink;put:0:1:3900:1;put:0:2:3900:2;shrink",
       ",max=131072"},
      {"growth, kill, growth, crash, shrink, crash",
       large(1, 9) +
           "|;put:0:10:3900:1;!kill;put:0:11:3900:2;!crash:3;del:0:10;del:0:11;shrink;!crash:4;put:0:12:3900:3",
       ",max=131072"},
      {"values grow to extents and shrink again",
       fill(0, 3) +
           "|;put:0:1:900:1;put:0:1:3000:2;put:0:1:8:3;put:0:1:9000:4;put:0:2:5000:5;del:0:1;epoch;epoch;epoch;"
           "put:0:3:7000:6",
       ",chunk=1024"},
      {"extents of a table that is cleared", fill(0, 3) + "put:0:5:3000:1;put:0:6:5000:2;|;clear:0;put:0:7:9000:3",
       ",chunk=1024"},
      {"a full pool of extents",
       "|;put:0:1:9000:1;put:0:2:9000:2;put:0:3:9000:3;put:0:4:9000:4;put:0:5:2000:5;del:0:2;put:0:6:9000:6;"
       "put:0:1:20000:7;put:0:1:3000:8",
       ",chunk=1024"},
      {"kill with extents", fill(0, 3) + "|;put:0:1:3000:1;!kill;put:0:1:5000:2;!crash:5;put:0:1:8:3;!kill;del:0:1",
       ",chunk=1024"},
      {"a class comes, is filled, goes, comes back",
       fill(0, 3) + "|;addclass:304;put:0:1:280:1;put:0:2:280:2;noclass:304;put:0:3:280:3;del:0:1;addclass:304;"
                    "put:0:4:280:4"},
      {"the class of the records is retired, and what it frees is used by others",
       fill(0, 8) +
           "|;noclass:32;put:0:1:8:11;epoch;epoch;epoch;put:0:1:8:12;!kill;put:0:2:8:13;addclass:32;put:0:2:8:14"},
      {"a class of a retired class's slab in a full pool",
       "addclass:304;put:0:1:280:1;|;noclass:304;del:0:1;epoch;epoch;epoch;put:0:2:3900:2;put:0:3:3900:3;put:0:4:3900:"
       "4;"
       "put:0:5:3900:5;put:0:6:3900:6;put:0:7:3900:7;put:0:8:3900:8;put:0:9:3900:9;addclass:304"},
      {"classes change in turns with two lanes",
       fill(0, 4) + "|;lane:1;addclass:304;lane:0;noclass:304;lane:1;noclass:176;lane:0;addclass:176;put:0:1:140:1"},
      {"a class changes while the ring turns",
       fill(0, 4) + "|;addclass:304;" + fill(0, 4) + "noclass:304;" + fill(0, 4) + "noclass:32;" + fill(0, 4) +
           "addclass:304;addclass:32;" + fill(0, 4),
       ",cells=16"},
      {"a class of slabs of several chunks comes and goes, and its chunks become extents",
       fill(0, 3) + "|;addclass:1280;put:0:1:1260:1;put:0:2:1260:2;noclass:1280;put:0:3:1260:3;del:0:1;del:0:2;epoch;"
                    "epoch;put:0:4:9000:4;addclass:1280;put:0:5:1260:5",
       ",chunk=1024"},
      {"a class is retired and revived around a kill, with extents beside it",
       "addclass:1280;put:0:1:1260:1;|;noclass:1280;put:0:2:3000:2;!kill;del:0:1;addclass:1280;!crash:5;put:0:3:1260:3",
       ",chunk=1024"},
      {"growth while classes come and go, then shrink",
       large(1, 8) + "|;addclass:304;put:0:9:280:1;put:0:10:3900:2;noclass:304;put:0:11:280:3;put:0:12:3900:4;del:0:9;"
                     "del:0:12;shrink;addclass:304;put:0:13:280:5",
       ",max=131072"},
      {"kill, recover, go on, crash", fill(0, 16) + "|;put:0:16:8:1;!kill;put:0:17:8:2;put:0:18:8:3;!kill;put:0:19:8:4;"
                                                    "!crash:3;put:0:20:8:5;put:0:21:8:6"},
      {"a directory node of two lines appears", fill(0, 16) + "|;" + fill(16, 6), ",dirbits=3"},
      {"splits with two lines of stash", fill(0, 24) + "|;" + fill(24, 30), ",segment=5,stash=2"},
      {"clean closes with new counts", fill(0, 3) + "|;put:0:9:8:1;!reopen;del:0:1;!reopen;put:0:1:8:2"},
      {"a table whose name takes two lines", "|;create:9;put:9:1:8:1;drop:9"},
      {"values above 64 KiB under a key of several lines",
       fill(0, 3) + "|;put:0:9000:70000:1;put:0:1:8:2", ",size=262144"},
      {"damage is seen by readers and writers",
       fill(0, 3) + "try:value:0:1;try:key:0:1;try:slot:0:1;|;put:0:1:8:7"},
      {"two keys whose tags are the same",  // and their homes; found by trying all of the first ten thousand
       "put:0:2275:8:1;put:0:5568:8:2;|;put:0:5568:8:3;put:0:2275:8:4;del:0:5568;put:0:5568:8:5;del:0:2275"},
      {"crash in the middle of a drop, and again", "create:1;" + fill(0, 22, 1) + "|;drop:1;!crash:5;!kill;create:1"},
  };
}

std::string random_op(Random& random) {
  const std::string table = std::to_string(random.below(8) == 0 ? 1 : 0);
  const std::string key = std::to_string(random.below(60));
  const std::string seed = std::to_string(random.below(1000));
  static const char* const sizes[] = {"0", "8", "8", "8", "30", "100", "400", "1260", "5000"};
  static const char* const units[] = {"32", "176", "304", "1280"};
  switch (random.below(45)) {
    case 44:
      return "shrink";
    case 40:
    case 41:
      return std::string("addclass:") + units[random.below(4)];
    case 42:
    case 43:
      return std::string("noclass:") + units[random.below(4)];
    case 0:
      return "clear:" + table;
    case 1:
      return "create:1";
    case 2:
      return "drop:1";
    case 3:
      return "epoch";
    case 4:
      return "retire";
    case 5:
      return "!reopen";
    case 6:
      return "!kill";
    case 7:
      return "!crash:" + seed;
    case 8:
    case 9:
      return "lane:" + std::to_string(random.below(2));
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
      return "del:" + table + ":" + key;
    default:
      return "put:" + table + ":" + key + ":" + sizes[random.below(9)] + ":" + seed;
  }
}

// Operations at every structural edge, after a preparation that puts the edge one operation away: sixteen
// keys, of which two were removed, leave a segment about to split with tombstones in it.
const std::vector<std::string>& alphabet() {
  static const std::vector<std::string> ops = {
      "put:0:40:8:1", "put:0:43:8:5", "put:0:1:8:2", "put:0:2:200:3",  "del:0:3", "clear:0", "create:1",
      "put:1:1:8:4",  "drop:1",       "epoch",       "retire",         "lane:1",  "!reopen", "!kill",
      "!crash:11",    "addclass:304", "noclass:32",  "put:0:5:5000:6", "shrink"};
  return ops;
}

std::vector<Workload> db_workloads() {
  std::vector<Workload> all;
  const std::string full = fill(0, 20) + remove(7, 2) + "create:1;put:1:9:8:9;retire;|;";
  const std::string empty = "put:0:1:8:1;retire;|;";
  for (const std::string form : {"form=strict", "form=one"}) {
    const std::string tag = form.substr(5) + ": ";
    for (const Directed& d : directed())
      all.push_back({tag + d.name, "db", form + d.config,
                     split(d.ops.ends_with(';') ? d.ops.substr(0, d.ops.size() - 1) : d.ops, ';'), d.explore_format});
    for (const std::string& first : alphabet())
      for (const std::string& second : alphabet()) {
        all.push_back({tag + "full segment, " + first + ", " + second, "db", form,
                       split(full + first + ";" + second, ';'), false, true});
        all.push_back({tag + first + ", " + second, "db", form, split(empty + first + ";" + second, ';'), false, true});
      }
    for (uint64_t seed = 1; seed <= 12; ++seed) {
      Random random{seed};
      const std::string more = seed % 3 == 1 ? ",max=131072" : seed % 3 == 2 ? ",chunk=1024" : "";
      Workload workload{tag + "random " + std::to_string(seed), "db", form + more, {}, false};
      for (int i = 0; i < 80; ++i) workload.ops.push_back(random_op(random));
      all.push_back(std::move(workload));
    }
  }
  return all;
}

}  // namespace

engine::Db& db_of(Store& store) { return static_cast<DbStore&>(store).db(); }

const ClientKind& db_client_kind() {
  static const ClientKind kind{"db", make_db_client, db_workloads};
  return kind;
}

}  // namespace nacre::crash
