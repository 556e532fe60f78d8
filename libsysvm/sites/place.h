// SPDX-License-Identifier: MIT
// Where the jump of a site is written, so that its system call is seen.
//
// From the `syscall`, straight-line code is walked backwards to an instruction that can be overwritten. The
// instructions from there to the `syscall` run as a copy, so each must be copyable: no call, no jump away
// without condition, no change of the stack pointer (the unwind rule of a trampoline is "as at the syscall",
// entry.S). A branch that lands after the overwritten instruction makes the site leaky; the search prefers a
// place that is not, then a 5-byte one, then the nearest.
// Tested by tests/sites/analyse_test.cc.
#pragma once

#include "libsysvm/sites/proof.h"
#include "libsysvm/sites/sweep.h"
#include "libsysvm/sites/table.h"

namespace sysvm {

// Sets what is written where, or SITE_LEFT and the doubt. site.syscall is set.
void choose_place(const Sweep& sweep, Proof& proof, sysvm_site& site);

}  // namespace sysvm
