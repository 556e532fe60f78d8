// SPDX-License-Identifier: MIT
// Finds the system call instructions of an object file and where each can be seen safely (see table.h).
#pragma once

#include <string>
#include <vector>

#include "libsysvm/sites/elf_image.h"
#include "libsysvm/sites/table.h"

namespace sysvm {

struct Analysis {
  sysvm_object object{};  // first_site is 0
  std::vector<sysvm_site> sites;
  std::vector<uint64_t> foreign;  // calls as 32-bit programs make them (int $0x80, sysenter): never seen
  std::string path;               // where it was found; for people
};

// Decodes the whole text if it holds a byte pair that could be a system call: about 60 ms for a C library.
// Waits some ms where the file was changed a moment ago: a later change must be recognisable.
Analysis analyse(const ElfImage& image);

const char* why_text(uint32_t why);  // enum object_why; "its text can be written"
// The same with figures, and the address of the first of each kind: "4 of 526 system calls cannot be seen: in
// no function that .eh_frame knows (2, at 0x1f03), ..."; empty if all are seen.
std::string why_unseen(const Analysis& analysis);

}  // namespace sysvm
