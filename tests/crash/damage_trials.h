// Copies of an open pool that are damaged in one place and must be refused: "try:refuse:<place>" of the pool client.
// What sees the damage is a check that no crash needs; tests/damage tries every bit, this asks each check once.
#pragma once

#include <string_view>

#include "alloc/pool.h"

namespace nacre::crash {

//   lane      the retired word of the first lane       zone, class   the first line of that table
//   chunk     the first line of the chunk table         bitmap        the bitmap of the first slab
//   record    a log record between two others           first         the first log record, of lines not yet home
/// Ok if the copy is refused: by the open, or for chunk and bitmap by whoever reads them; else corruption.
Status refuses_damage(alloc::Pool& pool, std::string_view place);

}  // namespace nacre::crash
