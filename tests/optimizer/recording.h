// SPDX-License-Identifier: MIT
// Recordings as strace would print them, so that a test shows what the program did. One call a line:
//
//     openat(AT_FDCWD, "x.h", O_RDONLY|O_NOCTTY) = 3
//     newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=12}, AT_EMPTY_PATH) = 0
//     read(3, buf, 4096) = 12
//     ioctl(3, TCGETS, buf) = -25
//
// Lines that begin with `--` stand for a delivered signal, `..` for a lost event. Words that are not known
// here are 0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "optimizer/lists/lists.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/replay.h"
#include "traces/packed.h"

namespace sysvm {

// Appends to the trace, as thread tid of process pid.
void add_calls(Trace& trace, std::string_view text, int32_t pid = 100, int32_t tid = 100);

// A trace of one process with an executable "aabb".
Trace recording(std::string_view text);

// Packed, as the optimizer takes them, with the events in the order in which they are.
Result<Compiled> compile(const std::vector<const Trace*>& traces, const CompileOptions& options);
Result<Replay> replay(std::span<const uint8_t> svp, const std::vector<const Trace*>& traces,
                      const ReplayOptions& options = {});
std::vector<PrefetchList> lists_of(const std::vector<const Trace*>& traces,
                                   std::vector<DroppedList>* dropped = nullptr);

// text, n times, with every "%d" replaced by the number of the round.
std::string repeated(int n, std::string_view text);

}  // namespace sysvm
