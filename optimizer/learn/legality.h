// SPDX-License-Identifier: MIT
// Stage 3: may this call be made ahead of the application?
//
// The table says what a call may do (its effect and AHEAD flag); this adds what depends on the arguments. The
// rules (docs/semantics.md, docs/mining.md): followers change nothing that others see, never block, are never
// an open; a path follower names what the trigger has just opened, without following a link; directories are
// read from their start only; a position is queried, never set. emit.cc writes the checks that only a run can
// make (regular file, good device, atime). Tested by tests/optimizer/dataflow_test.cc (Legality).
#pragma once

#include <string>

#include "optimizer/learn/dataflow.h"

namespace sysvm {

// "" if the call may be a follower of the context's trigger, else why not, for people.
std::string why_not_follower(const FlowContext& context, const StepSources& step, const PackedEvent& call);

// May the call start a procedure? Successful or not does not matter here.
bool may_trigger(const PackedEvent& call);

}  // namespace sysvm
