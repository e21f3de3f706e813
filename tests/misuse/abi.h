// The C ABI as a table: every function with the role of each of its arguments. The misuses are generated from it, and
// a function that libnacre.so exports and that has no row here fails the test.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "nacre/nacre.h"

namespace nacre::misuse {

/// What an argument is for. It decides what a valid value is, and which values are wrong.
enum class Role : uint8_t {
  options,
  options_or_null,
  db,
  table,
  iterator,  // handles
  out_handle,
  out_number,
  out_optional,  // where answers go
  value_fn,
  pair_fn,
  figure_fn,
  table_fn,
  class_fn,
  suggestion_fn,  // callbacks
  callback_arg,
  key,
  value,
  buffer,
  name,
  histogram,  // bytes; the argument after them is their number
  bytes,
  path,
  engine_or_null,
  engine_text,
  medium_text,
  form_text,  // NUL-terminated
  flag,
  pool_bytes,
  step_bytes,
  new_unit,
  live_unit,
  align,
  max_classes,
  any_number,
};

constexpr bool is_handle(Role role) noexcept { return role <= Role::iterator; }
constexpr bool is_callback(Role role) noexcept { return role >= Role::value_fn && role <= Role::suggestion_fn; }

/// Arguments of a call, each as a word; pointers as their addresses.
using Words = std::array<uint64_t, 7>;

/// What a function is besides its arguments.
struct Traits {
  bool writes = false;           ///< NACRE_READ_ONLY on a read-only pool
  bool waits_for_calls = false;  ///< NACRE_INVALID_ARGUMENT inside a callback
  bool has_status = true;        ///< else it returns something that cannot be wrong
};

struct Function {
  const char* name;
  Traits traits;
  std::vector<Role> roles;
  int (*call)(const Words& words);

  /// The index of the first argument with this role, -1 if there is none.
  int find(Role role) const noexcept;
  int callback() const noexcept;
};

/// All rows.
std::span<const Function> functions();
/// The row of this name; ends the program if there is none.
const Function& function(const char* name);

/// What libnacre.so, as it is loaded here, exports. Empty if its file cannot be read.
std::vector<std::string> exported_functions();

}  // namespace nacre::misuse
