#include "tests/fault/right_codes.h"

#include <cerrno>

namespace nacre::fault_test {
namespace {

using Where = Outcome::Where;

constexpr uint32_t bit(Code code) noexcept { return 1u << static_cast<uint32_t>(code); }
constexpr uint32_t kOk = bit(Code::ok), kIo = bit(Code::io_error), kSpace = bit(Code::out_of_space),
                   kMemory = bit(Code::out_of_memory), kLocked = bit(Code::locked), kReadOnly = bit(Code::read_only);

bool says_full(int error) noexcept { return error == ENOSPC || error == EFBIG || error == EDQUOT; }

// What the caller may hear of one failed call. `where` is where the life ended, which tells what the call was for.
uint32_t right_codes(os::Call call, int error, Where where, bool shrinking, engine::MediumChoice medium) noexcept {
  const bool opening = where == Where::open;
  switch (call) {
    case os::Call::close:  // io_error: of the folder of a new pool, after its fsync
      return opening ? kOk | kIo : kOk;
    case os::Call::munmap:  // of what is not used again; a wish; a file that is nobody's
    case os::Call::madvise:
    case os::Call::huge_pages:
    case os::Call::unlink:
      return kOk;
    case os::Call::lock:
      return error == EAGAIN || error == EACCES ? kLocked : kIo;
    case os::Call::fallocate:
      return !opening || says_full(error) ? kSpace : kIo;
    // A pool that cannot grow, for whatever reason, is full to whoever wanted room.
    case os::Call::statvfs:
    case os::Call::getrlimit:
      return opening ? kIo : kSpace;
    case os::Call::fsync:
      // On an ordinary file it may have been about pages of a commit: as final as a failed msync.
      if (medium == engine::MediumChoice::msync && where == Where::step) return kIo | kReadOnly;
      return opening || shrinking ? kIo : kSpace;
    case os::Call::msync:
      // read_only: the call failed in work that no caller waits for (the rest of a clear), or in a growth.
      return where == Where::step ? kIo | kReadOnly : kIo;
    case os::Call::mmap:
      if (error == ENOMEM) return kMemory | kOk;  // ok: asked whether MAP_SYNC works, or for fewer addresses
      if (opening) return kIo | kMemory | kOk;    // addresses that cannot be had are memory, whatever errno
      return where == Where::nowhere ? kOk : shrinking ? kIo : kSpace;
    case os::Call::open:
    case os::Call::stat:
    case os::Call::fstat:
    case os::Call::ftruncate:
    case os::Call::getrandom:
    case os::Call::rename:
    case os::Call::pread:
    case os::Call::pwrite:
    case os::Call::fdatasync:
      return kIo;
    case os::Call::count_:
      break;
  }
  return 0;
}

}  // namespace

std::string wrong_code(const Fault& fault, os::Call call, const Outcome& outcome, std::string_view step,
                       engine::MediumChoice medium) {
  uint32_t right = 0;
  if (fault.what == What::allocation) {
    right = kMemory | kOk;  // ok: it was for something that can be done without
  } else if (fault.error == EINTR) {
    right = kOk;
  } else {
    const bool shrinking = step == "shrink";
    right = right_codes(call, fault.error, outcome.where, shrinking, medium);
    // If all later calls fail as well, one of them may be the one that counts.
    if (fault.mode == Mode::sticky)
      for (uint32_t c = 0; c < static_cast<uint32_t>(os::Call::count_); ++c)
        right |= right_codes(static_cast<os::Call>(c), fault.error, outcome.where, shrinking, medium) & ~kOk;
  }
  if ((right & bit(outcome.code)) != 0) return {};
  return std::string(name_of(outcome.where)) + " " + std::string(step) + ": the status is " + code_name(outcome.code);
}

}  // namespace nacre::fault_test
