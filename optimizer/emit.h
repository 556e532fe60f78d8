// SPDX-License-Identifier: MIT
// Stage 6: a plan -> the text of its code, and what the runtime must know to answer from it.
//
// The shape of every run-ahead procedure:
//
//     late closes      the descriptors that the application closed last are given back first (not with
//     --strict) trigger          with the application's own arguments; an error stops here constants one
//     register each guard            fstat of the new descriptor: good device, right kind of file
//     (libsysvm/svp.h, "The guard") followers        in the order of the application; before the first that
//     reads data: not empty, atime stays
//
// The guard is the application's own fstat where that may be moved to the front (nothing before it changes
// what it shows); else it is one call more, with a register of its own. A run of reads is unrolled: a short
// transfer jumps to the read that finds the end, an empty one behind it. Whatever a guard refuses jumps to
// the end; what was made until then is still good.
//
// Registers: r0-r5 the trigger's arguments, r6 the late close, r7 the trigger's result, from r8 on whatever
// is needed, SVP_REG_* at the top. Tested by tests/optimizer/emit_test.cc (golden text).
#pragma once

#include <string>

#include "common/result.h"
#include "optimizer/planner.h"
#include "optimizer/procedure.h"

namespace sysvm {

struct Emitted {
  Procedure proc;    // all but the code
  std::string text;  // of the code
};

Result<Emitted> emit_run_ahead(const Plan& plan, bool late_close);

// Modes answer and late_close: a trigger and no code but `end`; the runtime answers from what it knows.
struct AnsweredCall {
  uint32_t nr = 0;
  std::string name;
  std::vector<std::pair<size_t, uint64_t>> constants;  // argument, value
};
Emitted emit_answer(const AnsweredCall& call, const std::string& exe, uint64_t seen);
Emitted emit_late_close(const std::string& exe, uint64_t seen);

}  // namespace sysvm
