// The runs of the pool client: directed ones, all pairs of an alphabet, random ones.
#pragma once

#include <vector>

#include "tests/crash/client.h"

namespace nacre::crash {

std::vector<Workload> pool_workloads();

}  // namespace nacre::crash
