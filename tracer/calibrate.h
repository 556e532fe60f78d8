// SPDX-License-Identifier: MIT
// What tracing adds to one call on this machine: a helper process times getppid before and after it is
// traced. Think time between calls is longer by that much in every trace, and savings computed from a trace
// must subtract it.
#pragma once

#include <optional>

#include "common/unique_fd.h"
#include "tracer/bpf_session.h"

namespace sysvm {

class Calibration {
 public:
  static std::optional<Calibration> start();  // before the programs are attached
  uint64_t finish(BpfSession& session);  // after; nanoseconds for each call, 0 if it could not be measured

 private:
  pid_t pid_ = -1;
  uint64_t plain_ns_ = 0;
  UniqueFd to_helper_, from_helper_;
};

}  // namespace sysvm
