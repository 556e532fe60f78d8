// SPDX-License-Identifier: MIT
// The words of the tables that commands print, in the help of these commands. The whole list is in
// docs/architecture.md, "Glossary".
#pragma once

namespace sysvm {

inline constexpr const char* kGlossary =
    "Words. crossing: one entry of the program into the kernel. trigger: the call at which a procedure "
    "starts; it is always made. hit: a later call that was answered from what the procedure had fetched, "
    "without a crossing. miss: a run of which an answer was never asked for. undone: an effect of a run (an "
    "open descriptor, say) that was taken back, because the program went another way.\n"
    "\n"
    "Modes. run_ahead: calls that are expected to follow the trigger, made with it. answer: a result that "
    "follows from what is known of a descriptor. late_close: a close that is made with the thread's next "
    "crossing. defer: a write acknowledged before it is made.\n";

}  // namespace sysvm
