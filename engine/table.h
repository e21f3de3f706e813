// A table: keys to values under one engine. Every engine implements this interface and one row in engines.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "pmem/base/result.h"
#include "pmem/base/status.h"

namespace nacre::engine {

enum class EngineKind : uint8_t { none = 0, hash = 1, dram = 2 };

/// A non-owning reference to a callable, two words, never allocates. The callable must outlive the call.
template <class Signature>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
  FunctionRef(F&& f) noexcept  // NOLINT: implicit by design
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

using ValueFn = FunctionRef<void(std::string_view value)>;
/// Returns true to go on, false to stop.
using PairFn = FunctionRef<bool(std::string_view key, std::string_view value)>;

/// Pulls pairs; see Table::cursor.
class Cursor {
 public:
  virtual ~Cursor() = default;
  /// Moves to the next pair. Code::not_found at the end, Code::corruption at damaged bytes.
  virtual Status next() = 0;
  /// The current pair; valid until the next call. Undefined before the first successful next().
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
};

class Table {
 public:
  virtual ~Table() = default;

  /// Writes or overwrites; atomic, and durable at return on a durable medium. Errors: too_large, out_of_space,
  /// read_only, corruption, io_error, limit. Thread-safe, as everything here.
  virtual Status put(std::string_view key, std::string_view value) = 0;
  /// Calls `fn` with the value in place; the view is valid only during the call. not_found, corruption.
  virtual Status get(std::string_view key, ValueFn fn) = 0;
  /// ok if it was there and is gone, durably; not_found.
  virtual Status remove(std::string_view key) = 0;
  virtual Status exists(std::string_view key) = 0;
  /// Exact when no other thread writes.
  virtual Result<uint64_t> count() = 0;
  /// Each pair that is there throughout exactly once, in the engine's order. Code::stopped if fn returned false.
  virtual Status scan(PairFn fn) = 0;
  virtual Result<std::unique_ptr<Cursor>> cursor() = 0;
  virtual Status clear() = 0;

  virtual EngineKind kind() const noexcept = 0;
};

}  // namespace nacre::engine
