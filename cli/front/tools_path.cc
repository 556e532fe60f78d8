// SPDX-License-Identifier: MIT
// Where the program with the other commands is: beside this one, wherever both were installed. Tested by
// tests/run and tests/packaging.
#include "cli/front/front.h"
#include "libsysvm/run/start.h"

namespace sysvm {

std::string tools_path() { return install_prefix() + "/libexec/sysvm/sysvm"; }

}  // namespace sysvm
