// SPDX-License-Identifier: MIT
// A command in the foreground with this process between it and its parent, because something is done after it
// ended. It can tell as little as possible of that:
//
// - It starts with the signal mask and the ignored signals that this process was started with.
// - A signal that is sent to this process alone is sent on to it, with the value of sigqueue. What the
//   terminal sends reaches the whole group, so it is not sent on; nor is what the command itself sends.
// - When the command stops, this process stops by the same signal, so that a shell sees a stopped job;
//   continued, it continues the command, unless whoever continued the group did. Where somebody continues the
//   command alone, this process goes on, too.
// - When this process is killed, the command is too (PR_SET_PDEATHSIG), as a run without it would be.
//
// What remains: getppid; a signal sent to the whole group by kill, not by the terminal, arrives twice;
// SIGSTOP sent to this process alone does not stop the command.
// Tested by tests/run/wrapper_test.py and tests/tracer/cli_test.py.
#pragma once

#include <signal.h>
#include <sys/types.h>

namespace sysvm {

// While one lives no signal reaches this process unless it asks, and a child can be waited for.
class Signals {
 public:
  Signals();
  ~Signals() { restore(); }
  Signals(const Signals&) = delete;
  void restore() const;  // mask and disposition as they were; also in the child, before its exec
  const sigset_t& mask_before() const { return mask_; }
  bool child_ignored() const { return child_.sa_handler == SIG_IGN; }

 private:
  sigset_t mask_;
  struct sigaction child_;
};

// What to do with a signal that came to this process; command: its pid.
bool is_for_the_command(const siginfo_t& info, pid_t command);
void send_on(const siginfo_t& info, pid_t command);

// The command has stopped: stops this process likewise, and continues the command afterwards.
void stop_like(int signal, pid_t command);

// Ends as the command ended: returns its exit status, or raises the signal that killed it, so that our caller
// sees what it would have seen without us.
int end_like(int wait_status);

// In the new process, before its exec: it ends when the one that started it does. parent: that one's pid.
void end_with_parent(pid_t parent);

}  // namespace sysvm
