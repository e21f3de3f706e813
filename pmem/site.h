// Every flush and fence in the product names its site. In the product the name costs nothing (the fast path
// never looks at it); the crash explorer uses it to switch one site off, to count, and to explain a failure.
#pragma once

namespace nacre::pmem {

struct Site {
  const char* name;  ///< "layer.structure.step", unique in the project, e.g. "alloc.commit.log_flush"
};

}  // namespace nacre::pmem
