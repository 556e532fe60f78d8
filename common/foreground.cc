// SPDX-License-Identifier: MIT
#include "common/foreground.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>

namespace sysvm {

Signals::Signals() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, &mask_);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;  // ignored, the command's status would be lost
  ::sigaction(SIGCHLD, &standard, &child_);
}

void Signals::restore() const {
  ::sigaction(SIGCHLD, &child_, nullptr);
  ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
}

bool is_for_the_command(const siginfo_t& info, pid_t command) {
  // By kill, sigqueue, tgkill; or by the kernel in our own name, when a write of ours failed (SIGPIPE,
  // SIGXFSZ).
  if (info.si_code <= 0) return info.si_pid != command && info.si_pid != ::getpid();
  switch (info.si_signo) {  // by the kernel, and then to the terminal's group, the command among it
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGHUP:
    case SIGCONT:
    case SIGWINCH:
    case SIGTTIN:
    case SIGTTOU:
    case SIGCHLD: return false;
    default: return true;  // a timer, a limit or an owner of a descriptor from before this process's exec
  }
}

void send_on(const siginfo_t& info, pid_t command) {
  if (info.si_code == SI_QUEUE) {
    siginfo_t same = info;
    same.si_pid = ::getpid();
    same.si_uid = ::getuid();
    if (::syscall(SYS_rt_sigqueueinfo, command, info.si_signo, &same) == 0) return;
  }
  ::kill(command, info.si_signo);
}

namespace {

// Stops this process by the signal, and returns when it goes on.
void stop_self(int signal) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  // The terminal's stop that waits for us is the one that the command has just obeyed.
  const timespec at_once{};
  while (::sigtimedwait(&one, nullptr, &at_once) > 0) {
  }
  if (signal == SIGSTOP) {
    ::raise(SIGSTOP);
    return;
  }
  struct sigaction standard {
  }, before{};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, &standard, &before);
  ::raise(signal);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);  // stops here, and goes on here
  ::sigprocmask(SIG_BLOCK, &one, nullptr);
  ::sigaction(signal, &before, nullptr);
}

// A stopped process, or one that is not there: 'T', or 0. Only what may be called after fork in a process
// with threads.
char state_of(pid_t pid) {
  char path[32] = "/proc/", digits[12], stat[512];
  size_t at = 6, n = 0;
  do digits[n++] = static_cast<char>('0' + pid % 10);
  while ((pid /= 10) != 0);
  while (n) path[at++] = digits[--n];
  std::memcpy(path + at, "/stat", 6);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t have = ::read(fd, stat, sizeof stat);
  ::close(fd);
  // "PID (NAME) STATE ...": NAME may hold anything, what follows no ')'
  for (ssize_t i = have - 3; i > 0; --i)
    if (stat[i] == ')') return stat[i + 2];
  return 0;
}

// Somebody may continue the command but not us. We would stay stopped, and whoever waits for us would wait
// for ever. So a process of ours watches the two while we are stopped, and continues us when the command
// runs, or has ended. -1: there is none.
pid_t watch(pid_t command) {
  const pid_t us = ::getpid(), watcher = ::fork();
  if (watcher != 0) return watcher;
  end_with_parent(us);
  for (;;) {
    const timespec rest{0, 20'000'000};
    ::nanosleep(&rest, nullptr);
    if (state_of(command) != 'T' && state_of(us) == 'T') ::kill(us, SIGCONT);
  }
}

}  // namespace

void stop_like(int signal, pid_t command) {
  for (;;) {
    const pid_t watcher = watch(command);
    stop_self(signal);
    if (watcher > 0) {
      ::kill(watcher, SIGKILL);
      ::waitpid(watcher, nullptr, 0);
    }
    // Whoever continued us may have continued the group. The kernel sends to a group under the lock that
    // setpgid takes, so after it the command has its own SIGCONT, or will not have one.
    ::setpgid(0, ::getpgrp());
    sigset_t cont;
    sigemptyset(&cont);
    sigaddset(&cont, SIGCONT);
    const timespec at_once{};
    while (::sigtimedwait(&cont, nullptr, &at_once) > 0) {
    }
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(command), &info, WSTOPPED | WCONTINUED | WNOHANG) != 0) return;
    if (info.si_pid == 0) ::kill(command, SIGCONT);  // still stopped by the signal that we obeyed
    if (info.si_pid == 0 || info.si_code != CLD_STOPPED) return;
    signal = info.si_status;  // it went on and stopped again
  }
}

void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it has ended already
}

int end_like(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return WEXITSTATUS(wait_status);
  const int signal = WTERMSIG(wait_status);
  std::fflush(nullptr);
  const rlimit none = {0, 0};  // The command has left its core; ours would only hide it.
  ::setrlimit(RLIMIT_CORE, &none);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, &standard, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  ::raise(signal);
  return 128 + signal;
}

}  // namespace sysvm
