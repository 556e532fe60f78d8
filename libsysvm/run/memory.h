// SPDX-License-Identifier: MIT
// Bundle and statistics of a run that this process stays beside: files without a name (memfd), which other
// processes of the same user open as /proc/PID/fd/N. They go when this process does, even by SIGKILL; a
// process that comes too late finds none, and stays plain.
// Tested by tests/run/wrapper_test.py.
#pragma once

#include <string>
#include <string_view>

#include "common/unique_fd.h"
#include "libsysvm/sysvm.h"

namespace sysvm {

UniqueFd memory_file(const char* name);  // close on exec; none: errno
std::string memory_path(int fd);         // as long as this process lives
bool write_all(int fd, std::string_view bytes);
bool start_counters(int fd);  // an empty statistics file

// A bundle made without paths, or for others: says where it and the counters lie now. False: no bundle.
bool place_bundle(std::string& bundle, const std::string& path, const std::string& stats);

// Why the engine that was asked for by name cannot be used; "": it can. The shim would fall silent in every
// process.
std::string engine_problem(enum ::sysvm_engine engine);

}  // namespace sysvm
