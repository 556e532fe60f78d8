// SPDX-License-Identifier: MIT
// Where in a file's code an indirect jump, a call through a pointer or an unwinder may arrive, as far as the
// file says it:
//
//   - addresses in data: words of 8 bytes, which are function pointers, switch tables and labels of a
//     program at a fixed address, and the addends of packed relocations; the addends of ordinary ones, with
//     and without their symbol;
//   - addresses that an instruction computes: `lea X(%rip)`, and in a program at a fixed address a constant;
//   - switch tables of position-independent code: from each X that a `lea` computes and that lies in no
//     function, words of 4 bytes relative to X, as long as they lead into code. A table has no length: past
//     the next X they count only where they lead into the function of the `lea`;
//   - landing pads, from the table of each function that .eh_frame says has one. One that is not understood
//     may lead anywhere in its function.
//
// Data are taken for addresses wherever they could be some, so there are too many rather than too few. Not
// found: an address that is computed in another way (a table relative to a label, of 2-byte words, or
// without a `lea`), or at run time.
// Tested by tests/sites/indirect_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "libsysvm/sites/elf_image.h"
#include "libsysvm/sites/frames.h"

namespace sysvm {

// An address, and the instruction that computes it.
struct Computed {
  uint64_t address, by;
};

class Indirect {
 public:
  // computed: all that the file's instructions compute.
  Indirect(const ElfImage& image, const Frames& frames, std::vector<Computed> computed);

  // May something arrive at an address from low up to high, high not included?
  bool into(uint64_t low, uint64_t high) const;
  const std::vector<uint64_t>& targets() const { return targets_; }  // sorted; landing pads among them

 private:
  bool in_code(uint64_t vaddr) const;
  void add(uint64_t vaddr);
  void add_table(const ElfImage& image, uint64_t vaddr, uint64_t next, const Function* f);
  void add_words(std::span<const uint8_t> bytes);
  void add_pads(const ElfImage& image, const Function& f);

  std::vector<ExecRange> code_;
  std::vector<uint64_t> targets_;                        // sorted
  std::vector<std::pair<uint64_t, uint64_t>> anywhere_;  // functions whose landing pads are not known
};

}  // namespace sysvm
