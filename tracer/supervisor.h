// SPDX-License-Identifier: MIT
// How a tool behaves around a command that runs in the foreground: as common/foreground.h has it. From the
// terminal ^C and ^\ reach the command by themselves, so the tool outlives them and finishes its work;
// signals to the tool alone are sent on; the tool stops when the command does. A second interrupt within two
// seconds means "stop watching". With a running process (no command) the first one means that.
//
// Signals are blocked while a Supervisor lives and read from a signalfd: no handlers, no races.
// Tested by tests/tracer/.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "common/foreground.h"
#include "common/unique_fd.h"

namespace sysvm {

class Supervisor {
 public:
  // command: it will start one. snapshots: SIGUSR1 is ours, not the command's.
  explicit Supervisor(bool command = true, bool snapshots = false);
  ~Supervisor();  // the mask as it was
  Supervisor(const Supervisor&) = delete;

  const sigset_t& mask_before() const { return before_; }
  bool child_ignored() const { return signals_of_command_ && signals_of_command_->child_ignored(); }

  enum class Wake { kTimeout, kEnded, kStop, kChild, kSnapshot };
  // Waits until pidfd's process has ended (kEnded), the user wants to stop (kStop), any child changed state
  // (kChild, only if pidfd is -1), a snapshot is wanted, or the time is over. command: pid that gets signals,
  // or 0.
  Wake wait(int pidfd, pid_t command, int timeout_ms);

 private:
  void take(const siginfo_t& info, pid_t command, bool polled, Wake& wake);

  const bool snapshots_;
  sigset_t before_;
  std::optional<Signals> signals_of_command_;
  UniqueFd signals_;
  uint64_t last_interrupt_ns_ = 0;
};

uint64_t boottime_ns();

}  // namespace sysvm
