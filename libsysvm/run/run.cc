// SPDX-License-Identifier: MIT
#include "libsysvm/run/run.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "common/read_file.h"
#include "libsysvm/run/launch.h"
#include "libsysvm/run/memory.h"
#include "libsysvm/run/prepare.h"
#include "libsysvm/sites/cache.h"
#include "procedures/svp.h"

namespace sysvm {
namespace {

// A filter on this process is on the command too, whose shim then makes no call, not even to be counted
// (init.c).
bool under_filter() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Seccomp:")) return line.find_first_of("12") != std::string::npos;
  return false;
}

std::string mode_of(const svp_proc& proc) { return svp_mode_name(proc.mode); }

}  // namespace

const char* shim_reason_name(unsigned reason) {
  static constexpr const char* kNames[] = {
#define SHIM_REASON(number, NAME, name, text, does) name,
#include "libsysvm/shim/base/reasons.inc"
  };
  return reason < std::size(kNames) ? kNames[reason] : "?";
}

const char* shim_reason_text(unsigned reason) {
  static constexpr const char* kTexts[] = {
#define SHIM_REASON(number, NAME, name, text, does) text,
#include "libsysvm/shim/base/reasons.inc"
  };
  return reason < std::size(kTexts) ? kTexts[reason] : "?";
}

Result<ShimRun> ShimRun::prepare(const FoundCommand& command, const ShimOptions& options) {
  if (options.engine == SYSVM_ENGINE_KERNEL)
    if (const std::string problem = engine_problem(options.engine); !problem.empty())
      return error("{}", problem);
  ShimRun run;
  run.svp_ = TRY(check_procedures(options.procedures));
  Prepared made = prepare_start(command, options, PrivateFolder());
  if (made.start.fault == kBadProcedures) return error("{}", made.start.message);
  run.plain_ = made.start.library.empty();
  run.symbols_ = options.symbols || made.start.fault == kNoPatch;
  run.library_ = made.start.library;
  run.allow_seccomp_ = options.allow_seccomp;
  run.stats_ = memory_file("sysvm-stats");
  run.bundle_ = memory_file("sysvm-bundle");
  if (!run.stats_ || !run.bundle_ || !start_counters(run.stats_.get()))
    return error("no memory for the counters: {}", std::strerror(errno));
  if (!run.plain_) {
    std::string bytes = make_bundle(made.input);
    place_bundle(bytes, memory_path(run.bundle_.get()), memory_path(run.stats_.get()));
    if (!write_all(run.bundle_.get(), bytes))
      return error("no memory for the bundle: {}", std::strerror(errno));
  }
  return run;
}

std::vector<std::string> ShimRun::environment() const {
  return Environment(library_, plain_ ? "" : memory_path(bundle_.get())).strings();
}

Result<ShimStats> read_stats(int from, const std::string& procedures, bool allow_seccomp) {
  auto file = std::make_unique<shim_stats_file>();
  const ssize_t n = ::pread(from, file.get(), sizeof *file, 0);
  if (n != sizeof *file) return error("the counters: {} bytes, expected {}", n, sizeof *file);
  ShimStats out;
  out.raw = file->stats;
  for (const auto& line : file->plain) out.raw.plain += line[0];
  out.raw.seen += out.raw.plain;
  out.raw.forwarded += out.raw.plain;
  if (out.raw.processes == 0 && !allow_seccomp && under_filter()) {
    out.raw.processes = 1;
    out.raw.off[SHIM_OFF_SECCOMP] = 1;
  }
  svp view;
  char message[256];
  if (!procedures.empty() &&
      svp_check(procedures.data(), procedures.size(), &view, message, sizeof message) == 0)
    for (uint32_t i = 0; i < view.nprocs && i < SVP_MAX_PROCS; ++i) {
      const auto& p = file->stats.proc[i];
      out.procedures.push_back({view.strings + view.procs[i].name, mode_of(view.procs[i]), p.hits, p.misses,
                                p.undone, p.runs, p.off});
    }
  const SiteCache cache = SiteCache::at_default_place();
  for (uint64_t i = 0; i < std::min<uint64_t>(file->unknown_count, STATS_UNKNOWN_MAX); ++i) {
    const std::string path(file->unknown[i], strnlen(file->unknown[i], BUNDLE_PATH_MAX));
    if (path.empty() || path[0] != '/' || std::count(out.unknown.begin(), out.unknown.end(), path)) continue;
    const Result<Analysis> found = cache.get(path);
    if (!found)
      out.unseen.push_back({path, found.message()});
    else if (found->object.verdict == OBJECT_UNSEEN)
      out.unseen.push_back({path, why_unseen(*found)});
    else
      out.unknown.push_back(path);
  }
  return out;
}

}  // namespace sysvm
