// SPDX-License-Identifier: MIT
// Does a command write outside its standard output? `sysvm try` runs it several times, so it asks before the
// first.
//
// Nobody can know before it runs; so only well-known readers are taken for harmless, by name and options, and
// everything else is warned about. After the recorded run there is better evidence: the calls that changed
// the file system. Tested by tests/cli/try_writes_test.cc.
#pragma once

#include <string>
#include <vector>

#include "traces/event.h"

namespace sysvm {

// True for a program that is known only to read, with options that do not change that.
bool known_to_only_read(const std::vector<std::string>& command);

// What the recorded run changed: "open for writing out/x.o", "unlink a" ... at most `limit`, then "and 12
// more". Empty if nothing. Writes to /dev/null, /dev/tty and the like do not count.
std::vector<std::string> recorded_changes(const Trace& trace, size_t limit = 3);

}  // namespace sysvm
