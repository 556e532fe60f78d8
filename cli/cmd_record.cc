// SPDX-License-Identifier: MIT
// sysvm record: a command, or running processes, into a trace file. Standard output belongs to the command
// alone. Tested by tests/tracer/cli_test.py.
#include <unistd.h>

#include <cstdlib>

#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/base/values.h"
#include "cli/event_filter.h"
#include "cli/traced_command.h"
#include "common/foreground.h"
#include "common/numbers.h"
#include "common/printable.h"
#include "tracer/call_filter.h"
#include "tracer/event.h"
#include "tracer/recorder.h"

namespace sysvm {

namespace {

std::string milliseconds(uint64_t ns) { return time_text(static_cast<double>(ns)); }

// One line: what was recorded, what it takes, and what it cost.
std::string summary(const RecordReport& r, const std::string& file) {
  std::string text =
      fmt::format("recorded {}, {}, {}, {} lost, {:.2f} s, {} kB ({:.1f} B/event) in {}",
                  plural(r.calls, "call"), plural(r.threads, "thread"), plural(r.processes, "process", "es"),
                  thousands(r.lost), static_cast<double>(r.wall_ns) / 1e9, thousands((r.bytes + 999) / 1000),
                  r.events ? static_cast<double>(r.bytes) / static_cast<double>(r.events) : 0, file);
  text += fmt::format("; {}: setup {}", r.backend, milliseconds(r.setup_ns));
  if (r.probe_ns)
    text += fmt::format(
        ", programs {} ({:.1f} %)", milliseconds(r.probe_ns),
        100 * static_cast<double>(r.probe_ns) / static_cast<double>(std::max<uint64_t>(r.wall_ns, 1)));
  if (r.call_cost_ns) text += fmt::format(", {} ns for each call", r.call_cost_ns);
  text += fmt::format(", recorder {}", milliseconds(r.consumer_cpu_ns));
  if (r.throttles)
    text += fmt::format("; held back {} times, {}", thousands(r.throttles), milliseconds(r.throttled_ns));
  if (r.snapshots) text += fmt::format("; {} before the end", plural(r.snapshots, "snapshot"));
  if (r.left_running) text += fmt::format("; {} left running", plural(r.left_running, "thread"));
  return text;
}

// The words of the command line, before they mean anything.
struct Raw {
  TracedCommand run;
  std::string ring, buffer, cgroup, data, duration, size;
  std::vector<std::string> filters, pids;
  bool strict = false, quiet = false, all = false, drop = false, lossless = false, minimal = false;
};

// Whom to record. An error is a mistake of usage.
Result<> take_scope(const Raw& raw, RecordOptions& options) {
  for (const std::string& list : raw.pids)
    for (const std::string& one : split_at_commas(list)) {
      char* end;
      const long pid = strtol(one.c_str(), &end, 10);
      if (one.empty() || *end || pid <= 0 || pid > INT32_MAX)
        return error("-p {}: expected a process id, or some with commas", list);
      options.pids.push_back(static_cast<int32_t>(pid));
    }
  options.cgroup = raw.cgroup;
  options.all = raw.all;
  const int scopes = !options.command.argv.empty() + !options.pids.empty() + !raw.cgroup.empty() + raw.all;
  if (scopes != 1) return error("expected one of: a command, -p PID, --cgroup GROUP, -a");
  if (options.command.argv.empty()) {
    if (!raw.run.user.empty()) return error("-u needs a command: it says who runs it");
    return Unit{};
  }
  auto user = raw.run.identity();
  if (!user) return user.error();
  options.command.user = *user;
  if (raw.run.user.empty()) options.owner = options.command.user;  // who called sudo gets the trace
  return Unit{};
}

// What to keep of it.
Result<> take_capture(const Raw& raw, RecordOptions& options) {
  if (!raw.filters.empty()) {
    options.wanted.reset();
    for (const std::string& f : raw.filters) TRY(add_filter(f, options.wanted));
    options.filter = fmt::format("{}", fmt::join(raw.filters, " "));
  }
  options.capture.minimal = raw.minimal;
  if (!raw.data.empty()) {
    const auto bytes = raw.data == "hash" ? std::optional<size_t>(64) : parse_size(raw.data);
    if (!bytes || *bytes < 1 || *bytes > TRACE_PATH_MAX)
      return error("--data {}: expected 'hash', or a number of bytes up to {}", raw.data, TRACE_PATH_MAX);
    if (raw.minimal) return error("--data and --minimal exclude each other");
    options.capture.data_bytes = static_cast<uint16_t>(*bytes);
    options.hash_data = raw.data == "hash";
  }
  return Unit{};
}

Result<> take_limits(const Raw& raw, RecordOptions& options) {
  auto duration = [](const char* name, const std::string& text, uint64_t& out) -> Result<> {
    if (text.empty()) return Unit{};
    const auto ns = parse_duration(text);
    if (!ns || *ns == 0) return error("{} {}: expected a time, such as 30s, 500ms, 5m", name, text);
    out = *ns;
    return Unit{};
  };
  TRY(duration("--duration", raw.duration, options.max_ns));
  TRY(duration("--ring", raw.ring, options.window_ns));
  if (!raw.size.empty()) {
    const auto bytes = parse_size(raw.size);
    if (!bytes || *bytes == 0) return error("--max-size {}: expected a size, such as 100M", raw.size);
    options.max_bytes = *bytes;
  }
  if (!raw.buffer.empty()) {
    const auto bytes = parse_size(raw.buffer);
    if (!bytes || *bytes < RING_MIN || *bytes > (256u << 20) || (*bytes & (*bytes - 1)))
      return error("-m {}: expected a power of two from {}k to 256M", raw.buffer, RING_MIN >> 10);
    options.ring_bytes = *bytes;
  }
  if (raw.drop && raw.lossless) return error("--drop and --lossless exclude each other");
  if (raw.drop || raw.lossless) options.lossless = raw.lossless;
  return Unit{};
}

}  // namespace

int cmd_record(const Words& words) {
  RecordOptions options;
  Raw raw;
  options.output = "sysvm.trace";
  Options opts(
      "record",
      "usage: sysvm record [options] [--] CMD... | sysvm record [options] -p PID | --cgroup GROUP | -a",
      "Record the system calls of a command, its threads and children.\n\n"
      "  sysvm record -- grep -r define /usr/include\n"
      "  sysvm record -e trace=%file,close -- make\n"
      "  sysvm record -o server.trace -p 1234        (^C ends the recording)\n"
      "  sysvm record --ring 30s -p 1234             (the last 30 s; SIGUSR1 writes them)\n");
  opts.command(options.command.argv);
  opts.text("-o,--output FILE", options.output, "the trace; replaced if it is one [sysvm.trace]");
  opts.list("-p,--pid PIDS", raw.pids, "attach to these processes and all their threads: 12 or 12,15");
  opts.text("--cgroup GROUP", raw.cgroup, "attach to all processes of this control group");
  opts.flag("-a,--all", raw.all, "attach to everything on this machine");
  raw.run.add_to(opts);
  opts.list("-e,--expr SET", raw.filters, "only these calls: names, %file, /regex, !SET, as strace has it");
  opts.flag("--minimal", raw.minimal,
            "only numbers, arguments and times: no paths, structures, call sites' callers");
  opts.text("--data BYTES", raw.data, "of buffers read or written: so many bytes of each, or 'hash'");
  opts.text("--duration TIME", raw.duration,
            "end the recording after this time (30s, 500ms, 5m); CMD runs on");
  opts.text("--max-size SIZE", raw.size, "end the recording when the file has this size; CMD runs on");
  opts.text("--ring TIME", raw.ring,
            "flight recorder: keep the last 30s, 500ms, ...; SIGUSR1 writes them to FILE.1, FILE.2 ...");
  opts.flag("--drop", raw.drop,
            "when the recorder is late, lose events and count them, rather than hold CMD back");
  opts.flag("--lossless", raw.lossless, "with -p, --cgroup, -a: hold threads back when the recorder is late");
  opts.text("-m,--buffer SIZE", raw.buffer, "size of the buffer of each processor, a power of two");
  opts.flag("--strict", raw.strict, "exit with 3 if CMD ended well but events were lost");
  opts.flag("-q,--quiet", raw.quiet, "no summary; losses and failures are still reported");
  if (auto code = opts.parse(words)) return *code;
  if (options.output.empty() || options.output == "-")
    return opts.usage_error("-o needs the name of a file; standard output is CMD's");
  const auto backend = raw.run.backend();
  if (!backend) return opts.usage_error(backend.message());
  options.backend = *backend;
  options.btf = raw.run.btf;
  for (auto take : {take_scope, take_capture, take_limits})
    if (auto good = take(raw, options); !good) return opts.usage_error(good.message());

  int exit_code = kExitToolFailed;
  auto report = record(options, exit_code);
  if (!report) return fail(exit_code, "record", report.error());
  if (!report->note.empty())
    log_warning("record: {}{}",
                report->backend == "ptrace" ? "the ptrace backend was used, which is slow. " : "",
                report->note);
  if (report->lost) log_warning("record: {} events were lost; a larger buffer (-m 64M) helps", report->lost);
  if (!raw.quiet) fmt::print(stderr, "sysvm: {}\n", without_controls(summary(*report, options.output)));
  if (raw.strict && report->lost && report->wait_status == 0) return 3;
  return end_like(report->wait_status);
}

}  // namespace sysvm
