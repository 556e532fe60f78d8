// SPDX-License-Identifier: MIT
// Names and numbers of i386's system calls, for events with flag kCompat. They have no rows of their own in
// the table of calls: of those that x86-64 has under the same name the arguments mean the same.
// Tested by tests/traces/calls32_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sysvm {

const char* call32_name(int32_t nr);           // nullptr if there is none
int32_t call32_number(std::string_view name);  // -1 if there is none

// The name of the x86-64 call whose arguments the call has: fstat64 -> fstat, mmap2 -> mmap, open -> open.
// Any string argument is the same one there.
std::string_view call32_same_as(std::string_view name);

// How text names a call of an event with flag kCompat: "i386_open", "i386_syscall_999".
std::string call32_label(int32_t nr);

}  // namespace sysvm
