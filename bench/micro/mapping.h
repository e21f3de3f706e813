// The memory the prices are taken on: shared, populated, of 4 KiB pages; anonymous, or a file of tmpfs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace nacre::bench {

/// What the command line of nacre_micro says.
struct MicroOptions {
  std::string folder;                  ///< of the mapped files; empty: anonymous memory
  uint64_t bytes = uint64_t{1} << 30;  ///< of the mapping that random reads go over
};
const MicroOptions& micro_options();

/// A mapping that lives as long as the object. Every page is there after the constructor. Ends the program
/// with a message when it cannot be had: a benchmark has nobody to report to.
class Mapping {
 public:
  explicit Mapping(uint64_t bytes, bool huge_pages = false);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* data() const noexcept { return data_; }
  uint64_t size_bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace nacre::bench
