// SPDX-License-Identifier: MIT
#include "cli/try/runs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cli/base/exit_codes.h"
#include "libsysvm/run/memory.h"
#include "tracer/supervisor.h"

namespace sysvm {
namespace {

std::string describe(int wait_status) {
  if (WIFSIGNALED(wait_status)) return fmt::format("signal {}", WTERMSIG(wait_status));
  return fmt::format("exit status {}", WEXITSTATUS(wait_status));
}

Result<UniqueFd> create(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return error("{}: {}", path, strerror(errno));
  return fd;
}

}  // namespace

int TryRun::exit_code() const {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

std::string difference(const TryRun& a, const TryRun& b) {
  if (a.wait_status != b.wait_status) return describe(a.wait_status) + " and " + describe(b.wait_status);
  auto compare = [](const char* what, const std::string& x, const std::string& y) -> std::string {
    auto found = compare_files(x, y);
    if (!found) return fmt::format("{}: {}", what, found.message());
    return found->empty() ? "" : fmt::format("{}: {}", what, *found);
  };
  if (std::string d = compare("standard output", a.out, b.out); !d.empty()) return d;
  if (std::string d = compare("standard error", a.err, b.err); !d.empty()) return d;
  if (a.tree && b.tree)
    if (std::string d = first_difference(*a.tree, *b.tree, "the first run", "the other"); !d.empty())
      return d;
  return "";
}

void show_output(const TryRun& run) {
  for (const auto& [path, to] : {std::pair{&run.err, STDERR_FILENO}, std::pair{&run.out, STDOUT_FILENO}}) {
    UniqueFd from(open(path->c_str(), O_RDONLY | O_CLOEXEC));
    char buffer[1 << 16];
    for (ssize_t n; (n = read(from.get(), buffer, sizeof buffer)) > 0;)
      if (!write_all(to, {buffer, static_cast<size_t>(n)})) return;
  }
}

TryRuns::~TryRuns() = default;

Result<TryRuns> TryRuns::make(const std::vector<std::string>& command, const std::string& in_copy,
                              int& exit_code) {
  TryRuns runs;
  runs.argv_ = command;
  exit_code = kExitToolFailed;
  runs.folder_.emplace(TRY(TryFolder::make()));
  const std::string& path = runs.folder_->path();
  if (!in_copy.empty()) {
    exit_code = kExitUsage;
    if (mkdir((path + "/copy").c_str(), 0700)) return error("{}: {}", path, strerror(errno));
    runs.copy_ = TRY(FreshCopy::of(in_copy, path + "/copy"));
    TRY(runs.copy_->renew());
  }
  Command probe;
  probe.argv = command;
  if (runs.copy_) probe.cwd = runs.copy_->path();
  TRY(find_executable(probe, exit_code));
  exit_code = kExitToolFailed;
  runs.input_ = TRY(CapturedInput::capture(STDIN_FILENO, path));
  return runs;
}

Result<TryRun> TryRuns::with(const std::vector<std::string>& environment,
                             const std::function<Result<int>(Command&)>& start,
                             const std::vector<std::string>& through) {
  const std::string name = fmt::format("{}/{}", folder_->path(), ++count_);
  TryRun run;
  run.out = name + ".out";
  run.err = name + ".err";
  UniqueFd in = TRY(input_->replay());
  UniqueFd out = TRY(create(run.out));
  UniqueFd err = TRY(create(run.err));
  Command command;
  command.argv = through;
  command.argv.insert(command.argv.end(), argv_.begin(), argv_.end());
  if (!environment.empty()) command.env = environment;
  command.fds = {in.get(), out.get(), err.get()};
  if (copy_) {
    TRY(copy_->renew());
    command.cwd = copy_->path();
  }
  run.wait_status = TRY(start(command));
  if (WIFSIGNALED(run.wait_status) && WTERMSIG(run.wait_status) == SIGINT) {
    interrupted_ = true;
    return error("interrupted");
  }
  if (copy_) run.tree = TRY(copy_->facts());
  return run;
}

Result<TryRun> TryRuns::plain(const std::vector<std::string>& environment, int& exit_code,
                              const std::vector<std::string>& through) {
  uint64_t wall_ns = 0;
  TryRun run = TRY(with(
      environment,
      [&](Command& command) -> Result<int> {
        const std::string path = TRY(find_executable(command, exit_code));
        Supervisor supervisor;
        HeldChild child = TRY(HeldChild::start(command, path, supervisor));
        std::string step;
        const uint64_t start = boottime_ns();
        if (const int e = child.release(&step)) {
          exit_code = e == ENOENT ? kExitNotFound : kExitNotExecutable;
          return error("{}: {}: {}", command.argv[0], step, strerror(e));
        }
        while (supervisor.wait(child.pidfd(), child.pid(), -1) != Supervisor::Wake::kEnded) {
        }
        wall_ns = boottime_ns() - start;
        int status = 0;
        while (waitpid(child.pid(), &status, 0) < 0 && errno == EINTR) {
        }
        return status;
      },
      through));
  run.wall_ms = static_cast<double>(wall_ns) / 1e6;
  return run;
}

}  // namespace sysvm
