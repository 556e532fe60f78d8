// SPDX-License-Identifier: MIT
#include "libsysvm/prefetch/prefetch.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "libsysvm/prefetch/start.h"

namespace sysvm {
namespace {

constexpr char kProgram[] = "sysvm-prefetch";
constexpr int kEndMs = 250;

// Beside the shim: lib/ as built, lib/sysvm/ as installed.
std::string find_program() {
  std::error_code failed;
  const std::filesystem::path bin = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  for (const std::filesystem::path& folder : {bin / "../lib", bin / "../lib/sysvm"})
    if (const auto path = folder / kProgram; ::access(path.c_str(), X_OK) == 0) return path;
  return "";
}

}  // namespace

Result<PrefetchOptions> parse_prefetch(const std::string& text) {
  if (text == "off") return PrefetchOptions{.on = false, .depth = 0};
  if (text == "auto") return PrefetchOptions{};
  char* end;
  const unsigned long depth = std::strtoul(text.c_str(), &end, 10);
  if (text.empty() || *end || text[0] < '0' || text[0] > '9' || depth < 1 || depth > PREFETCH_DEPTH_MAX)
    return error("--prefetch: '{}' is none of off, auto, and a number of calls from 1 to {}", text, PREFETCH_DEPTH_MAX);
  return PrefetchOptions{.on = true, .depth = static_cast<unsigned>(depth)};
}

Prefetcher::Prefetcher(const PrefetchOptions& options) : options_(options) {
  if (!options.on) return;
  program_ = find_program();
  file_ = UniqueFd(::memfd_create("sysvm-prefetch", MFD_CLOEXEC));
  if (!file_ || ::ftruncate(file_.get(), sizeof(prefetch_stats)) != 0) return;
  void* map = ::mmap(nullptr, sizeof(prefetch_stats), PROT_READ, MAP_SHARED, file_.get(), 0);
  if (map != MAP_FAILED) stats_ = static_cast<prefetch_stats*>(map);
}

Prefetcher::~Prefetcher() {
  if (stats_) ::munmap(stats_, sizeof *stats_);
}

void Prefetcher::start_beside_this_process() const {
  if (options_.on && !program_.empty()) (void)prefetch_start(program_.c_str(), options_.depth, file_.get());
}

std::optional<prefetch_stats> Prefetcher::end() const {
  if (!stats_ || stats_->magic != PREFETCH_MAGIC || !stats_->pid) return std::nullopt;
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(stats_->pid), 0)));
  pollfd gone = {pidfd.get(), POLLIN, 0};
  if (pidfd) (void)::poll(&gone, 1, kEndMs);
  return *stats_;
}

const char* prefetch_end_name(uint64_t end) {
  switch (end) {
    case PREFETCH_ENDED: return "with the command";
    case PREFETCH_FAILED: return "could not begin";
    case PREFETCH_LIMITED: return "no room in the command's limits";
  }
  return "ended early";
}

}  // namespace sysvm
