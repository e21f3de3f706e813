// For the tests of media.
#pragma once

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "tests/support/files.h"

namespace nacre::test {

/// Sets an environment variable (null: removes it) for the life of the object.
class ScopedEnv {
 public:
  ScopedEnv(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~ScopedEnv() { set(old_ ? old_->c_str() : nullptr); }
  ScopedEnv(const ScopedEnv&) = delete;

 private:
  void set(const char* value) {
    if (value != nullptr)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> old_;
};

inline char file_byte(const std::string& path, uint64_t off) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(off));
  return static_cast<char>(in.get());
}

inline constexpr pmem::Site kTestSite{"test.unit.pmem"};

}  // namespace nacre::test
