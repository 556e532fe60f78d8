// SPDX-License-Identifier: MIT
// The system call table of kmod/uapi/syscalls.inc as a trace's header carries it.
// Tested by tests/traces/trace_test.cc.
#pragma once

#include <vector>

#include "traces/event.h"

namespace sysvm {

std::vector<CallInfo> known_calls();

}  // namespace sysvm
