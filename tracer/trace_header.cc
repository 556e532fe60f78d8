// SPDX-License-Identifier: MIT
#include "tracer/trace_header.h"

#include <limits.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>

#include "tracer/supervisor.h"
#include "traces/calls.h"

namespace sysvm {

TraceHeader make_header(const RecordOptions& options, const RecordReport& report) {
  TraceHeader h;
  h.tool = "sysvm 0.1.0";
  utsname name;
  uname(&name);
  h.host = name.nodename;
  h.kernel = fmt::format("{} {}", name.sysname, name.release);
  h.arch = name.machine;
  h.command = options.command.argv;
  char cwd[PATH_MAX];
  h.cwd = !options.command.cwd.empty() ? options.command.cwd : getcwd(cwd, sizeof cwd) ? cwd : "";
  h.backend = report.backend;
  h.options = {fmt::format("ring={}", options.ring_bytes), options.capture.minimal ? "minimal" : "full"};
  if (options.holds_back()) h.options.push_back("lossless");
  for (const int32_t pid : options.pids) h.options.push_back(fmt::format("pid={}", pid));
  if (!options.cgroup.empty()) h.options.push_back("cgroup=" + options.cgroup);
  if (options.all) h.options.push_back("all");
  if (options.capture.data_bytes)
    h.options.push_back(
        fmt::format("data={}{}", options.hash_data ? "hash of " : "", options.capture.data_bytes));
  h.filter = options.filter;
  h.window_ns = options.window_ns;
  timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  h.boottime_ns = boottime_ns();
  h.realtime_ns = static_cast<uint64_t>(real.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(real.tv_nsec);
  h.call_cost_ns = report.call_cost_ns;
  h.calls = known_calls();
  return h;
}

}  // namespace sysvm
