// SPDX-License-Identifier: MIT
// sysvm run: a command under the shim.
//
// The usual case is a command that was run before: its start is kept (libsysvm/run/start.h), nothing it was
// made from has changed, and nobody wants counters. Then the command takes this process's place after some
// twenty system calls. Else a helper process makes the start first, or this process stays beside the command
// until it ends. The helper does all that can fail; if it does, one line says so and the command runs
// plainly: a run never costs the job.
//
// Standard output and error belong to the command. What we have to say goes to standard error only if
// something is wrong, or if --verbose asks for it.
// Tested by tests/run/wrapper_test.py and tests/shim/entry/run.py.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "cli/base/exit_codes.h"
#include "cli/base/terminal.h"
#include "cli/front/front.h"
#include "cli/front/run_options.h"
#include "common/foreground.h"
#include "common/search_path.h"
#include "common/unique_fd.h"
#include "libsysvm/prefetch/start.h"
#include "libsysvm/run/launch.h"
#include "libsysvm/run/memory.h"
#include "libsysvm/run/supervise.h"
#include "libsysvm/shim/bundle/bundle.h"

extern char** environ;

namespace sysvm {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& w : words) out.push_back(const_cast<char*>(w.c_str()));
  out.push_back(nullptr);
  return out;
}

// Above 2 also where the standard ones are closed: a helper's output must not get into something else.
UniqueFd above_standard(int fd) {
  const UniqueFd low(fd);
  return UniqueFd(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

constexpr int kHelperMs = 10'000;  // one that takes longer goes on, and what it keeps serves the next run

// Until the end of the file; or, if limit_ms is not negative, until that time is over: then late is true.
std::string read_all(int fd, int limit_ms, bool& late) {
  std::string out;
  char buffer[4096];
  timespec start{}, now{};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  late = false;
  for (;;) {
    if (limit_ms >= 0) {
      ::clock_gettime(CLOCK_MONOTONIC, &now);
      const long past = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1'000'000;
      pollfd ready{fd, POLLIN, 0};
      const int n = ::poll(&ready, 1, past < limit_ms ? static_cast<int>(limit_ms - past) : 0);
      if (n == 0) return late = true, out;
      if (n < 0) {
        if (errno == EINTR) continue;
        return out;
      }
    }
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n > 0)
      out.append(buffer, static_cast<size_t>(n));
    else if (n == 0 || errno != EINTR)
      return out;
  }
}

// Writes that a limit cuts short are errors, no deaths; the command gets the disposition as it was.
class QuietLimit {
 public:
  QuietLimit() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGXFSZ, &ignore, &before_);
  }
  ~QuietLimit() { ::sigaction(SIGXFSZ, &before_, nullptr); }

 private:
  struct sigaction before_;
};

// A process that is nobody's child here: no signal when it ends, nothing added to the times of the command's
// children. Its output and errors go to the descriptor.
bool start_helper(const std::vector<char*>& argv, int output, int inherited) {
  const std::string tools = tools_path();
  const long between = ::syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (between < 0) return false;
  if (between == 0) {
    if (::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0) {
      ::dup2(output, STDOUT_FILENO);
      ::dup2(output, STDERR_FILENO);
      if (inherited >= 0) ::fcntl(inherited, F_SETFD, 0);
      ::execve(tools.c_str(), argv.data(), environ);
      std::string why = tools + ": " + std::strerror(errno);
      (void)!::write(STDOUT_FILENO, why.data(), why.size());
    }
    ::_exit(0);
  }
  while (::waitpid(static_cast<pid_t>(between), nullptr, __WALL) < 0 && errno == EINTR) {
  }
  return true;
}

struct Made {
  std::optional<Start> start;
  std::string bundle;   // its bytes, where they could not be kept
  std::string problem;  // why there is no start
};

Made make_start(const ShimOptions& o, const std::string& path) {
  Made out;
  const QuietLimit quiet;
  int fds[2] = {-1, -1};
  if (::pipe2(fds, O_CLOEXEC) != 0) return out.problem = std::strerror(errno), out;
  UniqueFd from = above_standard(fds[0]), to = above_standard(fds[1]),
           bundle = above_standard(memory_file("sysvm-bundle").release());
  if (!from || !to || !bundle) return out.problem = std::strerror(errno), out;
  const unsigned flags = o.strict | o.relaxed_age << 1 | o.allow_seccomp << 2 | o.symbols << 3;
  const std::vector<std::string> words{"sysvm",
                                       "run-prepare",
                                       std::to_string(bundle.get()),
                                       std::to_string(static_cast<int>(o.engine)),
                                       std::to_string(o.age_ms),
                                       std::to_string(flags),
                                       o.procedures,
                                       path};
  if (!start_helper(pointers(words), to.get(), bundle.get())) return out.problem = std::strerror(errno), out;
  to.reset();
  bool late;
  const std::string answer = read_all(from.get(), kHelperMs, late);
  const size_t at = answer.find(kStartMagic);
  if (at != std::string::npos) out.start = unpack_start(std::string_view(answer).substr(at));
  if (!out.start) {
    out.problem = late ? "its analysis takes longer than " + std::to_string(kHelperMs / 1000) + " s"
                  : answer.empty() ? "its analysis ended early"
                                   : answer.substr(0, answer.find('\n'));
    return out;
  }
  if (::lseek(bundle.get(), 0, SEEK_SET) == 0) out.bundle = read_all(bundle.get(), -1, late);
  return out;
}

int not_executed(const std::string& path, int error) {
  say_error(path + ": cannot be executed: " + std::strerror(error));
  return error == ENOENT ? kExitNotFound : kExitNotExecutable;
}

class Run {
 public:
  Run(const RunOptions& options, std::string path)
      : options_(options), path_(std::move(path)), argv_(pointers(options.command)) {}

  int run() {
    if (const char* off = std::getenv("SYSVM_DISABLE");
        off && std::strcmp(off, "1") == 0 && !options_.counted())
      return plainly();
    if (options_.prefetch) configure_prefetch();
    if (nothing_to_do()) return plainly();
    if (const std::string problem = engine_problem(options_.shim.engine); !problem.empty())
      return plainly(problem, kExitToolFailed);
    // its command has what it asks for, not we
    if (identity_of(path_.c_str()) == identity_of("/proc/self/exe"))
      return options_.counted() ? beside(Start()) : plainly();
    folder_ = PrivateFolder::at_default_place("starts", false);
    const std::string key = start_key(options_.shim, path_, install_prefix());
    std::optional<Start> start = kept_start(folder_, key);
    if (start)
      note_use(key);
    else if (Made made = make_start(options_.shim, path_); made.start) {
      start = std::move(made.start);
      bundle_ = std::move(made.bundle);
      if (start->bundle.empty() && !bundle_.empty()) say_where_nothing_is_kept();
      folder_ = PrivateFolder::at_default_place("starts", false);
    } else {
      return plainly(made.problem, kExitToolFailed);
    }
    if (start->fault == kForOther && options_.require) return say_error(start->message), kExitUsage;
    if (start->fault != kNoFault && !is_quiet(start->fault)) {
      if (options_.require)
        return say_error(start->message), start->fault <= kStale ? kExitUsage : kExitToolFailed;
      if (start->fault == kBadProcedures) return plainly(start->message, kExitUsage);
      say_warning(start->message);
    }
    if (!options_.counted()) {
      if (start->library.empty()) return plainly();
      if (!start->bundle.empty()) return in_place(*start);
    }
    return beside(*start);
  }

 private:
  // No procedures, and nobody who wants to see what the shim sees.
  bool nothing_to_do() const {
    const ShimOptions& o = options_.shim;
    return o.procedures.empty() && o.engine == SYSVM_ENGINE_AUTO && !o.symbols && !options_.counted();
  }

  // As built (lib/) or as installed (lib/sysvm/), beside the shim.
  void configure_prefetch() {
    const QuietLimit quiet;  // its counters are a file
    for (const char* folder : {"/lib/", "/lib/sysvm/"}) {
      prefetcher_ = install_prefix() + folder + "sysvm-prefetch";
      if (::access(prefetcher_.c_str(), X_OK) != 0) continue;
      prefetch_stats_ = prefetch_configure(prefetcher_.c_str(), options_.prefetch_depth,
                                           options_.shim.procedures.c_str(), options_.counted());
      return;
    }
  }

  // why: said, and with --require the end.
  int plainly(const std::string& why = "", int required = 0) {
    if (!why.empty()) {
      if (options_.require) return say_error(why), required;
      say_warning(why + "; " + options_.command[0] + " runs plainly");
    }
    return not_executed(path_, exec_plainly(path_, argv_.data()));
  }

  int in_place(const Start& start) {
    const Environment with_us(start.library, folder_.path() + "/" + start.bundle);
    return not_executed(path_, exec_in_place(path_, argv_.data(), with_us));
  }

  // Counters are wanted, or there is no folder for the bundle: this process holds both in memory until the
  // end.
  int beside(const Start& start) {
    const UniqueFd stats = above_standard(memory_file("sysvm-stats").release());
    const UniqueFd bundle = above_standard(memory_file("sysvm-bundle").release());
    const std::string problem = fill(start, stats.get(), bundle.get());
    if (!problem.empty()) return plainly(problem, kExitToolFailed);
    return wait_for(start, Environment(start.library, start.library.empty() ? "" : memory_path(bundle.get())),
                    stats.get());
  }

  // Apart from beside(): the command must not start with what QuietLimit ignores. Returns the problem, if
  // there is one.
  std::string fill(const Start& start, int stats, int bundle) {
    const QuietLimit quiet;
    const bool plain = start.library.empty();
    std::string bytes = std::move(bundle_);
    if (!plain && bytes.empty() && !folder_.read(start.bundle.c_str(), BUNDLE_MAX, bytes))
      return folder_.path() + "/" + start.bundle + ": cannot be read";
    if (stats < 0 || bundle < 0 || !start_counters(stats) ||
        (!plain &&
         (!place_bundle(bytes, memory_path(bundle), memory_path(stats)) || !write_all(bundle, bytes))))
      return std::string("no memory for the counters: ") + std::strerror(errno);
    return "";
  }

  int wait_for(const Start& start, const Environment& environment, int stats) {
    Ended ended;
    if (!supervise(path_, argv_.data(), environment.data(), ended) ||
        (ended.exec_errno == E2BIG &&
         !supervise(path_, argv_.data(), Environment("", "").data(), ended = Ended())))
      return plainly(std::string("no second process: ") + std::strerror(errno), kExitToolFailed);
    if (ended.exec_errno) return not_executed(path_, ended.exec_errno);
    prefetch_wait_end(prefetch_stats_);
    if (options_.counted()) report(start, ended, stats);
    return end_like(ended.wait_status);
  }

  void report(const Start& start, const Ended& ended, int stats) {
    const RunOptions& o = options_;
    char wall[32];
    std::snprintf(wall, sizeof wall, "%.6f", ended.wall_ms);
    std::vector<std::string> words{"sysvm",
                                   "run-report",
                                   std::to_string(stats),
                                   std::to_string(ended.wait_status),
                                   wall,
                                   std::to_string(static_cast<int>(o.shim.engine)),
                                   o.shim.procedures,
                                   start.library.empty() ? start.message : "",
                                   o.stats,
                                   o.json ? "json" : "",
                                   o.verbose ? "verbose" : "",
                                   o.shim.allow_seccomp ? "filter" : "",
                                   std::to_string(prefetch_stats_)};
    words.insert(words.end(), o.command.begin(), o.command.end());
    const std::string tools = tools_path();
    const Signals signals;
    const pid_t pid = ::fork();
    if (pid == 0) {
      signals.restore();
      ::fcntl(stats, F_SETFD, 0);
      if (prefetch_stats_ >= 0) ::fcntl(prefetch_stats_, F_SETFD, 0);
      ::execve(tools.c_str(), pointers(words).data(), environ);
      say_error(tools + ": " + std::strerror(errno));
      ::_exit(kExitToolFailed);
    }
    if (pid < 0) return say_error(std::string("no counters: no second process: ") + std::strerror(errno));
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  // A start that was not used for long is removed (prepare.cc); its time says when it was, to a day.
  void note_use(const std::string& key) {
    struct stat st;
    const std::string name = start_name(key);
    if (::fstatat(folder_.fd(), name.c_str(), &st, 0) == 0 && st.st_mtime + 24 * 3600 < ::time(nullptr))
      ::utimensat(folder_.fd(), name.c_str(), nullptr, 0);
  }

  void say_where_nothing_is_kept() {
    const PrivateFolder now = PrivateFolder::at_default_place("starts", false);
    const std::string why = !now.problem().empty() ? now.problem() : now.path() + ": cannot be written";
    say_warning(why + "; analyses are not kept, and sysvm stays beside the command");
  }

  const RunOptions& options_;
  const std::string path_;
  const std::vector<char*> argv_;
  PrivateFolder folder_;
  std::string bundle_, prefetcher_;
  int prefetch_stats_ = -1;
};

}  // namespace

int front_run(const std::vector<std::string>& words) {
  RunOptions options;
  if (const auto code = parse_run_options(words, options)) return *code;
  int error = 0;
  const std::string path = search_path(options.command[0], error);
  if (path.empty()) {
    const CommandError problem = command_error(options.command[0], error);
    return say_error(problem.message), problem.exit_code;
  }
  return Run(options, path).run();
}

}  // namespace sysvm
