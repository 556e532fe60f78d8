// SPDX-License-Identifier: MIT
// Stage 6: a plan -> the text of its code, and what the runtime must know to answer from it.
//
// The shape of every run-ahead procedure:
//
//     late closes   the descriptors that the application closed last are closed first (not with --strict)
//     trigger       with the application's own arguments; an error stops here constants     one register each
//     guard         fstat of the new descriptor: good device, right kind of file (procedures/svp.h) followers
//     in the order of the application; before the first that reads data: not empty, atime stays
//
// The guard is the application's own fstat where that may be moved to the front (nothing before it changes
// what it shows); else it is one call more, with a register of its own. A run of reads is unrolled: a short
// transfer jumps to the read that finds the end, an empty one past it. Whatever a guard refuses jumps to
// the end; what was made until then is still good.
//
// What grep does for each file, without the lines of the guard:
//
//     openat r7, r0, r1, r2, r3         the trigger
//     newfstatat r8, r7, r9, r255, r10  grep's own fstat, and the guard
//     read r16, r7, r17, r18            the file
//     jz r16, l5                        empty
//     jlt r16, r18, l4                  a short read: the next one finds the end
//     jmp done
//     l4: read r19, r7, r20, r21
//     l5: done: end
//
// A loop over a directory follows its getdents64: for each name its calls, results and output in a record of
// the staging area (procedures/svp.h, struct svp_loop). It stops where the window ends, after a name on
// another device, and after a directory if the program goes into it. Calls that follow a link, or that only
// some kinds of file get, are made only for the kind that the first call has shown. Where names are looked up
// below a descriptor, one wide instruction makes the first call of each; the loop is entered again after the
// kinds of file for which there is more to do.
//
// Registers: r0-r5 the trigger's arguments, r6 the late close, r7 the trigger's result, from r8 on whatever
// is needed, SVP_REG_* at the top. Tested by tests/optimizer/emit_test.cc (golden text).
#pragma once

#include <string>

#include "common/result.h"
#include "optimizer/make/planner.h"
#include "procedures/procedure.h"

namespace sysvm {

struct Emitted {
  Procedure proc;    // all but the code
  std::string text;  // of the code
};

Result<Emitted> emit_run_ahead(const Plan& plan, bool late_close);

// A loop alone: the trigger is a call about a name in a directory that the program has read, and answered by
// the first record.
Result<Emitted> emit_loop(const LoopShape& shape, const std::string& exe, uint64_t seen, bool late_close);

uint32_t record_stride(const LoopShape& shape);
uint32_t loop_capacity(const LoopShape& shape, uint64_t staging);  // records that fit, at most 512

// Modes answer and late_close: a trigger and no code but `end`; the runtime answers from what it knows.
struct AnsweredCall {
  uint32_t nr = 0;
  std::string name;
  std::vector<std::pair<size_t, uint64_t>> constants;  // argument, value
};
Emitted emit_answer(const AnsweredCall& call, const std::string& exe, uint64_t seen);
Emitted emit_late_close(const std::string& exe, uint64_t seen);

}  // namespace sysvm
