#include "pmem/base/status.h"

#include "bindings/include/nacre/nacre.h"

// The two lists of numbers are one.
static_assert(NACRE_OK == static_cast<int>(nacre::Code::ok));
static_assert(NACRE_NOT_FOUND == static_cast<int>(nacre::Code::not_found));
static_assert(NACRE_EXISTS == static_cast<int>(nacre::Code::exists));
static_assert(NACRE_STOPPED == static_cast<int>(nacre::Code::stopped));
static_assert(NACRE_INVALID_ARGUMENT == static_cast<int>(nacre::Code::invalid_argument));
static_assert(NACRE_BAD_HANDLE == static_cast<int>(nacre::Code::bad_handle));
static_assert(NACRE_READ_ONLY == static_cast<int>(nacre::Code::read_only));
static_assert(NACRE_OUT_OF_SPACE == static_cast<int>(nacre::Code::out_of_space));
static_assert(NACRE_OUT_OF_MEMORY == static_cast<int>(nacre::Code::out_of_memory));
static_assert(NACRE_TOO_LARGE == static_cast<int>(nacre::Code::too_large));
static_assert(NACRE_IO_ERROR == static_cast<int>(nacre::Code::io_error));
static_assert(NACRE_LOCKED == static_cast<int>(nacre::Code::locked));
static_assert(NACRE_CORRUPTION == static_cast<int>(nacre::Code::corruption));
static_assert(NACRE_MEDIA_ERROR == static_cast<int>(nacre::Code::media_error));
static_assert(NACRE_INCOMPATIBLE == static_cast<int>(nacre::Code::incompatible));
static_assert(NACRE_NOT_A_POOL == static_cast<int>(nacre::Code::not_a_pool));
static_assert(NACRE_NOT_SUPPORTED == static_cast<int>(nacre::Code::not_supported));
static_assert(NACRE_LIMIT == static_cast<int>(nacre::Code::limit));
static_assert(NACRE_INTERNAL == static_cast<int>(nacre::Code::internal));

const char* nacre_version(void) { return NACRE_VERSION; }

const char* nacre_errormsg(void) { return nacre::last_message(); }

const char* nacre_status_name(int status) {
  if (status < NACRE_OK || status > NACRE_INTERNAL) return "unknown";
  return nacre::code_name(static_cast<nacre::Code>(status));
}
