// SPDX-License-Identifier: MIT
#include "cli/front/front.h"
#include "libsysvm/run/start.h"

namespace sysvm {

std::string tools_path() { return install_prefix() + "/libexec/sysvm/sysvm"; }

}  // namespace sysvm
