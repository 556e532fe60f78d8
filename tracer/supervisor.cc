// SPDX-License-Identifier: MIT
#include "tracer/supervisor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <ctime>

namespace sysvm {

uint64_t boottime_ns() {
  timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

Supervisor::Supervisor() {
  sigset_t set;
  sigemptyset(&set);
  for (int sig : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1}) sigaddset(&set, sig);
  sigprocmask(SIG_BLOCK, &set, &before_);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Supervisor::~Supervisor() {
  // What is still pending was meant for a moment that has passed.
  signalfd_siginfo info;
  while (signals_ && read(signals_.get(), &info, sizeof info) == sizeof info) {
  }
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

Supervisor::Wake Supervisor::wait(int pidfd, pid_t command, int timeout_ms) {
  pollfd fds[2] = {{signals_.get(), POLLIN, 0}, {pidfd, POLLIN, 0}};  // poll skips a negative pidfd
  if (poll(fds, 2, timeout_ms) <= 0) return Wake::kTimeout;
  Wake wake = Wake::kTimeout;
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    const int sig = static_cast<int>(info.ssi_signo);
    if (sig == SIGCHLD) {
      if (pidfd < 0 && wake == Wake::kTimeout) wake = Wake::kChild;
    } else if (sig == SIGUSR1) {
      if (wake == Wake::kTimeout) wake = Wake::kSnapshot;
    } else if (!command) {
      wake = Wake::kStop;
    } else if (sig == SIGTERM || sig == SIGHUP) {
      kill(command, sig);
    } else if (sig == SIGINT) {
      const uint64_t now = boottime_ns();
      if (last_interrupt_ns_ && now - last_interrupt_ns_ < 2'000'000'000) wake = Wake::kStop;
      last_interrupt_ns_ = now;
    }
  }
  if (wake == Wake::kTimeout && (fds[1].revents & POLLIN)) wake = Wake::kEnded;
  return wake;
}

}  // namespace sysvm
