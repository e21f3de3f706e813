// The whole engine below the C ABI: a Db with hash tables, its catalogue, splits, rebuilds, clear and drop.
//
// Config keys: form=strict|one, lanes=<n>, cells=<of a lane>, chunk=<bytes>, size=<bytes>, segment=<lines>,
// stash=<lines>, dirbits=<n>, skip=<tag_skip>.
// Operations (table 0 is the default one):
//   put:<table>:<key>:<value bytes>:<seed>
//   del:<table>:<key>
//   clear:<table>, create:<table>, drop:<table>
//   epoch, retire, reclaim    as in alloc::Pool
//   lane:<n>                  later operations use this lane
#pragma once

#include "tests/crash/client.h"

namespace nacre::crash {

const ClientKind& db_client_kind();

}  // namespace nacre::crash
