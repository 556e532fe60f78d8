// SPDX-License-Identifier: MIT
// The memory of another process. A page that is not there is no error of ours: the caller notes a fault.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace sysvm {

bool read_memory(pid_t tid, uint64_t address, void* out, size_t size);
// A string, without its closing 0; cut is set where it is longer than the recorder keeps (TRACE_PATH_MAX).
bool read_string(pid_t tid, uint64_t address, std::string& out, bool& cut);

}  // namespace sysvm
