// SPDX-License-Identifier: MIT
// What a recording says of itself in its first record: machine, command, options, the system call table.
#pragma once

#include "tracer/record_options.h"
#include "traces/event.h"

namespace sysvm {

TraceHeader make_header(const RecordOptions& options, const RecordReport& report);

}  // namespace sysvm
