// SPDX-License-Identifier: MIT
// How a tool behaves around a command that runs in the foreground: ^C and ^\ reach the command by themselves
// (same terminal), so the tool outlives them and finishes its work; SIGTERM and SIGHUP are passed on; a
// second ^C within two seconds means "stop watching". With a running process (no command) the first one means
// that.
//
// Signals are blocked while a Supervisor lives and read from a signalfd: no handlers, no races.
// Tested by tests/tracer/.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>

#include "common/unique_fd.h"

namespace sysvm {

class Supervisor {
 public:
  Supervisor();
  ~Supervisor();  // the mask as it was
  Supervisor(const Supervisor&) = delete;

  const sigset_t& mask_before() const { return before_; }

  enum class Wake { kTimeout, kEnded, kStop, kChild, kSnapshot };
  // Waits until pidfd's process has ended (kEnded), the user wants to stop (kStop), any child changed state
  // (kChild, only if pidfd is -1), SIGUSR1 came (kSnapshot), or the time is over. command: pid that gets SIGTERM and SIGHUP, or 0.
  Wake wait(int pidfd, pid_t command, int timeout_ms);

 private:
  sigset_t before_;
  UniqueFd signals_;
  uint64_t last_interrupt_ns_ = 0;
};

uint64_t boottime_ns();

}  // namespace sysvm
