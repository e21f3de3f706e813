// Allocation classes as arguments: a unit size, or the key and value of a record that shall fit exactly.
#pragma once

#include <CLI/CLI.hpp>
#include <nacre/nacre.hpp>

#include <string>
#include <vector>

namespace nacre::tools {

struct ClassArguments {
  std::vector<std::string> units;    ///< BYTES[:ALIGN]
  std::vector<std::string> records;  ///< KEY:VALUE
};

/// Declares --record KEY:VALUE.
void add_record_option(CLI::App& command, ClassArguments& arguments);
/// All of them, units first. Failure(usage) names the argument and what is wrong with it.
std::vector<ClassSpec> class_specs(const ClassArguments& arguments);

}  // namespace nacre::tools
