// Result<T>: a value or a Status, with the shape of std::expected (which this toolchain lacks).
#pragma once

#include <cassert>
#include <optional>
#include <utility>

#include "pmem/base/status.h"

namespace nacre {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}            // NOLINT: mirrors std::expected
  Result(Status status) noexcept : status_(status) {}      // NOLINT
  Result(Code code) noexcept : status_(code) {}            // NOLINT

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  Status status() const noexcept { return status_; }

  T& value() & { return assert(value_), *value_; }
  const T& value() const& { return assert(value_), *value_; }
  T&& value() && { return assert(value_), std::move(*value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

  template <class U>
  T value_or(U&& other) const& {
    return value_ ? *value_ : static_cast<T>(std::forward<U>(other));
  }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace nacre

#define NACRE_CONCAT_(a, b) a##b
#define NACRE_CONCAT(a, b) NACRE_CONCAT_(a, b)
#define NACRE_ASSIGN_(tmp, decl, expr)                  \
  auto tmp = (expr);                                    \
  if (!tmp.has_value()) [[unlikely]] return tmp.status(); \
  decl = std::move(*tmp)
/// Declares or assigns `decl` from a Result, or returns its status: NACRE_ASSIGN(auto x, compute());
#define NACRE_ASSIGN(decl, expr) NACRE_ASSIGN_(NACRE_CONCAT(nacre_result_, __LINE__), decl, expr)
