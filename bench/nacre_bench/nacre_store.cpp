// Nacre through <nacre/nacre.h>, one table, the default one.
#include <nacre/nacre.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bench/nacre_bench/store.h"

namespace nacre::bench {

namespace {

[[noreturn]] void fail(const char* what, int status) {
  throw BenchError{std::string(what) + ": " + nacre_status_name(status) + ": " + nacre_errormsg()};
}
void check(const char* what, int status) {
  if (status != NACRE_OK) [[unlikely]]
    fail(what, status);
}

// Growth is an option of libraries that have it; the pools of others keep the size they are made with.
template <class RawOptions>
constexpr bool kPoolsGrow = requires(RawOptions* raw) {
  nacre_options_set_grow(raw, 1);
};

template <class RawOptions>
void set_growth(RawOptions* raw, bool grow) {
  if constexpr (kPoolsGrow<RawOptions>) check("option grow", nacre_options_set_grow(raw, grow));
  if (grow && !kPoolsGrow<RawOptions>)
    throw BenchError{"the pools of this library keep the size they are made with: --grow=1 is not possible"};
}

class NacreStore final : public Store {
 public:
  NacreStore(const StoreOptions& options, StoreUse use) : options_(options) {
    if (use == StoreUse::unopened) return;
    if (use == StoreUse::fresh) remove_pool(options_.db);
    open(use == StoreUse::fresh);
    check("info", nacre_info(db_, take_fact, &facts_));  // once: it walks the heap
  }
  ~NacreStore() override {
    if (db_ != nullptr) (void)nacre_close(db_);
  }

  void put(std::string_view key, std::string_view value) override {
    check("put", nacre_put(table_, key.data(), key.size(), value.data(), value.size()));
  }
  PutOutcome try_put(std::string_view key, std::string_view value) override {
    const int status = nacre_put(table_, key.data(), key.size(), value.data(), value.size());
    if (status == NACRE_OUT_OF_SPACE) return PutOutcome::out_of_space;
    if (status == NACRE_TOO_LARGE) return PutOutcome::too_large;
    check("put", status);
    return PutOutcome::done;
  }
  bool get(std::string_view key, char* buffer, size_t buffer_bytes, size_t* value_bytes) override {
    return found("get", nacre_get_copy(table_, key.data(), key.size(), buffer, buffer_bytes, value_bytes));
  }
  bool remove(std::string_view key) override {
    return found("remove", nacre_remove(table_, key.data(), key.size()));
  }
  void scan(ScanSink& sink) override {
    const auto on_pair = [](const char* key, size_t key_bytes, const char* value, size_t value_bytes,
                            void* arg) -> int {
      static_cast<ScanSink*>(arg)->pair({key, key_bytes}, {value, value_bytes});
      return 0;
    };
    check("scan", nacre_scan(table_, on_pair, &sink));
  }
  uint64_t count() override {
    uint64_t n = 0;
    check("count", nacre_count(table_, &n));
    return n;
  }
  FlushCounts thread_counts() override {
    FlushCounts counts;
    check("thread_counters", nacre_thread_counters(db_, &counts.fences, &counts.lines, &counts.bytes));
    return counts;
  }
  StoreFacts facts() override { return facts_; }
  Figures info_figures() override {
    Figures figures;
    check("info", nacre_info(db_, take_number, &figures));
    return figures;
  }
  Figures stats_figures() override {
    Figures figures;
    check("stats", nacre_stats(db_, take_number, &figures));
    return figures;
  }
  bool has_pool() const override { return options_.engine != "dram"; }
  bool keeps() const override { return has_pool() && facts_.medium != "memory"; }
  void close() override {
    nacre_db* db = db_;
    db_ = nullptr;
    table_ = nullptr;
    check("close", nacre_close(db));
  }
  void open_again() override { open(false); }

 private:
  static bool found(const char* what, int status) {
    if (status == NACRE_OK) [[likely]]
      return true;
    if (status == NACRE_NOT_FOUND) return false;
    fail(what, status);
  }

  // The figures of nacre_info that say where the bytes go.
  static int take_fact(const char* name, uint64_t, const char* text, void* arg) {
    auto* facts = static_cast<StoreFacts*>(arg);
    const std::string_view figure(name);
    if (figure == "medium" && text != nullptr) facts->medium = text;
    if (figure == "flush" && text != nullptr) facts->flush = text;
    if (figure == "medium_forced" && text != nullptr) facts->forced = std::string_view(text) == "yes";
    return 0;
  }

  static int take_number(const char* name, uint64_t value, const char* text, void* arg) {
    if (text == nullptr) static_cast<Figures*>(arg)->emplace_back(name, value);
    return 0;
  }

  void open(bool make) {
    nacre_options* raw = nullptr;
    check("options", nacre_options_new(&raw));
    const std::unique_ptr<nacre_options, void (*)(nacre_options*)> opts(raw, nacre_options_delete);
    check("option create_if_missing", nacre_options_set_create_if_missing(raw, make));
    check("option error_if_exists", nacre_options_set_error_if_exists(raw, make));
    if (make) check("option size", nacre_options_set_size(raw, options_.pool_bytes));
    set_growth(raw, options_.grow);
    check("option medium", nacre_options_set_medium(raw, options_.medium.c_str()));
    check("option engine", nacre_options_set_engine(raw, options_.engine.c_str()));
    check("option commit_form", nacre_options_set_commit_form(raw, options_.commit_form.c_str()));
    check("open", nacre_open(options_.db.c_str(), raw, &db_));
    check("table", nacre_table_open(db_, "default", 7, options_.engine.c_str(), &table_));
  }

  StoreOptions options_;
  nacre_db* db_ = nullptr;
  nacre_table* table_ = nullptr;
  StoreFacts facts_;
};

}  // namespace

bool pools_grow() noexcept { return kPoolsGrow<nacre_options>; }

std::unique_ptr<Store> make_nacre_store(const StoreOptions& options, StoreUse use) {
  return std::make_unique<NacreStore>(options, use);
}

void remove_pool(const std::string& path) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) return;
  if (!S_ISREG(status.st_mode))
    throw BenchError{path + " is there and is not a file: refusing to replace it"};
  nacre_options* raw = nullptr;
  check("options", nacre_options_new(&raw));
  const std::unique_ptr<nacre_options, void (*)(nacre_options*)> opts(raw, nacre_options_delete);
  check("option read_only", nacre_options_set_read_only(raw, 1));
  nacre_db* db = nullptr;
  const int answer = nacre_open(path.c_str(), raw, &db);
  if (answer == NACRE_OK) (void)nacre_close(db);
  if (answer == NACRE_NOT_A_POOL)
    throw BenchError{path + " is there and is not a pool: refusing to replace it"};
  if (answer == NACRE_LOCKED) throw BenchError{path + " is open elsewhere: refusing to replace it"};
  if (unlink(path.c_str()) != 0) throw BenchError{"removing " + path + ": " + std::strerror(errno)};
}

}  // namespace nacre::bench
