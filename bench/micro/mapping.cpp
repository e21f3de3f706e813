#include "bench/micro/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace nacre::bench {

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "nacre_micro: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

// An unlinked file: nothing stays behind, however the program ends.
int scratch_file(const std::string& folder, uint64_t bytes) {
  std::string path = folder + "/nacre_micro-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) fail(path.c_str());
  (void)unlink(path.c_str());
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes)); error != 0) {
    errno = error;
    fail("posix_fallocate");
  }
  return fd;
}

}  // namespace

// Huge pages are asked for on private anonymous memory, where they are most often allowed.
Mapping::Mapping(uint64_t bytes, bool huge_pages) : bytes_(bytes) {
  const std::string& folder = micro_options().folder;
  const bool file = !folder.empty() && !huge_pages;
  const int fd = file ? scratch_file(folder, bytes) : -1;
  const int flags = (file ? MAP_SHARED : MAP_ANONYMOUS | (huge_pages ? MAP_PRIVATE : MAP_SHARED));
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) fail("mmap");
  if (fd >= 0) (void)close(fd);
  (void)madvise(at, bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  data_ = static_cast<std::byte*>(at);
  std::memset(data_, 1, bytes_);
}

Mapping::~Mapping() { (void)munmap(data_, bytes_); }

}  // namespace nacre::bench
