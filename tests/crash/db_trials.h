// Damage under a table that readers and writers must answer with corruption: "try:<place>:<table>:<key>" of the db
// client. It is stored and taken back again, so it belongs before the "|" of a workload.
#pragma once

#include <string_view>

#include "engine/db.h"

namespace nacre::crash {

//   value   a bit of the key's value      key   a bit of the key itself, as stored      slot   a bit of its index line
/// Ok if all calls that meet the damage say so; else corruption.
Status damage_is_seen(engine::Db& db, engine::Table& table, std::string_view place, std::string_view key);

}  // namespace nacre::crash
