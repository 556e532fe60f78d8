// SPDX-License-Identifier: MIT
#include "tracer/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "common/foreground.h"
#include "common/search_path.h"

extern char** environ;

namespace sysvm {

namespace {

enum Step : int { kExec = 0, kChdir = 1, kUser = 2, kFds = 3 };
constexpr const char* kStepNames[] = {"exec", "chdir", "change of user", "dup2"};

struct Failure {
  int step;
  int error;
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& w : words) out.push_back(const_cast<char*>(w.c_str()));
  out.push_back(nullptr);
  return out;
}

const char* lookup(const std::optional<std::vector<std::string>>& env, const char* name) {
  if (!env) return getenv(name);
  const size_t n = strlen(name);
  for (const std::string& entry : *env)
    if (entry.compare(0, n, name) == 0 && entry.size() > n && entry[n] == '=') return entry.c_str() + n + 1;
  return nullptr;
}

}  // namespace

int open_pidfd(pid_t pid) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

Result<Identity> find_user(const std::string& name_or_number) {
  passwd* p = getpwnam(name_or_number.c_str());
  if (!p) {
    char* end;
    const unsigned long uid = strtoul(name_or_number.c_str(), &end, 10);
    if (*end == '\0' && end != name_or_number.c_str()) p = getpwuid(static_cast<uid_t>(uid));
  }
  if (!p) return error("user '{}' is not known here", name_or_number);
  return Identity{p->pw_uid, p->pw_gid, p->pw_name, p->pw_dir, p->pw_shell};
}

Result<std::string> find_executable(const Command& command, int& exit_code) {
  int problem = 0;
  std::string path = search_path(command.argv.at(0), problem, lookup(command.env, "PATH"), command.cwd);
  if (!path.empty()) return path;
  const CommandError wrong = command_error(command.argv[0], problem);
  exit_code = wrong.exit_code;
  return Error{wrong.message};
}

Result<HeldChild> HeldChild::start(const Command& command, const std::string& path,
                                   const Supervisor& supervisor) {
  int go[2], result[2];
  if (pipe2(go, O_CLOEXEC) != 0 || pipe2(result, O_CLOEXEC) != 0) return error("pipe: {}", strerror(errno));
  HeldChild child;
  UniqueFd go_read(go[0]), result_write(result[1]);
  child.go_.reset(go[1]);
  child.result_.reset(result[0]);

  // Everything that allocates happens before the fork.
  std::vector<std::string> env;
  if (command.env) {
    env = *command.env;
  } else {
    for (char** e = environ; *e; ++e) env.emplace_back(*e);
  }
  if (command.user) {
    std::erase_if(env, [](const std::string& e) {
      return e.starts_with("HOME=") || e.starts_with("USER=") || e.starts_with("LOGNAME=") ||
             e.starts_with("SHELL=");
    });
    env.push_back("HOME=" + command.user->home);
    env.push_back("USER=" + command.user->name);
    env.push_back("LOGNAME=" + command.user->name);
    env.push_back("SHELL=" + command.user->shell);
  }
  std::vector<char*> argv = pointers(command.argv), envp = pointers(env);
  std::vector<std::string> script_words{"/bin/sh", path};
  script_words.insert(script_words.end(), command.argv.begin() + 1, command.argv.end());
  std::vector<char*> script_argv = pointers(script_words);

  const pid_t self = getpid();
  const pid_t pid = fork();
  if (pid < 0) return error("fork: {}", strerror(errno));
  if (pid == 0) {
    auto fail = [&](int step, int e) {
      const Failure failure{step, e};
      (void)!write(result_write.get(), &failure, sizeof failure);
      _exit(127);
    };
    if (supervisor.child_ignored()) signal(SIGCHLD, SIG_IGN);
    sigprocmask(SIG_SETMASK, &supervisor.mask_before(), nullptr);
    // 0, 1, 2 are set through copies above 2, so that none is overwritten before it is used.
    int copies[3] = {-1, -1, -1};
    for (size_t i = 0; i < 3; ++i)
      if (command.fds[i] >= 0 && (copies[i] = fcntl(command.fds[i], F_DUPFD_CLOEXEC, 3)) < 0)
        fail(kFds, errno);
    for (int i = 0; i < 3; ++i)
      if (copies[i] >= 0 && dup2(copies[i], i) < 0) fail(kFds, errno);
    if (!command.cwd.empty() && chdir(command.cwd.c_str()) != 0) fail(kChdir, errno);
    if (command.user) {
      const Identity& u = *command.user;
      if (initgroups(u.name.c_str(), u.gid) != 0 || setgid(u.gid) != 0 || setuid(u.uid) != 0)
        fail(kUser, errno);
    }
    end_with_parent(self);  // after the change of user, which undoes it
    char word;
    ssize_t n;
    while ((n = read(go_read.get(), &word, 1)) < 0 && errno == EINTR) {
    }
    if (n != 1) _exit(127);  // The tracer is gone.
    execve(path.c_str(), argv.data(), envp.data());
    if (errno == ENOEXEC) execve("/bin/sh", script_argv.data(), envp.data());  // as execvp does
    fail(kExec, errno);
  }
  child.pid_ = pid;
  child.pidfd_.reset(open_pidfd(pid));
  if (!child.pidfd_) return error("pidfd_open: {}", strerror(errno));
  return child;
}

HeldChild::~HeldChild() {
  if (pid_ < 0 || released_ || !pidfd_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void HeldChild::let_go() {
  released_ = true;
  (void)!write(go_.get(), "g", 1);
}

int HeldChild::outcome(std::string* why) {
  Failure failure{kExec, 0};
  ssize_t n;
  while ((n = read(result_.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  if (n != sizeof failure) return 0;
  if (why) *why = kStepNames[failure.step];
  return failure.error;
}

int HeldChild::release(std::string* why) {
  let_go();
  const int e = outcome(why);
  if (e) waitpid(pid_, nullptr, 0);
  return e;
}

}  // namespace sysvm
