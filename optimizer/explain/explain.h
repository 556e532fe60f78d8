// SPDX-License-Identifier: MIT
// A procedure file for people: each procedure beside the calls that it replaces, with where every argument
// comes from.
//
// Only the file is read: this says what the runtime will do, not what the compiler meant. Counts, and the
// calls of a real occurrence (example.h), come from the file's notes, if it has any; text of a file is
// printed escaped and bounded, whoever made it. Tested by tests/optimizer/explain_test.cc.
#pragma once

#include <string>
#include <vector>

#include "optimizer/prove/example.h"
#include "procedures/procedure.h"

namespace sysvm {

struct ExplainedCall {
  std::string call;               // "newfstatat(fd, \"\", struct, 0x1000)"
  std::vector<std::string> from;  // for each argument: "the trigger's result", "constant 0x1000" ...
};

struct ExplainedProcedure {
  std::string name, mode, exe;
  std::string program;  // the path of that executable, "" if the notes do not have it
  uint64_t seen = 0;
  int64_t hits = -1, misses = -1, undone = -1;  // by replay when it was compiled; -1: not noted
  double saved_ns = 0, saved_low_ns = 0, saved_high_ns = 0, break_even_ns = 0;  // if hits are noted
  std::string guard;  // what must hold for anything to be read ahead; "": nothing is
  std::string stop;
  Example example;  // no calls: none was noted
  std::vector<std::string> triggers;
  std::vector<ExplainedCall> followers;
  uint32_t loop_first = 0, loop_calls = 0;  // of the followers those that a loop makes; 0 calls: no loop
  uint32_t loop_entries = 0;                // that one run may take at most
  bool loop_over_names = false;             // in a row in memory
  std::string loop_instruction;             // that makes the first call of each; empty: a loop in byte code
  uint32_t staging = 0;                     // bytes
  std::vector<std::string> code;            // listing
};

std::vector<ExplainedProcedure> explain(const ProcedureFile& file);
std::string explain_text(const ProcedureFile& file, bool code = true);  // code: with the listings
std::string explain_json(const ProcedureFile& file);                    // "schema": 1

}  // namespace sysvm
