// Numbers of the C ABI as a class.
#pragma once

#include <cstdint>

#include "alloc/size_class.h"
#include "pmem/base/result.h"

namespace nacre::bindings {

/// `align` 0 is the least. invalid_argument for numbers that do not fit a class word; the rest is checked
/// below.
inline Result<alloc::ClassSpec> class_spec(uint64_t unit_bytes, uint64_t align) {
  if (unit_bytes > UINT32_MAX || align > UINT32_MAX)
    return Status::error(Code::invalid_argument,
                         "allocation class of %llu bytes, alignment %llu: no chunk is as large",
                         static_cast<unsigned long long>(unit_bytes), static_cast<unsigned long long>(align));
  return alloc::ClassSpec{static_cast<uint32_t>(unit_bytes), align == 0
                                                                 ? static_cast<uint32_t>(alloc::kUnitAlign)
                                                                 : static_cast<uint32_t>(align)};
}

}  // namespace nacre::bindings
