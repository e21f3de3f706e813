#include "tools/class_arguments.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "tools/failure.h"
#include "tools/text.h"

namespace nacre::tools {
namespace {

struct Numbers {
  uint64_t first = 0;
  std::optional<uint64_t> second;
};

/// "A" or "A:B", each as parse_size() takes it.
Numbers parse(const std::string& text, const char* form) {
  const auto number = [&](std::string_view part) {
    std::string error;
    const std::optional<uint64_t> value = parse_size(part, error);
    if (!value) throw Failure(Exit::usage, fmt::format("{}, not {}: {}", form, in_quotes(text), error));
    return *value;
  };
  const size_t colon = text.find(':');
  Numbers numbers;
  numbers.first = number(std::string_view(text).substr(0, colon));
  if (colon != std::string::npos) numbers.second = number(std::string_view(text).substr(colon + 1));
  return numbers;
}

}  // namespace

void add_record_option(CLI::App& command, ClassArguments& arguments) {
  command
      .add_option("--record", arguments.records,
                  "A class that fits records of so many bytes of key and of value; may be repeated")
      ->type_name("KEY:VALUE")
      ->allow_extra_args(false);
}

std::vector<ClassSpec> class_specs(const ClassArguments& arguments) {
  std::vector<ClassSpec> specs;
  for (const std::string& text : arguments.units) {
    const Numbers numbers = parse(text, "a class is BYTES or BYTES:ALIGN");
    specs.push_back({numbers.first, numbers.second.value_or(0)});
  }
  for (const std::string& text : arguments.records) {
    const Numbers numbers = parse(text, "--record is KEY:VALUE, two sizes in bytes");
    if (!numbers.second)
      throw Failure(Exit::usage,
                    fmt::format("--record is KEY:VALUE, two sizes in bytes, not {}", in_quotes(text)));
    specs.push_back(ClassSpec::for_record(numbers.first, *numbers.second));
  }
  return specs;
}

}  // namespace nacre::tools
