// Where load takes its pairs from: TSV, JSON lines or a dump.
#pragma once

#include <memory>
#include <string>

#include "tools/stream.h"

namespace nacre::tools {

struct Pair {
  std::string key;
  std::string value;
};

class PairSource {
 public:
  virtual ~PairSource() = default;
  /// Reads the next pair; false at the end. Failure(usage) for wrong text, Failure(corruption) for a damaged
  /// dump; both begin with position().
  virtual bool next(Pair& pair) = 0;
  /// Where the latest pair is: "FILE:17", or "FILE: record 17 at byte 4711".
  virtual std::string position() const = 0;
};

/// key TAB value, with the escapes of text.h, or hexadecimal.
std::unique_ptr<PairSource> make_tsv_source(Input& input, bool hex);
/// {"key": K, "value": V}: K a string, V a string (its bytes) or any other JSON (its text); key_hex and
/// value_hex for bytes that are not UTF-8. Blank lines are skipped.
std::unique_ptr<PairSource> make_jsonl_source(Input& input);

}  // namespace nacre::tools
