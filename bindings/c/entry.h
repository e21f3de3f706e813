// The frame around every function of the C ABI: nothing throws across it, and every failure has a text.
#pragma once

#include <exception>
#include <new>
#include <string_view>

#include "pmem/base/status.h"

namespace nacre::bindings {

/// Turns a status into the C code. Failures without a text get one; not_found and stopped are answers and
/// need none.
inline int answer(const char* operation, Status status) noexcept {
  if (status.ok() || status.code() == Code::not_found || status.code() == Code::stopped) [[likely]]
    return static_cast<int>(status.code());
  if (*status.message() == '\0') status = Status::error(status.code(), "%s: %s", operation, status.name());
  return static_cast<int>(status.code());
}

/// As answer, for calls whose not_found is worth a sentence.
inline int answer_with_text(const char* operation, Status status) noexcept {
  if (!status.ok() && *status.message() == '\0')
    status = Status::error(status.code(), "%s: %s", operation, status.name());
  return static_cast<int>(status.code());
}

/// Runs `body`, which returns a C code.
template <class Body>
int entry(const char* operation, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return answer(operation, Status::error(Code::out_of_memory, "%s: out of memory", operation));
  } catch (const std::exception& e) {
    return answer(operation,
                  Status::error(Code::internal, "%s: unexpected exception: %s", operation, e.what()));
  } catch (...) {
    return answer(operation, Status::error(Code::internal, "%s: unexpected exception", operation));
  }
}

inline int invalid(const char* operation, const char* what) noexcept {
  return answer(operation, Status::error(Code::invalid_argument, "%s: %s", operation, what));
}

/// (null, 0) is the empty string; (null, n) is wrong.
inline bool is_string(const char* bytes, size_t count) noexcept { return bytes != nullptr || count == 0; }

/// Callbacks get a pointer they may hand to memcpy, also for the empty string.
inline const char* data_of(std::string_view view) noexcept {
  return view.data() != nullptr ? view.data() : "";
}

}  // namespace nacre::bindings
