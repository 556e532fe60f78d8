// SPDX-License-Identifier: MIT
// A recorded call as the shim would get it: the same numbers, and where the program passed an address, real
// memory with what the recording knows of what was there.
#pragma once

#include <cstdint>
#include <vector>

#include "libsysvm/shim/ahead/ahead.h"
#include "optimizer/prove/names_in_memory.h"
#include "traces/packed.h"

namespace sysvm {

class ShimCalls {
 public:
  explicit ShimCalls(const PackedTrace& trace);
  // names: null, or where the strings of this process lie. Valid until the next call of this.
  shim_call make(const PackedEvent& e, NamesInMemory* names);

 private:
  const PackedTrace& trace_;
  std::vector<uint8_t> scratch_;  // stands for the program's buffers
};

// The same address for the same place of the same file, whatever the process.
uint64_t address_of(const std::string& build_id, uint64_t offset);

// ahead_init's settings for a program of that build-id.
shim_settings settings_for(const std::string& build_id, const std::vector<uint64_t>& svp, size_t svp_size,
                           bool strict);

}  // namespace sysvm
