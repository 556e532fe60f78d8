// SPDX-License-Identifier: MIT
// The system call table as the eBPF programs want it: how many arguments, which of them are worth following,
// which calls were asked for. Tested by tests/tracer/.
#pragma once

#include <bitset>
#include <cstdint>

#include "tracer/event.h"

namespace sysvm {

using CallSet = std::bitset<TRACE_NRS>;

// Bytes of the buffers of read, write and the like: none, their first bytes, or a hash of those (made in user
// space: for the programs it is the same).
struct Capture {
  bool minimal = false;     // numbers, arguments and times only
  uint16_t data_bytes = 0;  // of each buffer
};

void describe_calls(call_desc* out, const CallSet& wanted, const Capture& capture);
call_desc describe_call(int32_t nr, const CallSet& wanted, const Capture& capture);

}  // namespace sysvm
