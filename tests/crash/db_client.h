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

#include <string>
#include <string_view>

#include "tests/crash/client.h"

namespace nacre::engine {
class Db;
}  // namespace nacre::engine

namespace nacre::crash {

const ClientKind& db_client_kind();

/// The database behind a store that this client opened, and what its operations name: for tests that drive it from
/// several threads. The model knows one more operation, which says what a get returned (0: nothing) and is answered
/// with ok if that is what it should:
///   saw:<table>:<key>:<hash of the value>
engine::Db& db_of(Store& store);
std::string table_name(uint64_t table);
std::string key_text(uint64_t key);
std::string value_text(uint64_t bytes, uint64_t seed);
uint64_t value_hash(std::string_view value);

}  // namespace nacre::crash
