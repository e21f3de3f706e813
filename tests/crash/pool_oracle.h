// What holds of every open pool and is no part of the product's own check: the explorer's clients ask it after each
// recovery.
#pragma once

#include <string>

#include "alloc/pool.h"

namespace nacre::crash {

/// Empty, or what is wrong: the copies of the superblock differ, or the file is longer than the pool.
std::string pool_trouble(alloc::Pool& pool);

}  // namespace nacre::crash
