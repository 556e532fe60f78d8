// SPDX-License-Identifier: MIT
// What the tracer needs of an ELF file: build-id, interpreter, where its text lies. Only 64-bit little-endian
// files; others give an error. Reads headers and notes only. Tested by tests/tracer/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"

namespace sysvm {

struct ElfFile {
  struct Segment {  // executable PT_LOAD
    uint64_t vaddr = 0, offset = 0, memsz = 0;
  };
  std::string build_id;  // hexadecimal, "" if there is none
  std::string interp;    // "" if static
  std::vector<Segment> text;
};

Result<ElfFile> read_elf(const std::string& path);

}  // namespace sysvm
