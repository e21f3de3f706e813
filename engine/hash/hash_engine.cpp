#include "engine/hash/hash_engine.h"

#include <new>
#include <string>
#include <utility>

namespace nacre::engine::hash {
namespace {

/// Turns writers away for as long as it lives, unless keep() was called.
class Closing {
 public:
  explicit Closing(HashTree& tree) noexcept : tree_(tree) { tree_.set_closed(true); }
  ~Closing() {
    if (!kept_) tree_.set_closed(false);
  }
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;
  void keep() noexcept { kept_ = true; }

 private:
  HashTree& tree_;
  bool kept_ = false;
};

/// Pulls a table segment by segment: each segment's pairs are copied when the cursor enters it, so that nothing is
/// pinned between two calls. Values beyond the budget are looked up when their turn comes.
class HashCursor final : public Cursor {
 public:
  explicit HashCursor(HashTable& table) : table_(table) {}

  Status next() override {
    for (;;) {
      while (next_ < pairs_.size()) {
        const Pair& pair = pairs_[next_++];
        key_ = std::string_view(bytes_).substr(pair.key_at, pair.key_bytes);
        if (pair.has_value) {
          value_ = std::string_view(bytes_).substr(pair.key_at + pair.key_bytes, pair.value_bytes);
          return Code::ok;
        }
        const Status s = table_.get(key_, [&](std::string_view v) { fetched_.assign(v); });
        if (s.code() == Code::not_found) continue;  // removed since: it was not there throughout
        if (!s.ok()) {
          --next_;
          return s;
        }
        value_ = fetched_;
        return Code::ok;
      }
      if (ended_) return Code::not_found;
      NACRE_TRY(load_segment());
    }
  }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }

 private:
  static constexpr size_t kBudgetBytes = 1u << 20;
  struct Pair {
    size_t key_at, key_bytes, value_bytes;
    bool has_value;
  };

  Status load_segment() {
    pairs_.clear();
    bytes_.clear();
    next_ = 0;
    uint64_t position = position_;
    const Status scanned = table_.scan_segment(position, [&](std::string_view key, std::string_view value) {
      const bool fits = bytes_.size() + value.size() <= kBudgetBytes;
      pairs_.push_back({bytes_.size(), key.size(), value.size(), fits});
      bytes_.append(key);
      if (fits) bytes_.append(value);
      return true;
    });
    if (!scanned.ok()) {
      pairs_.clear();  // the next call scans this segment again: what came before the damage must not come twice
      return scanned;
    }
    position_ = position;
    ended_ = position == 0;
    return Code::ok;
  }

  HashTable& table_;
  uint64_t position_ = 0;
  bool ended_ = false;
  std::vector<Pair> pairs_;
  std::string bytes_, fetched_;
  size_t next_ = 0;
  std::string_view key_, value_;
};

}  // namespace

HashTable::HashTable(alloc::Pool& pool, Catalogue& catalogue, sync::Mutex& catalogue_mutex, const Shape& shape,
                     const TableEntry& entry)
    : pool_(pool), catalogue_(catalogue), catalogue_mutex_(catalogue_mutex), shape_(shape), entry_(entry) {
  install_tree(false);
}

void HashTable::install_tree(bool empty) {
  install(std::make_unique<HashTree>(pool_, shape_, entry_.id, entry_.line_off, kTableRoot), empty);
}

void HashTable::install(std::unique_ptr<HashTree> tree, bool empty) {
  if (empty) tree->set_base_count(0);
  trees_.push_back(std::move(tree));
  sync::point(sync::Event::store, &tree_);
  tree_.store(trees_.back().get(), std::memory_order_release);
}

Status HashTable::gone() const {
  sync::point(sync::Event::load, &dropped_);
  if (!dropped_.load(std::memory_order_acquire)) [[likely]]
    return Code::ok;
  return Status::error(Code::bad_handle, "the table '%s' was dropped", entry_.name.c_str());
}

// A tree that is being cleared turns writers away; they go on in the new one.
template <class Op>
Status HashTable::write(Op&& op) {
  sync::Backoff backoff;
  for (;;) {
    NACRE_TRY(gone());
    const Status s = op(tree());
    if (s.code() != Code::stopped) return s;
    backoff.wait(this);
  }
}

Status HashTable::put(std::string_view key, std::string_view value) {
  return write([&](HashTree& t) { return t.put(key, value); });
}

Status HashTable::remove(std::string_view key) {
  return write([&](HashTree& t) { return t.remove(key); });
}

// Readers pin first and look for the tree afterwards: see HashTree::get.
Status HashTable::get(std::string_view key, ValueFn fn) {
  alloc::Pin pin(pool_.epochs());
  NACRE_TRY(pin.status());
  NACRE_TRY(gone());
  return tree().get(key, fn);
}

Status HashTable::exists(std::string_view key) {
  return get(key, [](std::string_view) {});
}

Result<uint64_t> HashTable::count() {
  sync::Backoff backoff;
  for (;;) {
    NACRE_TRY(gone());
    Result<uint64_t> n = tree().count();
    if (n || n.status().code() != Code::stopped) return n;
    backoff.wait(this);
  }
}

// A position is a hash: it stays good when the table is cleared in the middle.
Status HashTable::scan(PairFn fn) {
  uint64_t position = 0;
  do NACRE_TRY(scan_segment(position, fn));
  while (position != 0);
  return Code::ok;
}

Status HashTable::scan_segment(uint64_t& position, PairFn fn) {
  alloc::Pin pin(pool_.epochs());
  NACRE_TRY(pin.status());
  NACRE_TRY(gone());
  return tree().scan_segment(position, fn);
}

Result<std::unique_ptr<Cursor>> HashTable::cursor() {
  NACRE_TRY(gone());
  return std::unique_ptr<Cursor>(std::make_unique<HashCursor>(*this));
}

Status HashTable::clear() {
  sync::Guard guard(catalogue_mutex_);
  NACRE_TRY(gone());
  NACRE_TRY(pool_.writable());
  trees_.reserve(trees_.size() + 1);
  auto fresh = std::make_unique<HashTree>(pool_, shape_, entry_.id, entry_.line_off, kTableRoot);
  Closing closing(tree());
  { alloc::WriterStop no_writer_is_left_in_the_old_tree(pool_); }
  NACRE_ASSIGN(const TableEntry old, catalogue_.clear(entry_));
  closing.keep();
  install(std::move(fresh), true);  // allocates nothing
  free_rest(old);
  return Code::ok;
}

Status HashTable::drop() {
  NACRE_TRY(pool_.writable());
  TableEntry entry = entry_;
  entry.state = TableState::dropping;
  Closing closing(tree());
  { alloc::WriterStop no_writer_is_left_in_the_table(pool_); }
  NACRE_TRY(catalogue_.mark_dropping(entry_));
  closing.keep();
  sync::point(sync::Event::store, &dropped_);
  dropped_.store(true, std::memory_order_release);
  free_rest(entry);
  return Code::ok;
}

// The clear or drop has happened and is durable. What cannot be freed now is freed at the next open.
void HashTable::free_rest(const TableEntry& entry) noexcept {
  try {
    (void)finish_drop(pool_, catalogue_, shape_, entry);
  } catch (const std::bad_alloc&) {
  }
}

Status finish_drop(alloc::Pool& pool, Catalogue& catalogue, const Shape& shape, const TableEntry& entry) {
  HashTree rest(pool, shape, entry.id, entry.line_off, kTableRoot);
  NACRE_TRY(rest.drop_all());
  return catalogue.forget(entry);
}

}  // namespace nacre::engine::hash
