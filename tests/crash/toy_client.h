// A store small enough to be right by inspection, for testing the explorer itself: eight pairs of words that
// change together under a redo log of one line. It uses nothing of the product but the domain.
//
// Config keys: size=<bytes>, bug=<one of toy_bugs()>.
// Operations:  set:<pair>:<value>   both words of the pair
//              move:<from>:<to>     both pairs, in one log record
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/crash/client.h"

namespace nacre::crash {

struct ToyBug {
  std::string name;
  std::string what;
  bool needs_nested = false;  ///< only a crash inside recovery (or just after it) shows it
  bool needs_kill = false;    ///< only the death of the process before the power loss shows it
};
/// Seeded bugs, all of which the explorer must find. "none" is not among them.
const std::vector<ToyBug>& toy_bugs();

const ClientKind& toy_client_kind();

}  // namespace nacre::crash
