// SPDX-License-Identifier: MIT
#include "libsysvm/run/supervise.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "common/foreground.h"
#include "common/unique_fd.h"
#include "libsysvm/run/launch.h"

namespace sysvm {
namespace {

double now_ms() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

}  // namespace

bool supervise(const std::string& path, char* const* argv, char* const* envp, Ended& ended) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return false;
  UniqueFd from(fds[0]), to(fds[1]);
  const pid_t self = ::getpid();
  const Signals signals;
  const double start = now_ms();
  const pid_t pid = ::fork();
  if (pid < 0) return false;
  if (pid == 0) {
    end_with_parent(self);
    signals.restore();
    const int failed = execute(path, argv, envp);
    (void)!::write(to.get(), &failed, sizeof failed);
    ::_exit(127);
  }
  to.reset();
  while (::read(from.get(), &ended.exec_errno, sizeof ended.exec_errno) < 0 && errno == EINTR) {
  }
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    int status = 0;
    const pid_t changed = ::waitpid(pid, &status, WNOHANG | WUNTRACED);
    if (changed == pid && WIFSTOPPED(status)) {
      stop_like(WSTOPSIG(status), pid);
      continue;
    }
    if (changed == pid || (changed < 0 && errno != EINTR)) {
      ended.wait_status = status;
      break;
    }
    siginfo_t info;
    if (::sigwaitinfo(&all, &info) > 0 && is_for_the_command(info, pid)) send_on(info, pid);
  }
  ended.wall_ms = now_ms() - start;
  return true;
}

}  // namespace sysvm
