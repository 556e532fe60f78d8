// SPDX-License-Identifier: MIT
// Which bytes between the functions of .eh_frame can be executed? Hand-written code without unwinding
// information lies there, and so do tables: libcrypto's constants for SHA read as `syscall` and `int $0x80`
// in places, and made every process that loads it plain.
//
// Code is executed from where something arrives. So each way into these gaps that the file shows is followed:
// branches of functions and what runs past their end; addresses in data (DT_INIT is one), in relocations and
// of symbols, addresses that an instruction computes, switch tables (indirect.h); the entry point, and the
// beginning of each section. From there all paths are decoded: both sides of a branch, calls and what
// comes after them. A gap where a path jumps to a computed address is unknown: anything in it may be code.
//
// What no path comes upon as an instruction is data, whatever it reads like. What could be an address of code
// is taken for one, so tables are followed as well, from their beginning, and what they hold may count as
// code then. That costs a plain process, not a call unseen. Not found is what indirect.h does not find: a way
// into a gap whose address is computed at run time from something else. Tested by tests/sites/reach_test.cc.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "libsysvm/sites/elf_image.h"
#include "libsysvm/sites/frames.h"
#include "libsysvm/sites/indirect.h"
#include "libsysvm/sites/sweep.h"

namespace sysvm {

class Reach {
 public:
  Reach(const ElfImage& image, const Frames& frames);

  // Does a path come upon an instruction that begins here? True inside of a function.
  bool may_run(uint64_t vaddr) const;
  // In a gap with a jump to a computed address: anything there may be code.
  bool unknown(uint64_t vaddr) const;

 private:
  struct Part {  // of an executable section
    ExecRange range;
    Bitmap starts;
  };

  void enter(uint64_t vaddr);
  void follow();
  Part* part_of(uint64_t vaddr);
  bool decode(const ZydisDecoder& decoder, uint64_t vaddr, ZydisDecodedInstruction& out);
  void leads(const ZydisDecodedInstruction& i, uint64_t vaddr, std::vector<Computed>* computed);
  void scan_function(const Function& f, std::vector<Computed>& computed);
  std::pair<uint64_t, uint64_t> gap(uint64_t vaddr) const;

  const Frames& frames_;
  bool fixed_;
  std::vector<Part> parts_;
  std::vector<uint64_t> waiting_;
  std::vector<std::pair<uint64_t, uint64_t>> wild_;  // gaps that are unknown
  ZydisDecoder decoder_, fast_;
};

}  // namespace sysvm
