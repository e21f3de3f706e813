// How a command ends when it cannot do its work: one exception, one table of exit codes.
//
// Only the tool throws, and only to its own main(): the library below answers with a Status, and nothing here
// is ever called back by it.
#pragma once

#include <stdexcept>
#include <string>

namespace nacre::tools {

/// What the process returns. The table is printed by `nacre --help`; scripts depend on it.
enum class Exit : int {
  ok = 0,
  negative = 1,      ///< the answer is no: key not found, exists = no
  usage = 2,         ///< the request or the input text is wrong; nothing after the error was done
  io = 3,            ///< cannot open, read or write; no such pool or table; not a pool; out of space
  corruption = 4,    ///< damaged bytes in a pool or a dump
  incompatible = 5,  ///< made by another format version
  locked = 6,        ///< open in another process
};

/// The text names the object it is about; main() prints it after "nacre: ".
class Failure : public std::runtime_error {
 public:
  Failure(Exit exit, const std::string& text) : std::runtime_error(text), exit_(exit) {}
  Exit exit() const noexcept { return exit_; }

 private:
  Exit exit_;
};

/// The reader of our standard output has gone: not an error of ours, nothing to print.
class ClosedPipe {};

}  // namespace nacre::tools
