// SPDX-License-Identifier: MIT
// A procedure file as text that people read and change, and back: what `sysvm disasm` prints and `sysvm asm`
// reads.
//
//     procedure "openat: newfstatat read+end" run_ahead {
//       seen 8083
//       exe 5c6d0f...
//       staging 98560
//       result r7
//       trigger openat(_, _, 0x20900, _) path 1 site 1a2b...+0x1234 caller 1a2b...+0x99
//       follower r8 = newfstatat(r7, string@0, out@0:144, 0x1000)
//       data "\0"
//       code {
//         openat r7, r0, r1, r2, r3
//         ...
//       }
//     }
//     list "python3.11" prefetch {
//       seen 1
//       exe 5c6d0f...
//       command 0x1234
//       waited 81200000
//       name "/usr/lib/ld.so.cache"
//       file "/usr/lib/python3.11/abc.py" 0+6522 of 6522 modified 1700000000.123456789
//       directory "/usr/lib/python3.11"
//     }
//     notes "{\"calls\":75541, ...
//
// The notes (docs/svp-format.md) are one text in pieces, put together again in their order. One item a line;
// `;` begins a comment. Arguments of triggers and followers (svp_arg): `_` not compared, a number,
// `mask(0xM)=0xV`, `rN` a register after the run, `path`, `string@OFFSET` in the data, `out@OFFSET:SIZE` in
// the staging area, `count rN`. Whatever the text says is checked when the file is written (svp_check).
// Tested by tests/optimizer/svp_file_test.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "procedures/procedure.h"

namespace sysvm {

std::string to_text(const ProcedureFile& file);
std::string to_text(const Procedure& proc);
std::string to_text(const PrefetchList& list);
// Messages begin with "name:line: ".
Result<ProcedureFile> from_text(std::string_view text, const std::string& name);

// Code as lines with labels, each indented; the assembler reads them back to the same bytes.
std::string list_code(std::span<const uint8_t> code, std::string_view indent);
std::string arg_text(const svp_arg& arg);
std::string follower_text(const Follower& follower);
std::string trigger_anywhere(Trigger trigger);  // the same without its call site
std::string trigger_text(const Trigger& trigger);

}  // namespace sysvm
