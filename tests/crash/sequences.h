// All sequences of an alphabet, from those of two operations that the clients list.
#pragma once

#include <vector>

#include "tests/crash/client.h"

namespace nacre::crash {

/// All sequences of three operations: for each preparation (client, config and the operations up to "|") whose
/// sequences of two are among `pairs`, every operation that occurs there, three times over. In a repeatable order.
std::vector<Workload> sequences_of_three(const std::vector<Workload>& pairs);

}  // namespace nacre::crash
