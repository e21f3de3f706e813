#include "pmem/base/status.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace nacre {
namespace {

constexpr int kMessageBytes = 512;
thread_local char t_message[kMessageBytes];

}  // namespace

const char* code_name(Code code) noexcept {
  switch (code) {
    case Code::ok: return "ok";
    case Code::not_found: return "not_found";
    case Code::exists: return "exists";
    case Code::stopped: return "stopped";
    case Code::invalid_argument: return "invalid_argument";
    case Code::bad_handle: return "bad_handle";
    case Code::read_only: return "read_only";
    case Code::out_of_space: return "out_of_space";
    case Code::out_of_memory: return "out_of_memory";
    case Code::too_large: return "too_large";
    case Code::io_error: return "io_error";
    case Code::locked: return "locked";
    case Code::corruption: return "corruption";
    case Code::media_error: return "media_error";
    case Code::incompatible: return "incompatible";
    case Code::not_a_pool: return "not_a_pool";
    case Code::not_supported: return "not_supported";
    case Code::limit: return "limit";
    case Code::internal: return "internal";
  }
  return "unknown";
}

Status Status::error(Code code, const char* format, ...) noexcept {
  va_list args;
  va_start(args, format);
  std::vsnprintf(t_message, kMessageBytes, format, args);
  va_end(args);
  Status s(code);
  s.has_text_ = true;
  return s;
}

Status Status::system_error(Code code, int sys_errno, const char* format, ...) noexcept {
  va_list args;
  va_start(args, format);
  int used = std::vsnprintf(t_message, kMessageBytes, format, args);
  va_end(args);
  if (used < 0) used = 0;
  if (used < kMessageBytes) {
    char reason[128];
    const char* text = ::strerror_r(sys_errno, reason, sizeof reason);  // GNU form: returns the text
    std::snprintf(t_message + used, static_cast<size_t>(kMessageBytes - used), ": %s (errno %d)", text, sys_errno);
  }
  Status s(code);
  s.has_text_ = true;
  s.sys_errno_ = sys_errno;
  return s;
}

const char* Status::message() const noexcept { return has_text_ ? t_message : ""; }
const char* last_message() noexcept { return t_message; }
void clear_last_message() noexcept { t_message[0] = '\0'; }

}  // namespace nacre
