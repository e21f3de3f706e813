// The C++20 face of <nacre/nacre.h>: header-only, and nothing but the C ABI below it, so that one libnacre.so
// serves programs of any compiler and standard library.
//
//   auto db = nacre::Db::open("users.nacre", {.create_if_missing = true}).value();
//   auto users = db.table("users", nacre::Engine::hash).value();
//   nacre::Status put = users.put("alice", "1");
//   nacre::Result<std::string> copy = users.get("alice");
//   nacre::Status seen = users.get("alice", [](std::string_view v) { ... });  // in place, no copy
//   for (auto [key, value] : users) ...
//
// Errors are values: every call returns a Status or a Result. Only two things throw: `value()` on a failed
// Result (nacre::BadResult), and whatever a callable of yours throws, which passes through unharmed. The
// header compiles with -fno-exceptions too; `value()` on a failed Result then prints the failure and ends the
// program.
//
// Durability and thread safety are those of the C function of the same name; differences are stated.
#ifndef NACRE_NACRE_HPP
#define NACRE_NACRE_HPP

#include <nacre/nacre.h>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace nacre {
// The inline namespace keeps these names apart, in the linker's eyes, from those inside a static libnacre.
inline namespace face {

/// The outcome of an operation; the same numbers as `nacre_status`, which says more about each.
enum class Code : uint8_t {
  ok = NACRE_OK,
  not_found = NACRE_NOT_FOUND,                ///< an answer: the key, table or file is not there
  exists = NACRE_EXISTS,                      ///< the table or pool is there already
  stopped = NACRE_STOPPED,                    ///< a callable asked to stop
  invalid_argument = NACRE_INVALID_ARGUMENT,  ///< the call is wrong; nothing was changed
  bad_handle = NACRE_BAD_HANDLE,              ///< a closed or moved-from object
  read_only = NACRE_READ_ONLY,
  out_of_space = NACRE_OUT_OF_SPACE,
  out_of_memory = NACRE_OUT_OF_MEMORY,
  too_large = NACRE_TOO_LARGE,
  io_error = NACRE_IO_ERROR,
  locked = NACRE_LOCKED,
  corruption = NACRE_CORRUPTION,
  media_error = NACRE_MEDIA_ERROR,
  incompatible = NACRE_INCOMPATIBLE,
  not_a_pool = NACRE_NOT_A_POOL,
  not_supported = NACRE_NOT_SUPPORTED,
  limit = NACRE_LIMIT,
  internal = NACRE_INTERNAL,
};

/// The engine of a table.
enum class Engine : uint8_t {
  hash,  ///< persistent extendible hash table
  dram,  ///< volatile: ends with the Db
};

/// "hash" or "dram". Never null.
inline const char* engine_name(Engine engine) noexcept { return engine == Engine::dram ? "dram" : "hash"; }

/// "major.minor.patch" of the library that is linked. Never fails.
inline const char* version() noexcept { return nacre_version(); }

/// A code and, for failures, the sentence that explains it. Two words; success and answers (not_found,
/// stopped) allocate nothing. Comparable with a Code: `if (status == nacre::Code::not_found)`.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(Code code) noexcept : code_(code) {}  // NOLINT: a bare code is a status without text
  Status(const Status& other) noexcept : code_(other.code_), text_(copy_of(other.text_)) {}
  Status(Status&& other) noexcept : code_(other.code_), text_(std::exchange(other.text_, nullptr)) {}
  Status& operator=(Status other) noexcept {
    code_ = other.code_;
    std::swap(text_, other.text_);
    return *this;
  }
  ~Status() { std::free(text_); }

  /// The status of a C call this thread has just made, with its text unless it is ok, not_found or stopped.
  static Status from_c(int status) noexcept {
    Status result(static_cast<Code>(status));
    if (status != NACRE_OK && status != NACRE_NOT_FOUND && status != NACRE_STOPPED) [[unlikely]]
      result.text_ = copy_of(nacre_errormsg());
    return result;
  }
  /// As from_c, with the text of not_found too: for calls where an absent thing is worth a sentence (open,
  /// table).
  static Status from_c_with_text(int status) noexcept {
    Status result(static_cast<Code>(status));
    if (status != NACRE_OK) result.text_ = copy_of(nacre_errormsg());
    return result;
  }

  bool ok() const noexcept { return code_ == Code::ok; }
  explicit operator bool() const noexcept { return ok(); }
  Code code() const noexcept { return code_; }
  /// "ok", "not_found", ...; never null.
  const char* name() const noexcept { return nacre_status_name(static_cast<int>(code_)); }
  /// The sentence of the failure; the name of the code when there is none. Never empty.
  std::string message() const { return text_ != nullptr && *text_ != '\0' ? text_ : name(); }

  friend bool operator==(const Status& a, const Status& b) noexcept { return a.code_ == b.code_; }
  friend bool operator==(const Status& a, Code b) noexcept { return a.code_ == b; }
  friend std::ostream& operator<<(std::ostream& out, const Status& status) {
    return out << status.name() << (status.text_ != nullptr ? ": " : "")
               << (status.text_ != nullptr ? status.text_ : "");
  }

 private:
  // malloc and not std::string: losing the text for lack of memory must not hide the code.
  static char* copy_of(const char* text) noexcept {
    if (text == nullptr || *text == '\0') return nullptr;
    const size_t bytes = std::strlen(text) + 1;
    auto* copy = static_cast<char*>(std::malloc(bytes));
    if (copy != nullptr) std::memcpy(copy, text, bytes);
    return copy;
  }

  Code code_ = Code::ok;
  char* text_ = nullptr;
};

/// What `value()` on a failed Result throws; what() is the status' name and message.
class BadResult : public std::runtime_error {
 public:
  explicit BadResult(Status status)
      : std::runtime_error(std::string(status.name()) + ": " + status.message()),
        status_(std::move(status)) {}
  const Status& status() const noexcept { return status_; }
  Code code() const noexcept { return status_.code(); }

 private:
  Status status_;
};

namespace detail {

[[noreturn]] inline void bad_result(const Status& status) {
#if defined(__cpp_exceptions)
  throw BadResult(status);
#else
  std::fprintf(stderr, "nacre: value() of a failed result: %s: %s\n", status.name(),
               status.message().c_str());
  std::terminate();
#endif
}

// Runs `fn` so that nothing it throws leaves this frame. False and `error` set when it threw.
template <class F>
bool contain(std::exception_ptr& error, F&& fn) noexcept {
#if defined(__cpp_exceptions)
  try {
    fn();
    return true;
  } catch (...) {
    error = std::current_exception();
    return false;
  }
#else
  static_cast<void>(error);
  fn();
  return true;
#endif
}

inline void rethrow(std::exception_ptr& error) {
#if defined(__cpp_exceptions)
  if (error != nullptr) [[unlikely]]
    std::rethrow_exception(std::move(error));
#else
  static_cast<void>(error);
#endif
}

}  // namespace detail

/// A value or a Status, with the shape of std::expected.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                   // NOLINT: mirrors std::expected
  Result(Status status) noexcept : status_(std::move(status)) {}  // NOLINT
  Result(Code code) noexcept : status_(code) {}                   // NOLINT

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  /// ok when there is a value.
  const Status& status() const& noexcept { return status_; }
  Status status() && noexcept { return std::move(status_); }
  Code code() const noexcept { return status_.code(); }

  /// The value. Of a failed result: throws BadResult, or with -fno-exceptions ends the program. Of a
  /// temporary it comes by value, so that `for (auto& row : db.tables().value())` does not dangle.
  T& value() & { return check(), *value_; }
  const T& value() const& { return check(), *value_; }
  T value() && { return check(), std::move(*value_); }

  /// The value, unchecked: has_value() must be true.
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T operator*() && noexcept { return std::move(*value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }

  template <class U>
  T value_or(U&& other) const& {
    return value_ ? *value_ : static_cast<T>(std::forward<U>(other));
  }
  template <class U>
  T value_or(U&& other) && {
    return value_ ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
  }

 private:
  void check() const {
    if (!value_.has_value()) [[unlikely]]
      detail::bad_result(status_);
  }

  std::optional<T> value_;
  Status status_;
};

/// An allocation class to be made: a unit size in bytes, a multiple of `align`. See nacre_class_add.
struct ClassSpec {
  uint64_t unit_bytes = 0;
  uint64_t align = 0;  ///< 0 is 16

  /// The exact class for records of this key and value: nothing but the rounding up to 16 bytes is wasted.
  static ClassSpec for_record(uint64_t key_bytes, uint64_t value_bytes) noexcept {
    return {nacre_class_unit_of_record(key_bytes, value_bytes), 0};
  }
};

/// One row of Db::classes: a class and what it is filled with, in bytes; each member as in nacre_class_info.
using ClassInfo = nacre_class_info;
/// `count` records of `record_bytes` each, see nacre_record_bytes.
using SizeCount = nacre_size_count;
/// A class worth adding, see nacre_suggestion.
using Suggestion = nacre_suggestion;

/// What Db::suggest_classes found.
struct ClassAdvice {
  std::vector<Suggestion> classes;
  nacre_suggestion_totals totals{};
};

/// How to open a pool; meant for designated initialisers: `{.create_if_missing = true, .size = 1 << 30}`.
struct Options {
  bool create_if_missing = false;  ///< make the pool if the file is not there
  bool error_if_exists = false;    ///< Code::exists if the file is there
  bool read_only = false;          ///< never write; several read-only handles may share a pool
  uint64_t size = 0;               ///< first bytes of a pool to be made; 0 is the library's default (1 GiB)
  std::string medium{};            ///< "auto", "dax", "memory" or "msync"; empty is "auto"
  Engine engine = Engine::hash;    ///< of the default table of a pool to be made
  std::string commit_form{};       ///< "one_fence" or "strict"; empty is "one_fence"
  bool grow = true;                ///< false: through this Db the pool keeps its size
  uint64_t max_size = 0;           ///< the pool grows no larger; 0: no bound but the medium's
  uint64_t grow_step = 0;          ///< what one growth adds, see nacre_options_set_grow_step; 0: an eighth of the pool
  std::vector<ClassSpec> classes{};  ///< of a pool to be made, beside the default ones
};

/// One figure of Db::stats, info or check: a number, or a text when `is_text`.
struct Figure {
  std::string name;
  uint64_t value = 0;
  std::string text;
  bool is_text = false;
};

/// What Db::check found. Findings are the figures named "problem".
struct CheckReport {
  bool sound = false;
  std::vector<Figure> figures;
};

/// One row of Db::tables. `engine` is a name so that a newer library's engines can be listed.
struct TableInfo {
  std::string name;
  std::string engine;
};

/// The calling thread's own costs on a pool since open.
struct ThreadCounters {
  uint64_t fences = 0;
  uint64_t lines = 0;
  uint64_t bytes = 0;
};

/// Pulls the pairs of a table. Move-only; used by one thread at a time. Made by Table::iterator.
class Iterator {
 public:
  Iterator() noexcept = default;
  Iterator(Iterator&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), key_(other.key_), value_(other.value_) {}
  Iterator& operator=(Iterator&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(key_, other.key_);
    std::swap(value_, other.value_);
    return *this;
  }
  ~Iterator() {
    if (handle_ != nullptr) static_cast<void>(nacre_iterator_delete(handle_));
  }

  /// Moves to the next pair, the first on the first call. not_found at the end; corruption, bad_handle.
  Status next() noexcept {
    int status = nacre_iterator_next(handle_);
    const char* key = nullptr;
    const char* value = nullptr;
    size_t key_bytes = 0;
    size_t value_bytes = 0;
    if (status == NACRE_OK) status = nacre_iterator_get(handle_, &key, &key_bytes, &value, &value_bytes);
    key_ = status == NACRE_OK ? std::string_view(key, key_bytes) : std::string_view();
    value_ = status == NACRE_OK ? std::string_view(value, value_bytes) : std::string_view();
    return Status::from_c(status);
  }
  /// The current pair, valid until the next call of next(), the iterator's end or the Db's close. Empty when
  /// there is none.
  std::string_view key() const noexcept { return key_; }
  std::string_view value() const noexcept { return value_; }

 private:
  friend class Table;
  explicit Iterator(nacre_iterator* handle) noexcept : handle_(handle) {}

  nacre_iterator* handle_ = nullptr;
  std::string_view key_;
  std::string_view value_;
};

/// The input iterator of `for (auto [key, value] : table)`. Move-only. A failure ends the loop and is kept
/// here and in the table (Table::iteration_status).
class PairIterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = std::pair<std::string_view, std::string_view>;
  using reference = value_type;
  using difference_type = std::ptrdiff_t;

  PairIterator() noexcept = default;

  value_type operator*() const noexcept { return {pairs_.key(), pairs_.value()}; }
  PairIterator& operator++() noexcept {
    settle(pairs_.next());
    return *this;
  }
  void operator++(int) noexcept { ++*this; }
  /// ok while there are pairs and after a complete pass; else why the pass was cut short.
  const Status& status() const noexcept { return status_; }
  friend bool operator==(const PairIterator& a, std::default_sentinel_t) noexcept { return a.done_; }

 private:
  friend class Table;
  PairIterator(Result<Iterator> pairs, std::atomic<Code>& outcome) noexcept : outcome_(&outcome) {
    if (pairs.has_value()) {
      pairs_ = std::move(*pairs);
      done_ = false;
      ++*this;
    } else {
      settle(pairs.status());
    }
  }
  void settle(Status status) noexcept {
    if (status.ok()) return;
    done_ = true;
    if (status == Code::not_found) return;
    outcome_->store(status.code(), std::memory_order_relaxed);
    status_ = std::move(status);
  }

  Iterator pairs_;
  Status status_;
  std::atomic<Code>* outcome_ = nullptr;
  bool done_ = true;
};

/// A handle of a table: keys to values, both any bytes. Move-only. Its operations may be called from any
/// thread at any time, also while another thread closes the Db (bad_handle from then on). Its end closes the
/// handle; the table stays. A moved-from Table answers bad_handle.
class Table {
 public:
  Table() noexcept = default;
  Table(Table&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {
    outcome_.store(other.outcome_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  Table& operator=(Table&& other) noexcept {
    if (this != &other) {
      close();
      handle_ = std::exchange(other.handle_, nullptr);
      outcome_.store(other.outcome_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    return *this;
  }
  ~Table() { close(); }

  /// Writes or overwrites; atomic, and durable at return on a durable medium. too_large, out_of_space,
  /// read_only, corruption (the bytes to be replaced are damaged; nothing changed), io_error, bad_handle.
  Status put(std::string_view key, std::string_view value) const noexcept {
    return Status::from_c(nacre_put(handle_, key.data(), key.size(), value.data(), value.size()));
  }

  /// A copy of the value. not_found, corruption, out_of_memory, bad_handle.
  Result<std::string> get(std::string_view key) const noexcept {
    Result<std::string> result{std::string()};
    Status status = get_to(key, *result);
    if (!status.ok()) return status;
    return result;
  }

  /// Calls `fn(std::string_view value)` with the value in place; the view ends with the call. `fn` may use
  /// any table, but not close the Db. What `fn` throws is rethrown here. not_found, corruption, bad_handle.
  template <class F>
  requires std::invocable<F&, std::string_view> Status get(std::string_view key, F&& fn)
  const {
    struct Call {
      std::remove_reference_t<F>* fn;
      std::exception_ptr error{};
    } call{std::addressof(fn)};
    nacre_value_fn* thunk = [](const char* value, size_t value_bytes, void* arg) {
      auto& self = *static_cast<Call*>(arg);
      detail::contain(self.error, [&] { (*self.fn)(std::string_view(value, value_bytes)); });
    };
    const int status = nacre_get(handle_, key.data(), key.size(), thunk, &call);
    detail::rethrow(call.error);
    return Status::from_c(status);
  }

  /// As get with a copy, into `reuse`, whose capacity is kept: one lookup, and no allocation once it is large
  /// enough. On anything but ok `reuse` is unchanged. not_found, corruption, out_of_memory, bad_handle.
  Status get_to(std::string_view key, std::string& reuse) const noexcept {
    struct Call {
      std::string* out;
      bool failed = false;
    } call{&reuse};
    nacre_value_fn* thunk = [](const char* value, size_t value_bytes, void* arg) {
      auto& self = *static_cast<Call*>(arg);
      std::exception_ptr error;
      self.failed = !detail::contain(error, [&] { self.out->assign(value, value_bytes); });
    };
    const int status = nacre_get(handle_, key.data(), key.size(), thunk, &call);
    if (call.failed) [[unlikely]]
      return Code::out_of_memory;
    return Status::from_c(status);
  }

  /// ok if the key was there and is gone, durably; not_found.
  Status remove(std::string_view key) const noexcept {
    return Status::from_c(nacre_remove(handle_, key.data(), key.size()));
  }

  /// Whether the key is there. corruption, bad_handle.
  Result<bool> exists(std::string_view key) const noexcept {
    const int status = nacre_exists(handle_, key.data(), key.size());
    if (status == NACRE_OK) return true;
    if (status == NACRE_NOT_FOUND) return false;
    return Status::from_c(status);
  }

  /// The number of keys; exact when no other thread writes.
  Result<uint64_t> count() const noexcept {
    uint64_t count = 0;
    const int status = nacre_count(handle_, &count);
    if (status != NACRE_OK) return Status::from_c(status);
    return count;
  }

  /// Calls `fn(std::string_view key, std::string_view value)` for each pair, in no particular order; a key
  /// that is there throughout is seen exactly once. `fn` returns nothing, or something that converts to bool:
  /// false stops the scan, which then returns Code::stopped. `fn` may get and put. What it throws is rethrown
  /// here.
  template <class F>
  requires std::invocable<F&, std::string_view, std::string_view> Status scan(F&& fn)
  const {
    struct Call {
      std::remove_reference_t<F>* fn;
      std::exception_ptr error{};
    } call{std::addressof(fn)};
    nacre_pair_fn* thunk = [](const char* key, size_t key_bytes, const char* value, size_t value_bytes,
                              void* arg) {
      auto& self = *static_cast<Call*>(arg);
      bool go_on = true;
      const bool finished = detail::contain(self.error, [&] {
        using Answer = std::invoke_result_t<F&, std::string_view, std::string_view>;
        if constexpr (std::is_void_v<Answer>)
          (*self.fn)(std::string_view(key, key_bytes), std::string_view(value, value_bytes));
        else
          go_on = static_cast<bool>(
              (*self.fn)(std::string_view(key, key_bytes), std::string_view(value, value_bytes)));
      });
      return finished && go_on ? 0 : 1;
    };
    const int status = nacre_scan(handle_, thunk, &call);
    detail::rethrow(call.error);
    return Status::from_c(status);
  }

  /// Removes all pairs, atomically.
  Status clear() const noexcept { return Status::from_c(nacre_clear(handle_)); }

  /// A pull iterator, before the first pair. out_of_memory, limit, bad_handle.
  Result<Iterator> iterator() const noexcept {
    nacre_iterator* handle = nullptr;
    const int status = nacre_iterator_new(handle_, &handle);
    if (status != NACRE_OK) return Status::from_c(status);
    return Iterator(handle);
  }

  /// `for (auto [key, value] : table)`: two views of the current pair, valid until the next step. The Table
  /// must not be moved or end while the loop runs. A failure ends the loop early: ask iteration_status()
  /// after it.
  PairIterator begin() const noexcept {
    outcome_.store(Code::ok, std::memory_order_relaxed);
    return PairIterator(iterator(), outcome_);
  }
  std::default_sentinel_t end() const noexcept { return {}; }
  /// Why the latest loop over this object was cut short; ok if it was not. When several threads loop over one
  /// Table object they share this word: use iterator() there, which has a status of its own.
  Status iteration_status() const noexcept {
    return Status::from_c(static_cast<int>(outcome_.load(std::memory_order_relaxed)));
  }

  /// The C handle, still owned by this object; null when moved from.
  nacre_table* handle() const noexcept { return handle_; }

 private:
  friend class Db;
  explicit Table(nacre_table* handle) noexcept : handle_(handle) {}
  void close() noexcept {
    if (handle_ != nullptr) static_cast<void>(nacre_table_close(handle_));
  }

  nacre_table* handle_ = nullptr;
  mutable std::atomic<Code> outcome_{Code::ok};
};

/// An open pool. Move-only; its end closes the pool and all its tables and iterators. Calls may be made from
/// any thread at any time, also while another thread calls close().
class Db {
 public:
  Db() noexcept = default;
  Db(Db&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Db& operator=(Db&& other) noexcept {
    if (this != &other) {
      end();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Db() { end(); }

  /// Opens or makes the pool at `path` (ignored for the medium "memory"). not_found, exists, locked,
  /// not_a_pool, incompatible, corruption, io_error, out_of_space, out_of_memory, invalid_argument.
  static Result<Db> open(const std::string& path, const Options& options = {}) {
    OwnedOptions owned;
    int status = nacre_options_new(&owned.handle);
    if (status == NACRE_OK) status = owned.fill(options);
    nacre_db* handle = nullptr;
    if (status == NACRE_OK) status = nacre_open(path.c_str(), owned.handle, &handle);
    if (status != NACRE_OK) return Status::from_c_with_text(status);
    return Db(handle);
  }

  /// Closes the pool, and with it every Table and Iterator made from it. Waits for calls that run in other
  /// threads. invalid_argument from inside a callable (nothing is closed); io_error: it is closed all the
  /// same and the next open recovers it; bad_handle: it was closed before.
  Status close() noexcept { return Status::from_c(nacre_close(handle_)); }

  /// Opens an existing table; not_found if there is none of that name.
  Result<Table> table(std::string_view name) const { return open_table(name, nullptr); }
  /// Opens a table, making it with `engine` if it is not there, durably. invalid_argument: it has another
  /// engine, or the name is not 1 to 255 bytes long. limit, out_of_space, read_only.
  Result<Table> table(std::string_view name, Engine engine) const {
    return open_table(name, engine_name(engine));
  }
  /// The pool's table named "default".
  Result<Table> default_table() const {
    nacre_table* handle = nullptr;
    const int status = nacre_table_default(handle_, &handle);
    if (status != NACRE_OK) return Status::from_c_with_text(status);
    return Table(handle);
  }
  /// Removes a table with all its pairs; open handles of it answer bad_handle from then on. not_found;
  /// invalid_argument for the default table and from inside a callable.
  Status drop_table(std::string_view name) const noexcept {
    return Status::from_c_with_text(nacre_table_drop(handle_, name.data(), name.size()));
  }
  Result<std::vector<TableInfo>> tables() const {
    struct Call {
      std::vector<TableInfo> rows;
      std::exception_ptr error;
    } call;
    nacre_table_fn* thunk = [](const char* name, size_t name_bytes, const char* engine, void* arg) {
      auto& self = *static_cast<Call*>(arg);
      const bool kept = detail::contain(self.error, [&] {
        self.rows.push_back({std::string(name, name_bytes), std::string(engine)});
      });
      return kept ? 0 : 1;
    };
    const int status = nacre_table_list(handle_, thunk, &call);
    if (call.error != nullptr) return Code::out_of_memory;
    if (status != NACRE_OK) return Status::from_c(status);
    return std::move(call.rows);
  }

  /// The allocation classes and what they are filled with, ascending by unit; retired ones too. Holds writers back
  /// while it counts. corruption, out_of_memory, bad_handle.
  Result<std::vector<ClassInfo>> classes() const {
    Rows<ClassInfo> call;
    const int status = nacre_class_list(handle_, call.collect, &call);
    if (call.error != nullptr) return Code::out_of_memory;
    if (status != NACRE_OK) return Status::from_c(status);
    return std::move(call.rows);
  }
  /// Adds an allocation class, or revives the retired one of its size; durable at return. invalid_argument, exists,
  /// limit, read_only, corruption, io_error, bad_handle.
  Status add_class(const ClassSpec& spec) const noexcept {
    return Status::from_c(nacre_class_add(handle_, spec.unit_bytes, spec.align));
  }
  /// Retires the class of this unit: at return, durably, it hands out nothing more; its records stay. not_found,
  /// invalid_argument (the index itself needs it), read_only, corruption, io_error, bad_handle.
  Status retire_class(uint64_t unit_bytes) const noexcept {
    return Status::from_c_with_text(nacre_class_retire(handle_, unit_bytes));
  }
  /// The at most `max_classes` classes that would save most for records of these sizes. Changes nothing.
  /// invalid_argument, limit, out_of_memory, bad_handle.
  Result<ClassAdvice> suggest_classes(const std::vector<SizeCount>& histogram, uint32_t max_classes = 4) const {
    Rows<Suggestion> call;
    ClassAdvice advice;
    const int status = nacre_class_suggest(handle_, histogram.data(), histogram.size(), max_classes,
                                           call.collect, &call, &advice.totals);
    if (call.error != nullptr) return Code::out_of_memory;
    if (status != NACRE_OK) return Status::from_c(status);
    advice.classes = std::move(call.rows);
    return advice;
  }

  /// Counters since open: fences, flushed lines and bytes, commits, puts, gets ...
  Result<std::vector<Figure>> stats() const { return figures(nacre_stats); }
  /// What the pool is: format version, identity, medium, geometry, space by use, tables.
  Result<std::vector<Figure>> info() const { return figures(nacre_info); }
  /// Verifies every structure and record. A damaged pool is a report with `sound` false, not a failed Result.
  /// No other thread may write meanwhile. Never writes.
  Result<CheckReport> check() const {
    Collect call;
    const int status = nacre_check(handle_, collect, &call);
    if (call.error != nullptr) return Code::out_of_memory;
    const bool findings = status == NACRE_CORRUPTION && call.has_problem();
    if (status != NACRE_OK && !findings) return Status::from_c(status);
    return CheckReport{!findings, std::move(call.rows)};
  }
  /// Gives empty space at the pool's end back to the medium. locked: try again; not_supported, read_only, io_error,
  /// corruption; invalid_argument from inside a callable.
  Status shrink() const noexcept { return Status::from_c(nacre_shrink(handle_)); }
  /// Fences, flushed lines and flushed bytes of the calling thread on this pool since open.
  Result<ThreadCounters> thread_counters() const noexcept {
    ThreadCounters counters;
    const int status = nacre_thread_counters(handle_, &counters.fences, &counters.lines, &counters.bytes);
    if (status != NACRE_OK) return Status::from_c(status);
    return counters;
  }

  /// The C handle, still owned by this object; null when moved from.
  nacre_db* handle() const noexcept { return handle_; }

 private:
  struct OwnedOptions {
    nacre_options* handle = nullptr;
    OwnedOptions() = default;
    OwnedOptions(const OwnedOptions&) = delete;
    OwnedOptions& operator=(const OwnedOptions&) = delete;
    ~OwnedOptions() { nacre_options_delete(handle); }

    int fill(const Options& from) const {
      int status = nacre_options_set_create_if_missing(handle, from.create_if_missing);
      if (status == NACRE_OK) status = nacre_options_set_error_if_exists(handle, from.error_if_exists);
      if (status == NACRE_OK) status = nacre_options_set_read_only(handle, from.read_only);
      if (status == NACRE_OK && from.size != 0) status = nacre_options_set_size(handle, from.size);
      if (status == NACRE_OK && !from.medium.empty())
        status = nacre_options_set_medium(handle, from.medium.c_str());
      if (status == NACRE_OK) status = nacre_options_set_engine(handle, engine_name(from.engine));
      if (status == NACRE_OK && !from.commit_form.empty())
        status = nacre_options_set_commit_form(handle, from.commit_form.c_str());
      if (status == NACRE_OK) status = nacre_options_set_grow(handle, from.grow);
      if (status == NACRE_OK) status = nacre_options_set_max_size(handle, from.max_size);
      if (status == NACRE_OK) status = nacre_options_set_grow_step(handle, from.grow_step);
      for (const ClassSpec& spec : from.classes)
        if (status == NACRE_OK) status = nacre_options_add_class(handle, spec.unit_bytes, spec.align);
      return status;
    }
  };

  /// Collects the rows of a callback with structs. A library of a later version passes longer ones.
  template <class Row>
  struct Rows {
    std::vector<Row> rows;
    std::exception_ptr error;
    static int collect(const Row* row, size_t row_bytes, void* arg) noexcept {
      auto& self = *static_cast<Rows*>(arg);
      const bool kept = detail::contain(self.error, [&] {
        Row copy{};
        std::memcpy(&copy, row, row_bytes < sizeof copy ? row_bytes : sizeof copy);
        self.rows.push_back(copy);
      });
      return kept ? 0 : 1;
    }
  };

  struct Collect {
    std::vector<Figure> rows;
    std::exception_ptr error;
    bool has_problem() const {
      for (const Figure& row : rows)
        if (row.name == "problem") return true;
      return false;
    }
  };
  static int collect(const char* name, uint64_t value, const char* text, void* arg) noexcept {
    auto& self = *static_cast<Collect*>(arg);
    const bool kept = detail::contain(self.error, [&] {
      self.rows.push_back(
          {std::string(name), value, std::string(text != nullptr ? text : ""), text != nullptr});
    });
    return kept ? 0 : 1;
  }
  template <class Source>
  Result<std::vector<Figure>> figures(Source source) const {
    Collect call;
    const int status = source(handle_, collect, &call);
    if (call.error != nullptr) return Code::out_of_memory;
    if (status != NACRE_OK) return Status::from_c(status);
    return std::move(call.rows);
  }

  Result<Table> open_table(std::string_view name, const char* engine) const {
    nacre_table* handle = nullptr;
    const int status = nacre_table_open(handle_, name.data(), name.size(), engine, &handle);
    if (status != NACRE_OK) return Status::from_c_with_text(status);
    return Table(handle);
  }

  explicit Db(nacre_db* handle) noexcept : handle_(handle) {}
  // close() leaves handle_ as it is: other threads may be reading it, and the registry knows that it is
  // closed.
  void end() noexcept {
    if (handle_ != nullptr) static_cast<void>(nacre_close(handle_));
  }

  nacre_db* handle_ = nullptr;
};

}  // namespace face
}  // namespace nacre

#endif
