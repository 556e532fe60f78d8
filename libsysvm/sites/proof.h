// SPDX-License-Identifier: MIT
// Proves of a site that patching it changes nothing but who sees the call. It shares no code with the
// analyser that makes sites: it reads the file anew, decodes every function from its beginning, and believes
// nothing in the site.
//
// What holds for an admitted site (see table.h and shim/process/patch.c for what is written where):
//   1. Its bytes, and those of the padding, are the file's, in one executable segment, at the offset that it
//      names.
//   2. It lies in one function of .eh_frame (that of clone() ends right before its `syscall`), and decoding
//      that function from its beginning comes upon `patch`, each instruction after it and the `syscall`.
//   3. The slot (code and fixes) decodes to exactly these instructions without the `syscall`, once each, in
//      order: the same bytes, but for a displacement that leads to the same address, and a short conditional
//      jump made a near one.
//   4. None of them leaves the line (but for such a jump), changes the stack pointer, or is a landing place
//      of control-flow protection.
//   5. One rule for unwinding holds from `patch` to the `syscall`: a slot is unwound as if at the `syscall`
//      (entry.S).
//   6. The jump covers bytes of the instruction at `patch` only, and no direct branch leads into them, nor
//      anything else that indirect.h finds. A way to what follows, up to the `syscall`, is admitted only if
//      the site is marked leaky.
//   7. A hop's five bytes are filler that nothing reaches: after an instruction that does not go on, with no
//      symbol, function or branch target among them, and near enough. They lie between functions; or in one
//      that has neither an indirect jump nor a landing pad nor a part elsewhere, for those may lead to a
//      label that stands before filler.
//   8. No byte is written, or compared, for two sites; no `syscall` is overwritten.
//
// Not proven: that no indirect jump whose target the file does not show (indirect.h) leads into the one
// instruction that is overwritten; it would have to lead into its middle. Tested by tests/sites/proof_test.cc
// (each property) and, for other people's files, by scripts/census.
#pragma once

#include <memory>

#include "libsysvm/sites/elf_image.h"
#include "libsysvm/sites/table.h"

namespace sysvm {

class Proof {
 public:
  explicit Proof(const ElfImage& image);
  ~Proof();

  // SITE_SOUND, or the first property that does not hold. A sound site keeps its bytes from later ones.
  site_doubt admit(const sysvm_site& site);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

const char* doubt_text(uint32_t doubt);  // enum site_doubt; "in no function that .eh_frame knows"

}  // namespace sysvm
