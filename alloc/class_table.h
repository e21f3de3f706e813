// Changes of the class table while the pool is in use, and what its classes are filled with.
//
// A change is one ordinary commit of one word, so it is durable when the call returns and a crash leaves the
// old table or the new one. An id is a position in the table. It keeps its unit size as long as a chunk names
// it.
//
//            add                  retire
//   absent --------> live (in use) --------> retired: units in use stay readable and can be freed, none is
//                      ^                        |     handed out; empty slabs go to other classes
//                      +------------------------+
//                   add of the same size; of another size only when no chunk names the class
//
// Lock order: Pool::class_mutex(), then as alloc/pool.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alloc/pool.h"

namespace nacre::alloc {

/// Something that must go on fitting: retire_class refuses to take away the last class that holds it.
struct ClassNeed {
  uint64_t bytes;
  uint64_t align;
  const char* what;  ///< for the refusal: "a segment"
};

/// Adds a class, or revives the retired one of this size, whose slabs then keep their length; returns its id.
/// Durable at return; from then on every allocation may use it. invalid_argument (see check_class_spec, or the
/// retired class has slabs of another length than was asked for), exists (a live class has this unit),
/// limit (the table is full), read_only, corruption, io_error. Thread-safe; the caller holds no lane.
Result<uint32_t> add_class(Pool& pool, const ClassSpec& spec);

/// Retires the live class of this unit. At return, durably, no unit is handed out from it any more, by any
/// thread. not_found (no class has this unit, or it is retired already), invalid_argument (it is the last
/// that holds one of `needs`), read_only, corruption, io_error. Thread-safe; waits for the commits that run;
/// the caller holds no lane.
Status retire_class(Pool& pool, uint32_t unit_bytes, std::span<const ClassNeed> needs);

/// What one class is filled with, from the medium.
struct ClassUsage {
  uint32_t id = 0;
  SizeClass size_class;
  uint64_t slabs = 0;
  uint64_t units = 0;
  uint64_t live_units = 0;

  uint64_t slab_bytes() const noexcept { return slabs * size_class.slab_bytes; }
  uint64_t live_bytes() const noexcept { return live_units * size_class.unit_bytes; }
  uint64_t free_bytes() const noexcept { return (units - live_units) * size_class.unit_bytes; }
  /// Behind the last unit of each slab, too short for one.
  uint64_t tail_bytes() const noexcept { return slab_bytes() - units * size_class.unit_bytes; }
  /// Free bytes in a thousand bytes of slabs: what records of other sizes cannot use.
  uint64_t fragmentation_permille() const noexcept {
    return slabs == 0 ? 0 : free_bytes() * 1000 / slab_bytes();
  }
};

/// What the chunks of a pool are used for, all of one instant.
struct PoolUsage {
  std::vector<ClassUsage> classes;  ///< live and retired ones, ascending by unit
  uint64_t chunks = 0;
  uint64_t free_chunks = 0;
  uint64_t extents = 0;  ///< records that lie in chunks of their own
  uint64_t extent_chunks = 0;
};

/// Holds writers back while it reads the bitmaps. corruption.
Result<PoolUsage> class_usage(Pool& pool);

}  // namespace nacre::alloc
