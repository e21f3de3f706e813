// The dump of one table: what `nacre dump` writes and `nacre load` reads.
//
//   nacre-dump 1 {"nacre":"0.1.0","table":"default","engine":"hash"}\n     header; 1 is the format version
//   +5,3:hello->abc\n                                                      key bytes, value bytes, raw bytes
//   +0,2:->\n\n\n                                                          an empty key, a value of two
//   newlines =2 6fd5d1e0b1a2c3d4\n                                                  records, XXH3-64 of all
//   bytes before '='
//
// Records are those of Bernstein's cdbmake. Lengths are decimal without leading zeros. Nothing follows the
// trailer. A dump that lost its tail has no trailer; one that was altered has another checksum.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/pair_source.h"
#include "tools/stream.h"

namespace nacre::tools {

inline constexpr std::string_view kDumpMagic = "nacre-dump ";
inline constexpr int kDumpVersion = 1;

class DumpWriter {
 public:
  /// Writes the header.
  DumpWriter(Output& out, std::string_view table, std::string_view engine);
  ~DumpWriter();
  void add(std::string_view key, std::string_view value);
  /// Writes the trailer.
  void finish();
  uint64_t records() const noexcept { return records_; }
  uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Hash;
  void write(std::string_view bytes);

  Output& out_;
  std::unique_ptr<Hash> hash_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
};

/// Reads a dump. next() is false only after a trailer that fits; everything else is Failure(corruption), or
/// Failure(incompatible) for another format version.
std::unique_ptr<PairSource> make_dump_source(Input& input);

}  // namespace nacre::tools
