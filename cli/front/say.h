// SPDX-License-Identifier: MIT
// One line on standard error, in the form that the other commands' have.
#pragma once

#include <string>

namespace sysvm {

void say_error(const std::string& text);
void say_warning(const std::string& text);

}  // namespace sysvm
