// The commit path with as little as possible above it: a root line, seven node lines, seven records each. Every
// structural edge of alloc/ is one or two operations away in a pool of ten 4 KiB chunks, or of some forty of 1 KiB.
//
// Config keys: form=strict|one, lanes=<n>, cells=<of a lane>, chunk=<bytes>, size=<bytes>.
// Operations:
//   put:<key>:<bytes>:<seed>[:<key>:<bytes>:<seed>...]   one commit; makes the nodes it needs; keys are 0..48
//   del:<key>[:<key>...]                                 one commit; not_found if one is absent
//   move:<node>      the node's line is copied to new line memory, the old one freed
//   drop:<node>      the node and all its records are freed in one commit
//   epoch, retire, reclaim                               as in alloc::Pool
//   lane:<n>         later operations use this lane
//   @<n>:<operation> in thread n (1..9) instead of the main one
#pragma once

#include "tests/crash/client.h"

namespace nacre::crash {

const ClientKind& pool_client_kind();

}  // namespace nacre::crash
