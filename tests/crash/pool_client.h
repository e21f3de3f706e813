// The commit path with as little as possible above it: a root line, six node lines, seven records each. Every
// structural edge of alloc/ is one or two operations away in a pool of ten 4 KiB chunks, or of some forty of 1 KiB.
//
// Config keys: form=strict|one, lanes=<n>, cells=<of a lane>, chunk=<bytes>, size=<bytes>, max=<bytes>, step=<of a
// growth>, probe=<0..3: which operation follows each recovery>, root=another (the thread that makes the root is not the
// one that opened the pool). Operations:
//   put:<key>:<bytes>:<seed>[:<key>:<bytes>:<seed>...]   one commit; makes the nodes it needs; keys are 0..41
//   del:<key>[:<key>...]                                 one commit; not_found if one is absent
//   move:<node>      the node's line is copied to new line memory, the old one freed
//   drop:<node>      the node and all its records are freed in one commit
//   note:<number>    sets all seven words of a line of its own, which hold nothing but numbers
//   epoch, retire, reclaim, shrink                       as in alloc::Pool
//   lane:<n>         later operations use this lane
//   read:<key>, peek:<node> ... look    a reader pins, and sees later that nobody overwrote the record or line
//   try:<name>       see pool_trials.h
//   @<n>:<operation>       in thread n (1..9) instead of the main one
//   fits:<operation>       there is room for it: out_of_space is an error
//   <operation>+<operation>   two calls, between which nobody asks what is acknowledged
#pragma once

#include "tests/crash/client.h"

namespace nacre::crash {

const ClientKind& pool_client_kind();

}  // namespace nacre::crash
