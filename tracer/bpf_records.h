// SPDX-License-Identifier: MIT
// The records of the eBPF programs (event.h) as a stream of events. Tested by tests/tracer/.
#pragma once

#include <cstdint>
#include <span>

#include "tracer/stream.h"

namespace sysvm {

// Hands all records of a block (CpuRings::drain) to sink, in order. Returns how many made no sense: always 0.
uint64_t hand_over(std::span<const uint8_t> block, TraceSink& sink);

// What getdents64 wrote (struct linux_dirent64) as DataKind::kDirent has it.
std::string compact_dirents(std::string_view raw);

}  // namespace sysvm
