// The first inputs of a target, made by the target itself.
#pragma once

#include <string>
#include <vector>

namespace nacre::fuzz {

struct Seed {
  std::string name;
  std::string bytes;
};
std::vector<Seed> seeds();

}  // namespace nacre::fuzz
