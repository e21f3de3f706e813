// Things that a caller of alloc::Commit does and that must be refused, or must leave no trace: "try:<name>[:<number>]"
// of the pool client. Each answers corruption, with what went wrong, if the product did not do what it promises. They
// store damage themselves, so they belong before the "|" of a workload.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/pool.h"

namespace nacre::crash {

struct TrialPlace {
  uint64_t node_off = 0;  ///< a node with a record in its first word and nothing in its last
};

//   damaged    a commit refuses a line that has damage in it
//   late       damage that comes when the line was looked at already still shows after the commit
//   hurt       leaves such damage in the node; mend: it shows, and without it the node is sound again
//   guard      the node's guard loses its seq, as by damage
//   twice:N    a commit frees the unit of N bytes that it allocates: refused
//   giveup:N   a commit that allocated N bytes, planned to free a record and locked a line is given up
//   chunks     what the chunk table calls free is what the heap will hand out, once nothing is in limbo
//   magic      the first copy of the superblock loses its magic word, as by damage of the medium
Status run_trial(alloc::Pool& pool, std::string_view name, const TrialPlace& place, uint64_t number);

}  // namespace nacre::crash
