// Files and faults for the tests of whatever stands on a file.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "pmem/base/os.h"
#include "pmem/media/open.h"

namespace nacre::test {

/// A folder of its own, removed with everything in it.
class TempFolder {
 public:
  explicit TempFolder(const char* where = nullptr) {
    path_ = std::string(where != nullptr ? where : "/tmp") + "/nacre-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TempFolder() {
    if (std::system(("rm -rf '" + path_ + "'").c_str()) != 0) std::abort();
  }
  TempFolder(const TempFolder&) = delete;
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Makes one kind of system call fail with `error`, from its `skip`-th use on, for the life of the object.
class ScopedFault {
 public:
  ScopedFault(os::Call call, int error, int skip = 0, int times = 1 << 30) {
    s_call = call;
    s_error = error;
    s_skip = skip;
    s_times = times;
    os::set_fault_hook([](os::Call c) {
      if (c != s_call) return 0;
      if (s_skip.fetch_sub(1) > 0) return 0;
      return s_times.fetch_sub(1) > 0 ? s_error.load() : 0;
    });
  }
  ~ScopedFault() { os::set_fault_hook(nullptr); }
  ScopedFault(const ScopedFault&) = delete;

 private:
  static inline std::atomic<os::Call> s_call{};
  static inline std::atomic<int> s_error{0}, s_skip{0}, s_times{0};
};

inline bool file_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

inline uint64_t file_bytes(const std::string& path) {
  struct stat st = {};
  return ::stat(path.c_str(), &st) == 0 ? static_cast<uint64_t>(st.st_size) : 0;
}

/// All bytes of a file; empty if it cannot be read.
inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Makes the file anew with these bytes, or ends the test.
inline void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) std::abort();
}

inline pmem::OpenRequest create_request(const std::string& path, pmem::MediumRequest medium,
                                        uint64_t bytes = 1 << 20) {
  pmem::OpenRequest request;
  request.path = path.c_str();
  request.medium = medium;
  request.create = true;
  request.create_bytes = bytes;
  return request;
}

inline pmem::OpenRequest open_request(const std::string& path, pmem::MediumRequest medium,
                                      pmem::Access access = pmem::Access::read_write) {
  pmem::OpenRequest request;
  request.path = path.c_str();
  request.medium = medium;
  request.access = access;
  return request;
}

}  // namespace nacre::test
