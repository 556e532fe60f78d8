// SPDX-License-Identifier: MIT
// Where the arguments of a repeated sequence come from.
//
// The first occurrence proposes for each argument every source that would explain it: a constant, the result
// of an earlier call, an argument of an earlier call, the size or mode that an earlier stat gave (or one
// more: room for the end), what is left of an earlier call's request, the descriptor that an earlier
// epoll_wait found ready, the next entry of a directory, the same as or a fixed step from the round before.
// Every other occurrence strikes out those that it contradicts; one is enough. What an inner loop's rounds
// after the first say is kept apart, so that a loop of closes does not hide that the first is of the file.
// The last fifth is held out as a test: if it removes an argument's last source, that is counted and
// reported. Tested by tests/optimizer/mine_test.cc and entry_names_test.cc (Flow).
#pragma once

#include <string>
#include <vector>

#include "optimizer/mine/mine.h"
#include "optimizer/mine/repeats.h"

namespace sysvm {

// Fills calls, held_out and failed.
void explain_flow(const Compact& recording, const std::vector<std::string>& strings, const Repeats& repeats,
                  const Repeat& repeat, PartSequence& out);

}  // namespace sysvm
