// SPDX-License-Identifier: MIT
#include "tracer/recorder.h"

#include <limits.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "tracer/bpf_session.h"
#include "tracer/calibrate.h"
#include "tracer/drainer.h"
#include "tracer/ptrace_session.h"
#include "tracer/record_sink.h"
#include "tracer/supervisor.h"
#include "traces/calls.h"

namespace sysvm {

namespace {

constexpr size_t kMaxWaiting = 512u << 20;  // bytes of records that wait for being written: some two million

uint64_t cpu_ns() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

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
  h.options = {fmt::format("ring={}", options.ring_bytes)};
  if (options.pid) h.options.push_back(fmt::format("pid={}", options.pid));
  timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  h.boottime_ns = boottime_ns();
  h.realtime_ns = static_cast<uint64_t>(real.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(real.tv_nsec);
  h.call_cost_ns = report.call_cost_ns;
  h.calls = known_calls();
  return h;
}

// One recording, step by step; record() reads as the table of contents.
class Recording {
 public:
  Recording(const RecordOptions& options, int& exit_code) : options_(options), exit_code_(exit_code) {}

  Result<> find_command() {
    if (options_.command.argv.empty()) {
      attached_.reset(open_pidfd(options_.pid));
      if (!attached_) return error("process {}: {}", options_.pid, strerror(errno));
      return Unit{};
    }
    if (auto bad = find_executable(options_.command, path_)) {
      exit_code_ = bad->exit_code;
      return Error{bad->message};
    }
    return Unit{};
  }

  Result<> hold_command() {
    if (path_.empty()) return Unit{};
    Command command = options_.command;
    command.mask = supervisor_.mask_before();
    child_.emplace(TRY(HeldChild::start(command, path_)));
    return Unit{};
  }

  Result<> open_backend() {
    const uint64_t begin = boottime_ns();
    if (options_.backend != Backend::kPtrace) {
      std::optional<Calibration> calibration;
      if (options_.calibrate && child_) calibration = Calibration::start();
      auto session = BpfSession::open({options_.ring_bytes, false, "", options_.pid});
      if (session) {
        bpf_ = std::move(*session);
        if (calibration) report_.call_cost_ns = calibration->finish(*bpf_);
      } else if (options_.backend == Backend::kBpf) {
        return session.error();
      } else {
        report_.note = session.message();
      }
    }
    report_.backend = bpf_ ? "bpf" : "ptrace";
    report_.setup_ns = boottime_ns() - begin;
    return Unit{};
  }

  Result<> open_file() {
    writer_ = TRY(TraceWriter::create(options_.output, make_header(options_, report_)));
    sink_.emplace(*writer_);
    if (!bpf_) ptrace_.emplace(*sink_);
    return Unit{};
  }

  Result<> run() {
    cpu_at_start_ = cpu_ns();
    lost_before_ = bpf_ ? bpf_->lost(LOST_RING) : 0;
    storage_lost_before_ = bpf_ ? bpf_->lost(LOST_STORAGE) : 0;
    last_poll_ns_ = last_flush_ns_ = start_ns_ = boottime_ns();
    Result<> result = bpf_ ? run_bpf() : run_ptrace();
    report_.wall_ns = (ended_ns_ ? ended_ns_ : boottime_ns()) - start_ns_;
    report_.consumer_cpu_ns = cpu_ns() - cpu_at_start_;
    return result;
  }

  Result<RecordReport> finish() {
    const uint64_t begin = boottime_ns();
    if (bpf_) {
      report_.left_running = bpf_->live_tasks();
      bpf_->detach();
      drainer_->stop();
      poll_bpf();
      if (uint64_t n = bpf_->recursion_misses())
        sink_->lost(LossReason::kRecursion, n, start_ns_, boottime_ns());
      if (uint64_t n = bpf_->bad_records()) sink_->lost(LossReason::kConsumer, n, start_ns_, boottime_ns());
    } else {
      report_.left_running = ptrace_->live_tasks();
      ptrace_.reset();
    }
    report_.events = sink_->events();
    report_.calls = sink_->calls();
    report_.signals = sink_->signals();
    report_.processes = sink_->processes();
    report_.threads = sink_->threads();
    report_.lost = sink_->lost();
    TraceStats stats;
    stats.events = report_.events;
    stats.lost = report_.lost;
    stats.threads = report_.threads;
    stats.wall_ns = report_.wall_ns;
    if (sink_->write_error().empty()) TRY(writer_->finish(stats));
    if (!sink_->write_error().empty())
      return error("{}; the command ran on, the trace holds what was written before", sink_->write_error());
    report_.bytes = writer_->bytes();
    writer_.reset();
    drainer_.reset();
    bpf_.reset();
    report_.teardown_ns = boottime_ns() - begin;
    return report_;
  }

 private:
  // Takes what is in the ring, and notes what was lost since the last time: no event was lost outside that
  // interval.
  void poll_bpf() {
    drainer_->deliver(*sink_);
    const uint64_t now = boottime_ns();
    if (uint64_t lost = bpf_->lost(LOST_RING); lost != lost_before_) {
      sink_->lost(LossReason::kRingFull, lost - lost_before_, last_poll_ns_, now);
      lost_before_ = lost;
    }
    if (uint64_t lost = bpf_->lost(LOST_STORAGE); lost != storage_lost_before_) {
      sink_->lost(LossReason::kMissedFork, lost - storage_lost_before_, last_poll_ns_, now);
      storage_lost_before_ = lost;
    }
    if (now - last_flush_ns_ > 1'000'000'000) {
      (void)writer_->flush();  // An error comes back with the next event.
      last_flush_ns_ = now;
    }
    last_poll_ns_ = now;
  }

  Result<> not_started(int e, const std::string& step) {
    unlink(options_.output.c_str());
    exit_code_ = e == ENOENT || e == ENOTDIR ? 127 : 126;
    return error("{}: {}: {}", options_.command.argv[0], step, strerror(e));
  }

  Result<> run_bpf() {
    // Often enough that the ring cannot fill: 2 million events a second, 250 bytes each.
    drainer_.emplace(*bpf_, options_.ring_bytes >= (4u << 20) ? 4 : 1, kMaxWaiting);
    if (child_) {
      TRY(bpf_->trace_from_exec(child_->pidfd()));
      start_ns_ = boottime_ns();
      std::string step;
      if (int e = child_->release(&step)) return not_started(e, step);
    } else {
      sink_->attached(options_.pid, boottime_ns());
      TRY(bpf_->add_threads());
      if (!bpf_->live_tasks())
        return error(
            "process {}: not found by eBPF, which knows processes by their ids in the first pid namespace",
            options_.pid);
    }
    const int pidfd = child_ ? child_->pidfd() : attached_.get();
    const pid_t command = child_ ? child_->pid() : 0;
    Supervisor::Wake wake;
    do {
      wake = supervisor_.wait(pidfd, command, 10);
      if (wake != Supervisor::Wake::kTimeout) ended_ns_ = boottime_ns();
      poll_bpf();
    } while (wake != Supervisor::Wake::kEnded && wake != Supervisor::Wake::kStop);
    if (child_ && wake == Supervisor::Wake::kEnded) waitpid(child_->pid(), &report_.wait_status, 0);
    return Unit{};
  }

  Result<> run_ptrace() {
    if (child_) {
      TRY(ptrace_->trace_from_exec(child_->pid()));
      start_ns_ = boottime_ns();
      child_->let_go();
    } else {
      sink_->attached(options_.pid, boottime_ns());
      TRY(ptrace_->add_process(options_.pid));
    }
    const pid_t watched = child_ ? child_->pid() : options_.pid;
    for (;;) {
      ptrace_->handle_stops();
      if (ptrace_->ended(watched, &report_.wait_status)) break;
      if (supervisor_.wait(-1, child_ ? watched : 0, 100) == Supervisor::Wake::kStop) break;
      if (const uint64_t now = boottime_ns(); now - last_flush_ns_ > 1'000'000'000) {
        (void)writer_->flush();
        last_flush_ns_ = now;
      }
    }
    std::string step;
    if (child_)
      if (int e = child_->outcome(&step)) return not_started(e, step);
    return Unit{};
  }

  const RecordOptions& options_;
  int& exit_code_;
  RecordReport report_;
  Supervisor supervisor_;
  std::string path_;
  std::optional<HeldChild> child_;
  UniqueFd attached_;
  std::unique_ptr<BpfSession> bpf_;
  std::optional<Drainer> drainer_;
  std::unique_ptr<TraceWriter> writer_;
  std::optional<RecordSink> sink_;
  std::optional<PtraceSession> ptrace_;
  uint64_t start_ns_ = 0, ended_ns_ = 0, last_poll_ns_ = 0, last_flush_ns_ = 0, cpu_at_start_ = 0;
  uint64_t lost_before_ = 0, storage_lost_before_ = 0;
};

}  // namespace

Result<RecordReport> record(const RecordOptions& options, int& exit_code) {
  exit_code = 125;
  Recording recording(options, exit_code);
  TRY(recording.find_command());
  TRY(recording.hold_command());
  TRY(recording.open_backend());
  TRY(recording.open_file());
  TRY(recording.run());
  return recording.finish();
}

}  // namespace sysvm
