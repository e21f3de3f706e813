// The pools that are damaged: each as small as the format allows, each with something that the others do not have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alloc/geometry.h"
#include "engine/db.h"

namespace nacre::damage {

using Pairs = std::map<std::string, std::string, std::less<>>;
using Content = std::map<std::string, Pairs, std::less<>>;  // tables by name
using Bytes = std::vector<std::byte>;

struct PoolShape {
  std::string name;
  alloc::Geometry geometry;
  uint64_t capacity_bytes = 0;  // the file may grow to it
  Bytes base;                   // the file, whole pages
  std::vector<Bytes> earlier;   // the same file at earlier moments, all as long as the base
  Bytes foreign;                // a pool with the same history and another identity
  Content content;              // what a reader must see in it
  /// Set if the last commit is in the log alone. Then a damaged log record cannot be told from one whose write the
  /// power failure cut short, and recovery takes it back: the content is this.
  std::optional<Content> before_last;

  engine::Options options(bool read_only) const;
};

/// Builds every shape, and stops the program if one does not have what it is there for. Equal on every run.
std::vector<PoolShape> make_shapes();

}  // namespace nacre::damage
