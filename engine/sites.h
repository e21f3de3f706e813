// Every flush of this layer, by name (its fences are all the commit's). See alloc/sites.h.
#pragma once

#include <array>

#include "pmem/site.h"

namespace nacre::engine::site {

using pmem::Site;

inline constexpr Site kRecordFlush{"engine.record.flush"};
inline constexpr Site kSegmentFlush{"engine.hash.segment_flush"};
inline constexpr Site kDirectoryFlush{"engine.hash.directory_flush"};
inline constexpr Site kCatalogueFlush{"engine.catalogue.node_flush"};
inline constexpr Site kTableNameFlush{"engine.catalogue.name_flush"};

inline constexpr std::array kAll{&kRecordFlush, &kSegmentFlush, &kDirectoryFlush, &kCatalogueFlush, &kTableNameFlush};

}  // namespace nacre::engine::site
