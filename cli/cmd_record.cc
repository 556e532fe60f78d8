// SPDX-License-Identifier: MIT
// sysvm record: a command, or a running process, into a trace file. Standard output belongs to the command
// alone. Tested by tests/tracer/cli_test.py.
#include <spdlog/spdlog.h>

#include "cli/args.h"
#include "cli/options.h"
#include "tracer/event.h"
#include "tracer/recorder.h"

namespace sysvm {

namespace {

std::string thousands(uint64_t n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string summary(const RecordReport& r, const std::string& file) {
  std::string text =
      fmt::format("recorded {} calls, {} process{}, {} lost, {:.2f} s, {} kB ({:.1f} B/event) in {}",
                  thousands(r.calls), r.processes, r.processes == 1 ? "" : "es", thousands(r.lost),
                  static_cast<double>(r.wall_ns) / 1e9, thousands((r.bytes + 999) / 1000),
                  r.events ? static_cast<double>(r.bytes) / static_cast<double>(r.events) : 0, file);
  text += fmt::format("; {}: setup {} ms", r.backend, r.setup_ns / 1'000'000);
  if (r.call_cost_ns)
    text +=
        fmt::format(", {} ns for each call = {} ms", r.call_cost_ns, r.call_cost_ns * r.calls / 1'000'000);
  text += fmt::format(", recorder {} ms of processor time", r.consumer_cpu_ns / 1'000'000);
  if (r.left_running)
    text += fmt::format("; {} thread{} left running", r.left_running, r.left_running == 1 ? "" : "s");
  return text;
}

}  // namespace

int cmd_record(const Words& words) {
  const SplitArgs args =
      split_args(words, {"-o", "--output", "-p", "--pid", "-u", "--user", "--backend", "-m", "--ring"});
  RecordOptions options;
  std::string backend = "auto", user, ring;
  bool strict = false, quiet = false;
  int pid = 0;
  options.output = "sysvm.trace";
  Options opts("record", "usage: sysvm record [options] [--] CMD... | sysvm record [options] -p PID",
               "Record the system calls of a command, its threads and children.\n\n"
               "  sysvm record -- grep -r define /usr/include\n"
               "  sysvm record -o server.trace -p 1234        (^C ends the recording)\n");
  opts.option("-o,--output", options.output, "the trace; replaced if it is one [sysvm.trace]");
  opts.option("-p,--pid", pid, "attach to this process and all its threads");
  opts.option("-u,--user", user, "run CMD as this user");
  opts.option("--backend", backend, "auto, bpf or ptrace", {"auto", "bpf", "ptrace"});
  opts.option("-m,--ring", ring, "size of the buffer of each processor, a power of two");
  opts.flag("--strict", strict, "exit with 3 if CMD ended well but events were lost");
  opts.flag("-q,--quiet", quiet, "no summary; losses and failures are still told");
  if (auto code = opts.parse(args.own)) return *code;

  auto usage = [&](const std::string& what) { return opts.usage_error(what); };
  if (args.command.empty() == (pid == 0)) return usage("expected a command, or -p PID, and not both");
  if (pid < 0) return usage("a process id is positive");
  if (pid) options.pids = {pid};
  if (options.output.empty() || options.output == "-")
    return usage("-o needs the name of a file; standard output is CMD's");
  if (!ring.empty()) {
    const auto bytes = parse_size(ring);
    if (!bytes || *bytes < RING_MIN || *bytes > (256u << 20) || (*bytes & (*bytes - 1)))
      return usage(fmt::format("-m {}: expected a power of two from {}k to 256M", ring, RING_MIN >> 10));
    options.ring_bytes = *bytes;
  }
  options.backend = backend == "bpf"      ? Backend::kBpf
                    : backend == "ptrace" ? Backend::kPtrace
                                          : Backend::kAuto;
  options.command.argv = args.command;
  if (!user.empty()) {
    auto identity = find_user(user);
    if (!identity) return usage("-u: " + identity.message());
    options.command.user = *identity;
  }

  int exit_code = kExitToolFailed;
  auto report = record(options, exit_code);
  if (!report) {
    spdlog::error("record: {}", report.message());
    return exit_code;
  }
  if (!report->note.empty())
    spdlog::warn("record: the ptrace backend was used, which is slow. {}", report->note);
  if (!quiet) fmt::print(stderr, "sysvm: {}\n", summary(*report, options.output));
  if (report->lost) spdlog::warn("record: {} events were lost; a larger ring (-m 64M) helps", report->lost);
  if (strict && report->lost && report->wait_status == 0) return 3;
  return exit_like(report->wait_status);
}

}  // namespace sysvm
