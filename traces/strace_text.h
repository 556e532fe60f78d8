// SPDX-License-Identifier: MIT
// An event as a line of text that readers of strace know: openat(AT_FDCWD, "x.h", O_RDONLY|O_CLOEXEC) = 3
//
// Decoded from the header's call table, so a trace from another machine reads the same. What was not recorded
// (the contents of buffers) is shown as its address. Not every flag of every call has a name here; the rest
// is hex. Tested by tests/traces/strace_text_test.cc.
#pragma once

#include <string>
#include <string_view>

#include "traces/event.h"

namespace sysvm {

std::string format_call(const TraceInfo& info, const Event& event);  // without time and thread
std::string format_result(const TraceInfo& info,
                          const Event& event);  // "3", "-1 ENOENT (No such file or directory)"
std::string quote(std::string_view text);       // with C escapes and the marks
// "</etc/passwd>", or "" for no path; what would end the brackets is escaped, as strace does.
std::string in_brackets(std::string_view path);
std::string signal_name(int sig);           // "SIGCHLD", "SIGRT_3"
std::string errno_name(int error);          // "ENOENT"
std::string ended(const Process& process);  // "exit 3", "SIGKILL", "exec", "still ran"

}  // namespace sysvm
