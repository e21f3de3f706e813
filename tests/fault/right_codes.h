// Which status is the right one for which failure.
#pragma once

#include <string>
#include <string_view>

#include "tests/fault/life.h"

namespace nacre::fault_test {

/// Empty, or what is wrong with the code that the caller got. `step` is the name of the step where the life ended.
std::string wrong_code(const Fault& fault, os::Call call, const Outcome& outcome, std::string_view step,
                       engine::MediumChoice medium);

}  // namespace nacre::fault_test
