// SPDX-License-Identifier: MIT
#include "libsysvm/run/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "common/read_file.h"
#include "common/unique_fd.h"
#include "libsysvm/run/bundle.h"
#include "libsysvm/sites/cache.h"
#include "libsysvm/svp.h"

extern char** environ;

namespace sysvm {
namespace {

namespace fs = std::filesystem;

constexpr char kLibrary[] = "libsysvm-preload.so";
constexpr char kSymbolsLibrary[] = "libsysvm-preload-symbols.so";
constexpr unsigned kSitesOfALibc = 100;  // fewer seen: no C library that we know how to patch

// Asked for by name, the module has to be there: the shim would fall silent in every process.
Result<> kernel_engine_usable() {
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(64, sysvm_size()), &std::free);
  auto* vm = static_cast<struct sysvm_vm*>(memory.get());
  const int failed = vm ? sysvm_init(vm, SYSVM_ENGINE_KERNEL) : -ENOMEM;
  if (failed)
    return error("--engine kernel: /dev/sysvm cannot be used: {}; 'sysvm doctor' names the fix", std::strerror(-failed));
  sysvm_exit(vm);
  return Unit{};
}

Result<> write_private(const std::string& path, const std::string& bytes) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  size_t at = 0;
  while (fd && at < bytes.size()) {
    const ssize_t n = ::write(fd.get(), bytes.data() + at, bytes.size() - at);
    if (n <= 0) break;
    at += static_cast<size_t>(n);
  }
  if (at < bytes.size()) return error("{}: cannot be written: {}", path, std::strerror(errno));
  return Unit{};
}

// Beside the program as built (bin/ and lib/) or as installed (bin/ and lib/sysvm/).
Result<std::string> library_path(const char* name) {
  std::error_code failed;
  const fs::path bin = fs::read_symlink("/proc/self/exe", failed).parent_path();
  for (const fs::path& folder : {bin / "../lib", bin / "../lib/sysvm"}) {
    const fs::path path = folder / name;
    if (fs::exists(path, failed)) {
      const std::string found = fs::canonical(path, failed);
      if (found.find_first_of(": \n") != std::string::npos)
        return error("{}: the loader cannot preload from a path with a space or colon", found);
      return found;
    }
  }
  return error("{}/../lib/{}: not found; build sysvm", bin.string(), name);
}

// A filter on this process is on the command too, whose shim then makes no call, not even to be counted (init.c).
bool under_filter() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Seccomp:")) return line.find_first_of("12") != std::string::npos;
  return false;
}

std::string mode_of(const svp_proc& proc) { return svp_mode_name(proc.mode); }

}  // namespace

Result<std::string> check_procedures(const std::string& path) {
  if (path.empty()) return std::string();
  const std::vector<uint8_t> bytes = TRY(read_whole_file(path, SVP_FILE_MAX));
  svp view;
  char message[256];
  if (svp_check(bytes.data(), bytes.size(), &view, message, sizeof message) != 0)
    return error("{}: {}", path, message);
  return std::string(bytes.begin(), bytes.end());
}

const char* shim_reason_name(unsigned reason) {
  static constexpr const char* kNames[] = {"on",    "disabled", "threads", "unseen", "shared", "rings",
                                           "seccomp", "traced",   "faults",  "libc",   "engine", "watch"};
  return reason < std::size(kNames) ? kNames[reason] : "?";
}

const char* shim_reason_text(unsigned reason) {
  switch (reason) {
    case SHIM_ON: return "on";
    case SHIM_OFF_DISABLED: return "switched off, or no procedures for the program";
    case SHIM_OFF_THREADS: return "another task shares memory, descriptors or directory";
    case SHIM_OFF_UNSEEN: return "system call instructions that the shim does not see";
    case SHIM_OFF_SHARED: return "writable shared memory";
    case SHIM_OFF_RINGS: return "io_uring, aio or perf rings";
    case SHIM_OFF_SECCOMP: return "a seccomp filter is set";
    case SHIM_OFF_TRACED: return "a tracer is attached";
    case SHIM_OFF_FAULTS: return "userfaultfd or protection keys";
    case SHIM_OFF_LIBC: return "the C library cannot be patched";
    case SHIM_OFF_ENGINE: return "no engine could be made";
    case SHIM_OFF_WATCH: return "watches files";
  }
  return "?";
}

ShimRun::ShimRun(ShimRun&& other) noexcept
    : folder_(std::exchange(other.folder_, "")), svp_(std::move(other.svp_)), library_(std::move(other.library_)), plain_(other.plain_), symbols_(other.symbols_), allow_seccomp_(other.allow_seccomp_) {}

ShimRun::~ShimRun() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

Result<ShimRun> ShimRun::prepare(const FoundCommand& command, const ShimOptions& options) {
  ShimRun run;
  run.svp_ = TRY(check_procedures(options.procedures));
  if (options.engine == SYSVM_ENGINE_KERNEL) TRY(kernel_engine_usable());
  BundleInput input;
  const char* base = std::getenv("TMPDIR");
  run.folder_ = std::string(base && base[0] == '/' ? base : "/tmp") + "/sysvm-XXXXXX";
  if (!::mkdtemp(run.folder_.data())) {
    const std::string folder = std::exchange(run.folder_, "");
    return error("{}: cannot make a temporary folder: {}", folder, std::strerror(errno));
  }
  run.plain_ = !command.plain.empty();
  input.engine = static_cast<uint32_t>(options.engine);
  input.strict = options.strict;
  input.age_ms = options.age_ms;
  input.relaxed_age = options.relaxed_age;
  input.allow_seccomp = run.allow_seccomp_ = options.allow_seccomp;
  input.svp = svp_without_notes(run.svp_);
  input.stats_path = run.folder_ + "/stats";
  input.bundle_path = run.folder_ + "/bundle";

  // What this command maps, and everything met in earlier runs: its children may need it.
  const SiteCache cache = SiteCache::at_default_place();
  std::vector<std::string> paths = loaded_objects(command);
  if (run.plain_) paths.push_back("/lib/x86_64-linux-gnu/libc.so.6");
  for (const std::string& path : paths)
    if (auto found = cache.get(path)) input.objects.push_back(*std::move(found));
  for (Analysis& kept : cache.all())
    if (std::none_of(input.objects.begin(), input.objects.end(), [&](const Analysis& a) {
          return std::memcmp(&a.object.identity, &kept.object.identity, sizeof kept.object.identity) == 0;
        }))
      input.objects.push_back(std::move(kept));

  const auto patchable = [](const Analysis& a) {
    return std::count_if(a.sites.begin(), a.sites.end(), [](const sysvm_site& s) { return !(s.flags & SITE_LEFT); }) >=
           kSitesOfALibc;
  };
  run.symbols_ = options.symbols || std::none_of(input.objects.begin(), input.objects.end(), patchable);
  input.library_path = run.library_ = TRY(library_path(run.symbols_ ? kSymbolsLibrary : kLibrary));
  TRY(write_private(input.bundle_path, make_bundle(input)));
  shim_stats_file stats{};
  stats.stats.magic = SHIM_STATS_MAGIC;
  TRY(write_private(input.stats_path, std::string(reinterpret_cast<const char*>(&stats), sizeof stats)));
  return run;
}

// The form is described in libsysvm/shim/bundle.h; a bundle that is there already is another run's, which this one takes the place of.
std::vector<std::string> ShimRun::environment() const {
  std::vector<std::string> out;
  std::optional<size_t> preload;
  for (char** e = environ; *e; ++e) {
    const std::string_view variable = *e;
    if (variable.starts_with(BUNDLE_VARIABLE "=")) continue;
    if (variable.starts_with("LD_PRELOAD=")) preload = out.size();
    out.emplace_back(variable);
  }
  if (plain_) return out;
  if (preload) out[*preload] += ":" + library_;
  out.push_back(preload ? BUNDLE_VARIABLE "=" : "LD_PRELOAD=" + library_);
  out.push_back(std::string(BUNDLE_VARIABLE "=") + folder_ + "/bundle\n" + library_);
  return out;
}

Result<ShimStats> ShimRun::stats() const {
  const std::vector<uint8_t> bytes = TRY(read_whole_file(folder_ + "/stats", 1 << 20));
  auto file = std::make_unique<shim_stats_file>();
  if (bytes.size() != sizeof *file)
    return error("{}/stats: {} bytes, expected {}", folder_, bytes.size(), sizeof *file);
  std::memcpy(file.get(), bytes.data(), sizeof *file);
  ShimStats out;
  out.raw = file->stats;
  out.raw.seen += out.raw.plain;
  out.raw.forwarded += out.raw.plain;
  if (out.raw.processes == 0 && !allow_seccomp_ && under_filter()) {
    out.raw.processes = 1;
    out.raw.off[SHIM_OFF_SECCOMP] = 1;
  }
  svp view;
  char message[256];
  if (!svp_.empty() && svp_check(svp_.data(), svp_.size(), &view, message, sizeof message) == 0)
    for (uint32_t i = 0; i < view.nprocs && i < SVP_MAX_PROCS; ++i) {
      const auto& p = file->stats.proc[i];
      out.procedures.push_back(
          {view.strings + view.procs[i].name, mode_of(view.procs[i]), p.hits, p.misses, p.undone, p.runs, p.off});
    }
  const SiteCache cache = SiteCache::at_default_place();
  for (uint64_t i = 0; i < std::min<uint64_t>(file->unknown_count, STATS_UNKNOWN_MAX); ++i) {
    const std::string path(file->unknown[i], strnlen(file->unknown[i], BUNDLE_PATH_MAX));
    if (path.empty() || path[0] != '/' || std::count(out.unknown.begin(), out.unknown.end(), path)) continue;
    out.unknown.push_back(path);
    (void)cache.get(path);
  }
  return out;
}

namespace {

volatile sig_atomic_t child_pid;

void hand_on(int signal) {
  if (child_pid > 0) ::kill(child_pid, signal);
}

// While the command runs: interrupts are its business, ends are handed on. Restored afterwards.
class SignalGuard {
 public:
  SignalGuard() {
    struct sigaction ignore {}, forward{};
    ignore.sa_handler = SIG_IGN;
    forward.sa_handler = hand_on;
    forward.sa_flags = SA_RESTART;
    sigaction(SIGINT, &ignore, &old_[0]);
    sigaction(SIGQUIT, &ignore, &old_[1]);
    sigaction(SIGTERM, &forward, &old_[2]);
    sigaction(SIGHUP, &forward, &old_[3]);
    // A signal that was ignored for us stays ignored for the command (nohup).
    if (old_[3].sa_handler == SIG_IGN) sigaction(SIGHUP, &old_[3], nullptr);
  }
  ~SignalGuard() { restore(); }
  void restore() const {
    sigaction(SIGINT, &old_[0], nullptr);
    sigaction(SIGQUIT, &old_[1], nullptr);
    sigaction(SIGTERM, &old_[2], nullptr);
    sigaction(SIGHUP, &old_[3], nullptr);
  }

 private:
  struct sigaction old_[4];
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& w : words) out.push_back(const_cast<char*>(w.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<ExitStatus> run_command(const std::string& path, const std::vector<std::string>& words,
                               const std::vector<std::string>& environment, const Streams& streams) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return error("pipe: {}", std::strerror(errno));
  UniqueFd from(fds[0]), to(fds[1]);
  const std::vector<char*> argv = pointers(words), envp = pointers(environment);
  SignalGuard guard;
  ExitStatus out;
  const auto start = std::chrono::steady_clock::now();
  const pid_t pid = ::fork();
  if (pid < 0) return error("fork: {}", std::strerror(errno));
  if (pid == 0) {
    guard.restore();
    const int wanted[] = {streams.in, streams.out, streams.err};
    for (int i = 0; i < 3; ++i)
      if (wanted[i] >= 0 && ::dup2(wanted[i], i) < 0) ::_exit(125);
    if (!streams.folder.empty() && ::chdir(streams.folder.c_str()) != 0) ::_exit(125);
    ::execve(path.c_str(), argv.data(), envp.data());
    if (errno == ENOEXEC) {  // A script without "#!": as execvp does.
      std::vector<char*> shell{const_cast<char*>("/bin/sh"), const_cast<char*>(path.c_str())};
      shell.insert(shell.end(), argv.begin() + 1, argv.end());
      ::execve("/bin/sh", shell.data(), envp.data());
    }
    const int failed = errno;
    (void)!::write(to.get(), &failed, sizeof failed);
    ::_exit(127);
  }
  child_pid = pid;
  to.reset();
  while (::read(from.get(), &out.exec_errno, sizeof out.exec_errno) < 0 && errno == EINTR) {
  }
  while (::waitpid(pid, &out.wait_status, 0) < 0 && errno == EINTR) {
  }
  child_pid = 0;
  out.wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return out;
}

}  // namespace sysvm
