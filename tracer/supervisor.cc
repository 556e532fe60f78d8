// SPDX-License-Identifier: MIT
#include "tracer/supervisor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>

namespace sysvm {

uint64_t boottime_ns() {
  timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

namespace {

// What signalfd reports, in the form that the other ways of learning of a signal have.
siginfo_t info_of(const signalfd_siginfo& s) {
  siginfo_t out{};
  out.si_signo = static_cast<int>(s.ssi_signo);
  out.si_code = s.ssi_code;
  if (out.si_signo == SIGCHLD && s.ssi_code > 0) {
    out.si_pid = static_cast<pid_t>(s.ssi_pid);
    out.si_status = s.ssi_status;
  } else if (s.ssi_code <= 0) {
    out.si_pid = static_cast<pid_t>(s.ssi_pid);
    out.si_uid = s.ssi_uid;
    out.si_value.sival_ptr = reinterpret_cast<void*>(s.ssi_ptr);
  }
  return out;
}

}  // namespace

Supervisor::Supervisor(bool command, bool snapshots) : snapshots_(snapshots || !command) {
  sigset_t set;
  sigemptyset(&set);
  if (command) sigfillset(&set);
  for (int sig : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1}) sigaddset(&set, sig);
  sigprocmask(SIG_BLOCK, nullptr, &before_);
  if (command)
    signals_of_command_.emplace();
  else
    sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Supervisor::~Supervisor() {
  // What is still pending was meant for a moment that has passed.
  signalfd_siginfo info;
  while (signals_ && read(signals_.get(), &info, sizeof info) == sizeof info) {
  }
  signals_of_command_.reset();
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void Supervisor::take(const siginfo_t& info, pid_t command, bool any_child, Wake& wake) {
  const int sig = info.si_signo;
  if (sig == SIGCHLD && info.si_code > 0) {
    // With any child to watch (ptrace) stops are the session's.
    if (any_child && wake == Wake::kTimeout) wake = Wake::kChild;
    // Of several children's news only the first has its details here: ask for the command's.
    siginfo_t stopped{};
    if (!any_child && command &&
        waitid(P_PID, static_cast<id_t>(command), &stopped, WSTOPPED | WNOHANG) == 0 &&
        stopped.si_pid == command)
      stop_like(stopped.si_status, command);
    return;
  }
  if (sig == SIGUSR1 && snapshots_) {
    if (wake == Wake::kTimeout) wake = Wake::kSnapshot;
    return;
  }
  if (!command) {
    wake = Wake::kStop;
    return;
  }
  if (is_for_the_command(info, command)) send_on(info, command);
  if (sig == SIGINT) {
    const uint64_t now = boottime_ns();
    if (last_interrupt_ns_ && now - last_interrupt_ns_ < 2'000'000'000) wake = Wake::kStop;
    last_interrupt_ns_ = now;
  }
}

Supervisor::Wake Supervisor::wait(int pidfd, pid_t command, int timeout_ms) {
  pollfd fds[2] = {{signals_.get(), POLLIN, 0}, {pidfd, POLLIN, 0}};  // poll skips a negative pidfd
  if (poll(fds, 2, timeout_ms) <= 0) return Wake::kTimeout;
  Wake wake = Wake::kTimeout;
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info)
    take(info_of(info), command, pidfd < 0, wake);
  if (wake == Wake::kTimeout && (fds[1].revents & POLLIN)) wake = Wake::kEnded;
  return wake;
}

}  // namespace sysvm
