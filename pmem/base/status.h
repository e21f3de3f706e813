// Errors are values. A Status is eight bytes, trivially copyable and never allocates; the sentence that goes
// with it lives in a thread-local buffer and names the operation, the object, the numbers and what to do.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace nacre {

/// The outcome of an operation. The numbers are those of the C ABI (`nacre_status` in <nacre/nacre.h>) and
/// never change their meaning.
enum class Code : uint8_t {
  ok = 0,
  not_found = 1,         ///< an answer, not a failure: the key, table or file is not there
  exists = 2,            ///< the table or pool is there already and the caller asked for a new one
  stopped = 3,           ///< a callback asked to stop
  invalid_argument = 4,  ///< the call itself is wrong; nothing was changed
  bad_handle = 5,        ///< a closed, foreign, null or double-closed handle
  read_only = 6,         ///< the pool was opened read-only, or became so after a failure
  out_of_space = 7,      ///< the pool is full; it stays as it was and stays usable
  out_of_memory = 8,     ///< DRAM could not be had; nothing was changed
  too_large = 9,         ///< a key, value or commit exceeds a limit; the text says which
  io_error = 10,         ///< a system call failed; the text names it, with errno
  locked = 11,           ///< another process or handle has the pool open
  corruption = 12,       ///< bytes of the pool fail their check
  media_error = 13,      ///< the medium itself reports lost bytes
  incompatible = 14,     ///< another version of the format, or a feature this build does not know
  not_a_pool = 15,       ///< the file is not a Nacre pool
  not_supported = 16,    ///< this engine or medium has no such operation
  limit = 17,            ///< a count is exhausted (tables, threads, sequence numbers)
  internal = 18,         ///< a check of our own failed; the handle refuses further writes
};

/// The name of a code as printed by tools, e.g. "out_of_space". Never null.
const char* code_name(Code code) noexcept;

class [[nodiscard]] Status {
 public:
  constexpr Status() noexcept = default;
  constexpr Status(Code code) noexcept : code_(code) {}  // NOLINT: a bare code is a status without text

  /// A status with text: formats into the calling thread's message buffer (511 bytes, longer text is cut).
  [[gnu::format(printf, 2, 3)]] static Status error(Code code, const char* format, ...) noexcept;

  /// As `error`, with ": <strerror> (errno N)" added; errno is taken from `sys_errno`.
  [[gnu::format(printf, 3, 4)]] static Status system_error(Code code, int sys_errno, const char* format,
                                                           ...) noexcept;

  constexpr bool ok() const noexcept { return code_ == Code::ok; }
  constexpr explicit operator bool() const noexcept { return ok(); }
  constexpr Code code() const noexcept { return code_; }
  constexpr int sys_errno() const noexcept { return sys_errno_; }
  const char* name() const noexcept { return code_name(code_); }

  /// The text of the calling thread's most recent failure; empty if this status was made without text.
  const char* message() const noexcept;

  friend constexpr bool operator==(Status a, Status b) noexcept { return a.code_ == b.code_; }

 private:
  Code code_ = Code::ok;
  bool has_text_ = false;
  int32_t sys_errno_ = 0;
};
static_assert(sizeof(Status) == 8 && std::is_trivially_copyable_v<Status>);

/// The calling thread's last failure text ("" before any). Not cleared by success.
const char* last_message() noexcept;
void clear_last_message() noexcept;

}  // namespace nacre

/// Returns the status of `expr` from the enclosing function unless it is ok.
#define NACRE_TRY(expr)                                    \
  do {                                                     \
    if (::nacre::Status nacre_status_ = (expr); !nacre_status_.ok()) [[unlikely]] \
      return nacre_status_;                                \
  } while (0)
