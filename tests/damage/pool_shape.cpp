#include "tests/damage/pool_shape.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "alloc/pool.h"
#include "engine/shape.h"
#include "tests/damage/region_map.h"
#include "tests/damage/victim.h"
#include "tests/support/random.h"

namespace nacre::damage {
namespace {

using engine::Db;
using engine::EngineKind;

constexpr uint64_t kIdentity = 42, kForeignIdentity = 4242;
const std::string kDefault(engine::kDefaultTable);

[[noreturn]] void give_up(const std::string& shape, const char* what) {
  std::fprintf(stderr, "the pool '%s' could not be made: %s (%s)\n", shape.c_str(), what, last_message());
  std::abort();
}

// Two lanes of 30 cells, so that the lane area ends at 20480; chunks of 1 KiB; segments of two home lines and a stash
// line, which split at some 16 keys; nodes of two entries.
alloc::Geometry smallest_geometry() {
  alloc::Geometry g;
  g.chunk_bytes = 1024;
  g.lane_count = 2;
  g.lane_cells = 30;
  g.client = engine::Shape{4, 1, 1, 1}.encode();
  return g;
}

engine::Options options_of(const alloc::Geometry& geometry, uint64_t identity) {
  engine::Options o;
  o.geometry = &geometry;
  o.identity_seed = identity;
  o.grow_helper = false;  // a run is the same each time
  o.grow_step_bytes = 2 * kPageBytes;
  return o;
}

std::string key_text(uint64_t key) { return "k" + std::to_string(key); }

/// Makes a pool by operations, and remembers what it must hold.
class Builder {
 public:
  Builder(PoolShape& shape, uint64_t bytes, uint64_t identity)
      : shape_(shape), victim_(shape.capacity_bytes), options_(options_of(shape.geometry, identity)) {
    alloc::Pool::prefer_lane(0);
    victim_.resize_file(bytes);
    open(true);
    content_[kDefault];
  }

  void put(uint64_t key, uint64_t value_bytes, const std::string& table = kDefault) {
    before_last_ = content_;
    const std::string value = test::Random(key * 1000 + value_bytes + ++puts_ * 7777).bytes(value_bytes);
    expect((*table_of(table))->put(key_text(key), value), "put");
    content_[table][key_text(key)] = value;
  }
  void fill(uint64_t first, uint64_t count, uint64_t value_bytes, const std::string& table = kDefault) {
    for (uint64_t key = first; key < first + count; ++key) put(key, value_bytes, table);
  }
  void remove(uint64_t key) {
    expect((*table_of(kDefault))->remove(key_text(key)), "remove");
    content_[kDefault].erase(key_text(key));
  }
  void create(const std::string& table) {
    expect(db_->table(table, EngineKind::hash).status(), "create");
    content_[table];
  }
  void drop(const std::string& table) {
    expect(db_->drop_table(table), "drop");
    content_.erase(table);
  }
  void clear(const std::string& table) {
    expect((*table_of(table))->clear(), "clear");
    content_[table].clear();
  }
  void retire_log() { db_->pool().advance(true); }
  /// From here on another lane commits.
  void lane(int lane) { alloc::Pool::prefer_lane(lane); }
  /// What the file holds now is one of the earlier moments.
  void moment() { moments_.push_back(file()); }
  void close() { expect(db_->close(), "close"); }
  void kill() { db_->abandon(); }
  void reopen() {
    close();
    open(false);
  }

  Bytes file() const { return {victim_.bytes().begin(), victim_.bytes().end()}; }
  std::vector<Bytes> take_moments() { return std::move(moments_); }
  const Content& content() const { return content_; }
  const Content& before_last_put() const { return before_last_; }

 private:
  void open(bool create) {
    options_.max_size_bytes = create ? shape_.capacity_bytes : 0;
    auto db = Db::open_domain(std::make_unique<VictimDomain>(victim_), options_, create);
    expect(db.status(), "open");
    db_ = std::move(*db);
  }
  Result<std::shared_ptr<engine::Table>> table_of(const std::string& name) {
    auto table = db_->table(name, std::nullopt);
    expect(table.status(), "table");
    return table;
  }
  void expect(Status s, const char* what) const {
    if (!s.ok()) give_up(shape_.name, what);
  }

  PoolShape& shape_;
  Victim victim_;
  engine::Options options_;
  std::unique_ptr<Db> db_;
  Content content_, before_last_;
  std::vector<Bytes> moments_;
  uint64_t puts_ = 0;
};

struct Recipe {
  const char* name;
  uint64_t file_bytes;
  uint64_t capacity_bytes;
  std::function<void(Builder&)> make;
  std::function<bool(const Population&)> has_its_point;
  uint64_t tail_bytes = 0;     // of garbage behind the file
  bool log_is_needed = false;  // the lines that the last commits changed never reached the medium
};

constexpr uint64_t kSmall = 9 * kPageBytes;

void fill_one_table(Builder& b) {
  b.fill(0, 10, 12);
  b.moment();
  b.fill(10, 14, 12);  // splits on the way
  b.moment();
  b.put(3, 60);
  b.put(4, 200);
  b.remove(5);
  b.put(5, 12);
}

std::vector<Recipe> recipes() {
  const auto one_table = [](const Population& p) { return p.live_slots == 24 && p.directory_nodes > 0; };
  return {
      {"clean", kSmall, kSmall, [](Builder& b) { fill_one_table(b), b.moment(), b.put(6, 30), b.close(); },
       [=](const Population& p) { return one_table(p) && p.logged == 0; }},
      {"dirty", kSmall, kSmall,
       [](Builder& b) {
         fill_one_table(b);
         b.retire_log();
         b.moment();
         b.put(7, 30), b.lane(1), b.put(8, 31), b.remove(9), b.lane(0), b.put(9, 32), b.put(30, 33);
         b.kill();
       },
       [](const Population& p) { return p.live_slots == 25 && p.logged >= 5; }},
      {"unapplied", kSmall, kSmall,
       [](Builder& b) {
         fill_one_table(b);
         b.fill(100, 2, 30);
         b.reopen();
         b.retire_log();
         b.moment();
         b.put(7, 12), b.put(8, 12), b.remove(9), b.put(10, 12), b.put(7, 12);
         b.kill();
       },
       [](const Population& p) { return p.live_slots == 25 && p.logged >= 5; }, 0, true},
      {"growing", kSmall, kSmall + 4 * kPageBytes,
       [](Builder& b) {
         b.fill(0, 8, 12), b.moment(), b.fill(10, 12, 900), b.moment(), b.fill(22, 4, 900), b.put(22, 10), b.kill();
       },
       [](const Population& p) { return p.zones > 1 && p.tail_bytes != 0 && p.logged != 0; }, kPageBytes},
      {"extents", kSmall + kPageBytes, kSmall + kPageBytes,
       [](Builder& b) {
         b.fill(0, 6, 12), b.moment(), b.put(1, 4200), b.put(2, 5000), b.moment(), b.put(1, 20), b.put(3, 4500);
         b.close();
       },
       [](const Population& p) { return p.extents >= 2; }},
      {"tables", kSmall, kSmall,
       [](Builder& b) {
         for (const char* name : {"one", "two", "three", "four"}) b.create(name), b.fill(0, 4, 12, name);
         b.moment();
         b.fill(0, 5, 12), b.drop("two"), b.clear("three"), b.fill(7, 2, 20, "three"), b.create("five");
         b.moment();
         b.put(1, 15, "one"), b.close();
       },
       [](const Population& p) { return p.tables == 5 && p.catalogue_nodes > 1; }},
      {"tombstones", kSmall, kSmall,
       [](Builder& b) {
         b.fill(0, 30, 12), b.moment();
         for (uint64_t key = 0; key < 30; key += 2) b.remove(key);
         b.moment();
         b.fill(40, 6, 12), b.remove(1), b.close();
       },
       [](const Population& p) { return p.tombstones > 2 && p.displaced > 1 && p.stash > 0; }},
  };
}

// Takes the lines back that the commits since the last moment changed: what a power failure may leave. The lanes and
// the fresh records were flushed.
void take_lines_back(PoolShape& shape) {
  const RegionMap map(shape);
  const Bytes& before = shape.earlier.back();
  for (uint64_t off = 0; off < shape.base.size(); off += kLineBytes) {
    const Region region = map.of(off, kLineBytes);
    if (region != Region::lanes && region != Region::records && region != Region::free_space)
      std::memcpy(&shape.base[off], &before[off], kLineBytes);
  }
}

PoolShape make_shape(const Recipe& recipe) {
  PoolShape shape;
  shape.name = recipe.name;
  shape.geometry = smallest_geometry();
  shape.capacity_bytes = recipe.capacity_bytes + recipe.tail_bytes;
  for (const uint64_t identity : {kForeignIdentity, kIdentity}) {
    Builder b(shape, recipe.file_bytes, identity);
    recipe.make(b);
    shape.base = b.file();
    shape.earlier = b.take_moments();
    shape.content = b.content();
    if (recipe.log_is_needed) shape.before_last = b.before_last_put();
    if (identity == kForeignIdentity) shape.foreign = shape.base;
  }
  test::Random garbage(9);
  for (uint64_t i = 0; i < recipe.tail_bytes; ++i) shape.base.push_back(static_cast<std::byte>(garbage.next()));
  for (Bytes& moment : shape.earlier) moment.resize(shape.base.size());
  shape.foreign.resize(shape.base.size());
  if (recipe.log_is_needed) take_lines_back(shape);
  const Population p = RegionMap(shape).population();
  if (!recipe.has_its_point(p)) {
    std::fprintf(stderr,
                 "%u slots (%u displaced, %u in the stash), %u tombstones, %u segments, %u directory nodes, %u "
                 "catalogue nodes, %u tables, %u extents, %u zones, %u logged, %llu bytes behind the pool\n",
                 p.live_slots, p.displaced, p.stash, p.tombstones, p.segments, p.directory_nodes, p.catalogue_nodes,
                 p.tables, p.extents, p.zones, p.logged, static_cast<unsigned long long>(p.tail_bytes));
    give_up(shape.name, "it does not have what it is there for");
  }
  return shape;
}

}  // namespace

engine::Options PoolShape::options(bool read_only) const {
  engine::Options o = options_of(geometry, kIdentity);
  o.read_only = read_only;
  return o;
}

std::vector<PoolShape> make_shapes() {
  std::vector<PoolShape> shapes;
  for (const Recipe& recipe : recipes()) shapes.push_back(make_shape(recipe));
  return shapes;
}

}  // namespace nacre::damage
