// SPDX-License-Identifier: MIT
#include "cli/try/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "cli/try/copy.h"

namespace sysvm {
namespace {

[[noreturn]] void keep(const std::string& path, int end) {
  setsid();
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::signal(signal, SIG_IGN);
  if (dup2(end, 0) < 0 || chdir("/") != 0) _exit(1);
  syscall(SYS_close_range, 1, ~0u, 0);
  char byte;
  while (read(0, &byte, 1) < 0 && errno == EINTR) {
  }
  remove_tree(path);
  _exit(0);
}

}  // namespace

Result<TryFolder> TryFolder::make() {
  const char* tmp = getenv("TMPDIR");
  std::string path = fmt::format("{}/sysvm-try.XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(path.data())) return error("{}: {}", path, strerror(errno));
  TryFolder folder;
  folder.path_ = path;
  folder.start_keeper();
  return folder;
}

// Without one the folder stays after a SIGKILL, which is no reason not to go on.
void TryFolder::start_keeper() {
  int ends[2];
  if (path_[0] != '/' || pipe2(ends, O_CLOEXEC) != 0) return;
  const UniqueFd theirs(ends[0]);
  alive_ = UniqueFd(ends[1]);
  // fork() whose child sends nothing when it ends. Nothing of ours has started a thread yet.
  const long child = syscall(SYS_clone, 0, 0, nullptr, nullptr, 0);
  if (child == 0) {
    alive_ = UniqueFd();
    keep(path_, theirs.get());
  }
  keeper_ = child > 0 ? static_cast<int>(child) : 0;
}

TryFolder::TryFolder(TryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      alive_(std::move(other.alive_)),
      keeper_(std::exchange(other.keeper_, 0)) {}

TryFolder::~TryFolder() {
  if (path_.empty()) return;
  remove_tree(path_);
  if (!keeper_) return;
  alive_ = UniqueFd();
  while (waitpid(keeper_, nullptr, __WCLONE) < 0 && errno == EINTR) {
  }
}

}  // namespace sysvm
