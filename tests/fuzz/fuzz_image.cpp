// Pool images of any content: open, read everything, write, check, close, open again.
//
// Expected of any image: an answer from the list of each call, in bounded time and memory. A check stores nothing, nor
// does anything on a read-only handle after its open (which recovers in a copy of its own, but here there is none). And
// an image that a check found sound is sound after operations and a reopen, and no operation on it says corruption.
#include <algorithm>
#include <memory>
#include <vector>

#include "alloc/pool.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/sparse_image.h"
#include "tests/support/db_fixture.h"
#include "tests/support/random.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::fuzz;

namespace {

constexpr uint64_t kMostBytes = kMaxPages * kPageBytes;

void answers(const char* what, Status status, std::initializer_list<Code> codes, bool sound) {
  if (status.ok()) return;
  const bool listed = std::find(codes.begin(), codes.end(), status.code()) != codes.end();
  if (!listed || (sound && (status == Code::corruption || status == Code::internal)))
    fail(std::string(what) + (sound ? " on a sound pool" : "") + " says " + status.name() + ": " + status.message());
}

class Session {
 public:
  Session(const test::ImagePtr& image, const SparseImage& input) : image_(image), input_(input) {}

  void run() {
    auto opened = open();
    answers("open", opened.status(), kOpen, false);
    if (!opened.has_value()) return;
    db_ = std::move(*opened);
    sound_ = is_sound();
    const test::ImagePtr recovered = image_->clone();
    read_everything();
    if (input_.read_only()) return require(image_->same_as(*recovered), "reading through a read-only handle stores");
    write();
    const bool still = is_sound();
    if (sound_ && !still) fail("operations made a sound pool unsound: " + test::unsound(*db_));
    answers("close", db_->close(), kWrite, sound_);
    db_.reset();
    if (!sound_) return;
    auto again = open();
    if (!again.has_value()) fail(std::string("a sound pool does not open again: ") + again.status().message());
    db_ = std::move(*again);
    if (!is_sound()) fail("a sound pool is unsound after a reopen: " + test::unsound(*db_));
  }

 private:
  static constexpr std::initializer_list<Code> kOpen = {Code::corruption,   Code::not_a_pool, Code::incompatible,
                                                        Code::out_of_space, Code::limit,      Code::too_large};
  static constexpr std::initializer_list<Code> kRead = {Code::corruption, Code::not_found, Code::stopped};
  static constexpr std::initializer_list<Code> kWrite = {Code::corruption, Code::not_found,       Code::out_of_space,
                                                         Code::too_large,  Code::read_only,       Code::limit,
                                                         Code::exists,     Code::invalid_argument};

  Result<std::unique_ptr<Db>> open() {
    return test::try_open(image_, {.one_fence = input_.one_fence(), .read_only = input_.read_only()});
  }

  bool is_sound() {
    const test::ImagePtr before = image_->clone();
    const bool sound = test::unsound(*db_).empty();
    require(image_->same_as(*before), "a check changed the pool");
    return sound;
  }

  void read_everything() {
    answers("info", db_->info().status(), kRead, sound_);
    answers("classes", db_->classes().status(), kRead, sound_);
    const auto tables = db_->tables();
    answers("tables", tables.status(), kRead, sound_);
    if (!tables.has_value()) return;
    for (const TableInfo& info : *tables) read_table(info.name);
  }

  void read_table(const std::string& name) {
    const auto table = db_->table(name, std::nullopt);
    answers("table", table.status(), kRead, sound_);
    if (!table.has_value()) return;
    std::vector<std::string> keys;
    uint64_t pairs = 0, bytes = 0;
    const Status scanned = (*table)->scan([&](std::string_view key, std::string_view value) {
      bytes += key.size() + value.size();
      if (keys.size() < 20) keys.emplace_back(key);
      return ++pairs < 100'000;
    });
    require(scanned != Code::stopped, "a scan of a small pool does not end");
    answers("scan", scanned, kRead, sound_);
    for (const std::string& key : keys) answers("get", (*table)->get(key, [](std::string_view) {}), kRead, sound_);
    answers("count", (*table)->count().status(), kRead, sound_);
    auto cursor = (*table)->cursor();
    answers("cursor", cursor.status(), kRead, sound_);
    if (!cursor.has_value()) return;
    Status moved = (*cursor)->next();
    for (uint64_t n = 0; moved.ok() && n < pairs + 1; ++n) moved = (*cursor)->next();
    answers("next", moved, kRead, sound_);
    require(!sound_ || moved == Code::not_found, "a cursor sees more pairs than a scan");
  }

  void write() {
    test::Random random(42);
    const auto table = db_->default_table();
    for (int i = 0; i < 24; ++i) {
      const std::string key = "k" + std::to_string(random.below(30));
      if (random.one_in(3))
        answers("remove", table->remove(key), kWrite, sound_);
      else
        answers("put", table->put(key, std::string(random.one_in(6) ? 5000 : random.below(300), 'v')), kWrite, sound_);
      if (i % 8 == 7) db_->pool().reclaim();
    }
    answers("add_class", db_->add_class({304, 16}), kWrite, sound_);
    answers("retire_class", db_->retire_class(176), kWrite, sound_);
    answers("drop", db_->drop_table("second"), kWrite, sound_);
    answers("create", db_->table("third", EngineKind::hash).status(), kWrite, sound_);
    if (input_.may_grow())
      answers("shrink", db_->shrink(),
              {Code::corruption, Code::read_only, Code::locked, Code::not_supported, Code::out_of_space, Code::limit},
              sound_);
    if ((input_.flags & 8) != 0) answers("clear", table->clear(), kWrite, sound_);
  }

  const test::ImagePtr image_;
  const SparseImage& input_;
  std::unique_ptr<Db> db_;
  bool sound_ = false;
};

test::ImagePtr image_of(const SparseImage& input) {
  const uint64_t bytes = input.bytes.size();
  test::ImagePtr image = test::make_image(input.may_grow() ? kMostBytes + kPageBytes : bytes, bytes);
  std::memcpy(image->data(), input.bytes.data(), bytes);
  return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const SparseImage input = expand(data, size);
  Session(image_of(input), input).run();
  return 0;
}

#ifdef NACRE_LIBFUZZER
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  if (seed % 16 == 0 || size < kHeaderBytes + kEntryBytes) return LLVMFuzzerMutate(data, size, max_size);
  SparseImage image = expand(data, size);
  mutate(image, seed);
  const std::string out = compress(image, max_size);
  std::memcpy(data, out.data(), out.size());
  return out.size();
}
#endif

namespace {

std::string pool(uint8_t flags, uint32_t chunk_bytes, int keys, int removed, bool clean) {
  alloc::Geometry g = test::shrunk_geometry(1, 4, 1);
  g.chunk_bytes = chunk_bytes;
  const test::DbSpec spec{.one_fence = (flags & 1) != 0, .geometry = &g};
  const test::ImagePtr image = test::make_image(64 * 1024);
  auto made = Db::open_domain(std::make_unique<test::ImageDomain>(image), test::options_of(spec), true);
  require(made.has_value(), "seed pool");
  Db& db = **made;
  const auto second = db.table("second", EngineKind::hash);
  require(second.has_value() && (*second)->put("k", "v").ok(), "seed table");
  for (int i = 0; i < keys; ++i)
    require(db.default_table()->put("k" + std::to_string(i), std::string(i % 9 == 5 ? 1500 : 3 * i, 'v')).ok(), "put");
  for (int i = 0; i < removed; ++i) require(db.default_table()->remove("k" + std::to_string(i)).ok(), "remove");
  const test::ImagePtr killed = image->clone();
  if (clean) require(db.close().ok(), "close");
  SparseImage sparse;
  sparse.flags = flags;
  const std::byte* bytes = (clean ? image : killed)->data();
  sparse.bytes.assign(bytes, bytes + image->size_bytes());
  return compress(sparse, SIZE_MAX);
}

}  // namespace

std::vector<Seed> nacre::fuzz::seeds() {
  return {{"clean", pool(0, 4096, 25, 3, true)},
          {"killed-one-fence", pool(1, 4096, 20, 2, false)},
          {"killed-strict", pool(0, 4096, 12, 0, false)},
          {"read-only", pool(2, 4096, 8, 0, false)},
          {"small-chunks-growing", pool(5, 1024, 22, 5, true)},
          {"cleared", pool(8, 4096, 18, 9, true)}};
}
