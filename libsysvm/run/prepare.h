// SPDX-License-Identifier: MIT
// Makes a start: what the command would map is analysed (or found in the cache of analyses), bundled with the
// procedures and the settings, and kept for the next run of the same command. The slow half of `sysvm run`,
// in a process of its own: whatever goes wrong in it, the command runs.
// Tested by tests/run/prepare_test.cc.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "libsysvm/run/bundle.h"
#include "libsysvm/run/command.h"
#include "libsysvm/run/start.h"

namespace sysvm {

struct Prepared {
  Start start;        // bundle: its name if it was kept in the folder
  BundleInput input;  // to make it otherwise; without paths of its own and of the statistics
};

// Asked where nobody has chosen an engine: do the procedures pay with the one that this machine has?
struct Judge {
  // The notes of the procedure file -> why not; "": they pay, or nobody knows.
  std::function<std::string(std::string_view notes)> why_not;
  std::string costs_file;  // what the answer depends on besides
};

// folder: where to keep bundle and start; one that cannot be used: nowhere. Never fails: what is wrong is in
// the start.
Prepared prepare_start(const FoundCommand& command, const ShimOptions& options, const PrivateFolder& folder,
                       const Judge& judge = {});

// The same under a lock, so that many first runs at once analyse once: who comes second finds the start made.
Start prepare_once(const FoundCommand& command, const ShimOptions& options, const PrivateFolder& folder,
                   std::string* bundle, const Judge& judge = {});

// The contents of a procedure file that svp_check accepts; empty path: empty.
Result<std::string> check_procedures(const std::string& path);

}  // namespace sysvm
