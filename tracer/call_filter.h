// SPDX-License-Identifier: MIT
// Which calls are wanted, said in strace's words:
//
//     openat,close   trace=openat,close   trace=%file,!stat   trace=/^sched_   !getpid   all   none
//                    signal=...
//
// Classes: %file (a path is an argument), %desc (a descriptor is), %network, %process, %signal, %ipc,
// %memory, %creds, %clock, %stat, %lstat, %fstat, %statfs, %pure. "?" before a name: no error if it is not
// known.
// Tested by tests/tracer/pieces_test.cc.
#pragma once

#include <string_view>

#include "common/result.h"
#include "tracer/call_table.h"

namespace sysvm {

// Narrows wanted to what the expression names. Several -e give the sum of theirs, so the first one begins
// with none.
Result<> add_filter(std::string_view expression, CallSet& wanted);

}  // namespace sysvm
