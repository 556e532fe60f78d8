// SPDX-License-Identifier: MIT
// Records a command, or running processes, into a trace file. What `sysvm record` and `sysvm try` call.
//
// The recording ends when the command itself has ended; descendants that outlive it are left alone and
// counted. Of running processes it ends with the last of them. Nothing is printed here, and standard output
// is never touched. Tested by tests/tracer/.
#pragma once

#include "common/result.h"
#include "tracer/record_options.h"

namespace sysvm {

// On an error, exit_code is what the tool should exit with: 125, or 126 and 127 if the command could not be
// run.
Result<RecordReport> record(const RecordOptions& options, int& exit_code);

}  // namespace sysvm
