// SPDX-License-Identifier: MIT
#include "tracer/recorder.h"

#include <sched.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "tracer/bpf_records.h"
#include "tracer/bpf_session.h"
#include "tracer/calibrate.h"
#include "tracer/drainer.h"
#include "tracer/flight.h"
#include "tracer/ptrace_session.h"
#include "tracer/record_sink.h"
#include "tracer/scope.h"
#include "tracer/supervisor.h"
#include "tracer/trace_header.h"

namespace sysvm {

namespace {

constexpr size_t kMaxWaiting = 512u << 20;  // bytes of records that wait for being written: some five million
constexpr int kPollMs = 10;
// The kernel's account of the programs' time costs the programs time: one turn in 50 pays for it.
constexpr uint64_t kSampleEvery = 50;

uint64_t cpu_ns() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

// One recording, step by step; record() reads as the table of contents.
class Recording {
 public:
  Recording(const RecordOptions& options, int& exit_code) : options_(options), exit_code_(exit_code) {}

  Result<> find_command() {
    if (!options_.command.argv.empty()) {
      path_ = TRY(find_executable(options_.command, exit_code_));
      return Unit{};
    }
    for (const int32_t pid : options_.pids) {
      const UniqueFd pidfd(open_pidfd(pid));
      if (!pidfd) return error("process {}: {}", pid, strerror(errno));
    }
    pids_ = options_.pids;
    if (!options_.cgroup.empty()) {
      cgroup_ = TRY(find_cgroup(options_.cgroup));
      pids_ = processes_of_cgroup(cgroup_);
      if (pids_.empty()) return error("control group {}: no process is in it", cgroup_);
    }
    return Unit{};
  }

  Result<> hold_command() {
    if (path_.empty()) return Unit{};
    child_.emplace(TRY(HeldChild::start(options_.command, path_, supervisor_)));
    return Unit{};
  }

  Result<> open_backend() {
    const uint64_t begin = boottime_ns();
    if (options_.backend != Backend::kPtrace) {
      std::optional<Calibration> calibration;
      if (options_.calibrate && child_) calibration = Calibration::start();
      BpfOptions bpf;
      bpf.ring_bytes = options_.ring_bytes;
      bpf.lossless = options_.holds_back();
      bpf.wanted = options_.wanted;
      bpf.capture = options_.capture;
      bpf.iterate = !child_;
      bpf.btf = options_.btf;
      auto session = BpfSession::open(bpf);
      if (session) {
        bpf_ = std::move(*session);
        if (calibration) report_.call_cost_ns = calibration->finish(*bpf_);
      } else if (options_.backend == Backend::kBpf || !options_.btf.empty()) {
        return session.error();
      } else {
        report_.note = session.message();
      }
    }
    report_.backend = bpf_ ? "bpf" : "ptrace";
    if (!bpf_ && (options_.all || !cgroup_.empty() || options_.window_ns))
      return error("{} needs eBPF. {}",
                   options_.all         ? "-a"
                   : options_.window_ns ? "--ring"
                                        : "--cgroup",
                   report_.note);
    report_.setup_ns = boottime_ns() - begin;
    return Unit{};
  }

  Result<> open_file() {
    writer_ = TRY(create_file(options_.output));
    if (options_.window_ns)
      flight_.emplace(options_.window_ns, kMaxWaiting);
    else
      sink_->begin_file(*writer_);
    if (options_.hash_data) {
      std::array<uint64_t, 2> key;
      if (getrandom(key.data(), sizeof key, 0) != sizeof key) return error("getrandom: {}", strerror(errno));
      now_sink().hash_data(key);
    }
    if (!bpf_) ptrace_.emplace(*sink_, options_.wanted, options_.capture);
    return Unit{};
  }

  Result<> run() {
    cpu_at_start_ = cpu_ns();
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
      if (drainer_) drainer_->stop();
      poll_bpf();
      if (uint64_t n = bpf_->recursion_misses())
        now_sink().lost(LossReason::kRecursion, n, start_ns_, boottime_ns());
      if (bad_records_) now_sink().lost(LossReason::kConsumer, bad_records_, start_ns_, boottime_ns());
      for (const ThreadEnd& t : bpf_->threads_alive()) threads_left_.push_back(t);
    } else {
      ptrace_.reset();
    }
    TRY(write_totals());
    drainer_.reset();
    bpf_.reset();
    report_.teardown_ns = boottime_ns() - begin;
    return report_;
  }

 private:
  // Where what is reported now goes; with a flight recorder that is what lies before its window.
  RecordSink& now_sink() { return flight_ ? flight_->before() : *sink_; }

  Result<std::unique_ptr<TraceWriter>> create_file(const std::string& path) {
    auto writer = TRY(TraceWriter::create(path, make_header(options_, report_)));
    if (options_.owner && fchown(writer->fd(), options_.owner->uid, options_.owner->gid) != 0)
      return error("{}: chown to {}: {}", path, options_.owner->name, strerror(errno));
    return writer;
  }

  // Takes what is in the rings, and notes what was lost since the last time: no event was lost outside that
  // interval.
  void poll_bpf() {
    for (auto block = drainer_->take(); !block.empty(); block = drainer_->take()) {
      if (flight_) {
        flight_->add(std::move(block), boottime_ns());
      } else {
        bad_records_ += hand_over(block, *sink_);
        drainer_->give_back(std::move(block));
      }
    }
    const uint64_t now = boottime_ns();
    const uint64_t counters[] = {bpf_->rings().lost(), bpf_->rings().lost_task(), bpf_->missed_threads()};
    constexpr LossReason kReasons[] = {LossReason::kRingFull, LossReason::kTask, LossReason::kMissedFork};
    for (size_t i = 0; i < std::size(counters); ++i)
      if (counters[i] != lost_before_[i]) {
        now_sink().lost(kReasons[i], counters[i] - lost_before_[i], last_poll_ns_, now);
        lost_before_[i] = counters[i];
      }
    flush_sometimes(now);
    last_poll_ns_ = now;
  }

  void flush_sometimes(uint64_t now) {
    if (flight_ || now - last_flush_ns_ < 1'000'000'000) return;
    (void)writer_->flush();  // An error comes back with the next event.
    last_flush_ns_ = now;
  }

  // The programs' own cost, from one turn in kSampleEvery, scaled by the bytes of records that they made.
  void sample_cost() {
    if (sample_) {
      const ProgramCost cost = bpf_->cost();
      sampled_ns_ += cost.ns - cost_before_.ns;
      sampled_bytes_ += bpf_->rings().written() - written_before_;
      sample_.reset();
    } else if (turns_ % kSampleEvery == 0) {
      cost_before_ = bpf_->cost();
      written_before_ = bpf_->rings().written();
      sample_.reset(bpf_->start_cost_sample());
    }
    ++turns_;
  }

  void follow_cgroup() {
    if (cgroup_.empty() || turns_ % 10 != 0) return;
    std::vector<int32_t> fresh;
    for (const int32_t pid : processes_of_cgroup(cgroup_))
      if (std::find(pids_.begin(), pids_.end(), pid) == pids_.end()) fresh.push_back(pid);
    if (fresh.empty()) return;
    pids_.insert(pids_.end(), fresh.begin(), fresh.end());
    (void)bpf_->add(fresh);
  }

  bool limit_reached(uint64_t now) const {
    return (options_.max_ns && now - start_ns_ >= options_.max_ns) ||
           (options_.max_bytes && !flight_ && writer_->bytes() >= options_.max_bytes);
  }

  void snapshot() {
    if (!flight_) return;
    // Asked before the rings are emptied: the numbers that they tell of are in the file then, or missing.
    std::vector<ThreadEnd> alive = bpf_->threads_alive();
    drainer_->sync();
    poll_bpf();
    auto writer = create_file(fmt::format("{}.{}", options_.output, report_.snapshots + 1));
    if (!writer) {
      report_.note = writer.message();
      return;
    }
    RecordSink sink = flight_->write(**writer);
    for (ThreadEnd& t : alive) {
      t.end_ns = boottime_ns();
      sink.on_thread_end(t);
    }
    TraceStats stats;
    stats.events = sink.events() - flight_->before().events();
    stats.lost = sink.lost();
    stats.threads = sink.threads();
    stats.wall_ns = boottime_ns() - start_ns_;
    (void)(*writer)->finish(stats);
    ++report_.snapshots;
  }

  Result<> write_totals() {
    if (flight_) sink_ = flight_->write(*writer_);
    const uint64_t before = flight_ ? flight_->before().events() : 0;
    const uint64_t now = boottime_ns();
    for (ThreadEnd& t : threads_left_) {
      t.end_ns = now;
      sink_->on_thread_end(t);
    }
    report_.events = sink_->events() - before;
    report_.calls = sink_->calls();
    report_.signals = sink_->signals();
    report_.processes = sink_->processes();
    report_.threads = sink_->threads();
    report_.lost = sink_->lost();
    report_.throttles = sink_->throttles();
    report_.throttled_ns = sink_->throttled_ns();
    if (bpf_ && sampled_bytes_)
      report_.probe_ns =
          static_cast<uint64_t>(static_cast<double>(sampled_ns_) / static_cast<double>(sampled_bytes_) *
                                static_cast<double>(bpf_->rings().written()));
    TraceStats stats;
    stats.events = report_.events;
    stats.lost = report_.lost;
    stats.threads = report_.threads;
    stats.wall_ns = report_.wall_ns;
    stats.probe_ns = report_.probe_ns;
    stats.throttles = report_.throttles;
    stats.throttled_ns = report_.throttled_ns;
    stats.consumer_ns = report_.consumer_cpu_ns;
    if (sink_->write_error().empty()) TRY(writer_->finish(stats));
    if (!sink_->write_error().empty())
      return error("{}; the command ran on, the trace holds what was written before", sink_->write_error());
    report_.bytes = writer_->bytes();
    writer_.reset();
    return Unit{};
  }

  Result<> not_started(int e, const std::string& step) {
    unlink(options_.output.c_str());
    exit_code_ = e == ENOENT || e == ENOTDIR ? 127 : 126;
    return error("{}: {}: {}", options_.command.argv[0], step, strerror(e));
  }

  Result<> add_running() {
    if (options_.all) {
      TRY(bpf_->add({0}));
    } else {
      for (const int32_t pid : pids_) now_sink().attached(pid, boottime_ns());
      TRY(bpf_->add(pids_));
    }
    if (!bpf_->live_tasks())
      return error("no thread of process {} was found by eBPF", pids_.empty() ? 0 : pids_[0]);
    return Unit{};
  }

  // Making the trace can wait, the traced program should not: this thread does not take a processor from it
  // by waking up. The drainer, started after this, asks for its own priority.
  // After the recording it is as it was: what is started then (`sysvm try`) would inherit it, and wait long
  // for a processor whenever it has waited for storage.
  class WorkBehind {
   public:
    WorkBehind() : before_(sched_getscheduler(0)) {
      if (before_ == SCHED_OTHER) set(SCHED_BATCH);  // a wish; without it all works, too
    }
    ~WorkBehind() {
      if (before_ == SCHED_OTHER) set(before_);
    }

   private:
    static void set(int policy) {
      const sched_param none{};
      (void)sched_setscheduler(0, policy, &none);
    }
    const int before_;
  };

  Result<> run_bpf() {
    // Often enough that a ring cannot fill: 2 million events a second, 120 bytes each.
    const bool large = options_.ring_bytes == 0 || options_.ring_bytes >= (2u << 20);
    const WorkBehind behind;
    drainer_.emplace(*bpf_,
                     options_.drain_interval_ms ? options_.drain_interval_ms
                     : large                    ? 4
                                                : 1,
                     kMaxWaiting);
    sample_cost();
    if (child_) {
      TRY(bpf_->trace_from_exec(child_->pidfd()));
      start_ns_ = boottime_ns();
      std::string step;
      if (int e = child_->release(&step)) return not_started(e, step);
    } else {
      TRY(add_running());
    }
    for (;;) {
      const Supervisor::Wake wake =
          supervisor_.wait(child_ ? child_->pidfd() : -1, child_ ? child_->pid() : 0, kPollMs);
      const uint64_t now = boottime_ns();
      const bool gone = child_ ? wake == Supervisor::Wake::kEnded : bpf_->live_tasks() == 0;
      if (gone || wake == Supervisor::Wake::kStop || limit_reached(now)) {
        ended_ns_ = now;
        sample_cost();
        if (gone && child_) waitpid(child_->pid(), &report_.wait_status, 0);
        if (!gone && child_) leave_command();
        return Unit{};
      }
      poll_bpf();
      sample_cost();
      follow_cgroup();
      if (wake == Supervisor::Wake::kSnapshot) snapshot();
    }
  }

  // The recording is over, the command is not: from here on it is only waited for.
  void leave_command() {
    bpf_->detach();
    while (supervisor_.wait(child_->pidfd(), child_->pid(), -1) != Supervisor::Wake::kEnded) {
    }
    waitpid(child_->pid(), &report_.wait_status, 0);
  }

  Result<> run_ptrace() {
    if (child_) {
      TRY(ptrace_->trace_from_exec(child_->pid()));
      start_ns_ = boottime_ns();
      child_->let_go();
    } else {
      for (const int32_t pid : pids_) {
        sink_->attached(pid, boottime_ns());
        TRY(ptrace_->add_process(pid));
      }
    }
    for (;;) {
      ptrace_->handle_stops();
      if (child_ ? ptrace_->ended(child_->pid(), &report_.wait_status) : ptrace_->live_tasks() == 0) break;
      const bool stop = supervisor_.wait(-1, child_ ? child_->pid() : 0, 100) == Supervisor::Wake::kStop;
      const uint64_t now = boottime_ns();
      flush_sometimes(now);
      if (stop || limit_reached(now)) break;
    }
    ended_ns_ = boottime_ns();
    report_.left_running = ptrace_->live_tasks();
    threads_left_ = ptrace_->threads_alive();
    ptrace_->let_go();
    std::string step;
    if (child_)
      if (int e = child_->outcome(&step)) return not_started(e, step);
    while (child_ && !ptrace_->ended(child_->pid(), &report_.wait_status)) {
      (void)supervisor_.wait(-1, child_->pid(), 100);
      ptrace_->handle_stops();
    }
    return Unit{};
  }

  const RecordOptions& options_;
  int& exit_code_;
  RecordReport report_;
  Supervisor supervisor_{!options_.command.argv.empty(), options_.window_ns != 0};
  std::string path_;
  std::optional<HeldChild> child_;
  std::vector<int32_t> pids_;  // attached to
  std::string cgroup_;         // its folder
  std::unique_ptr<BpfSession> bpf_;
  std::optional<Drainer> drainer_;
  std::unique_ptr<TraceWriter> writer_;
  std::optional<RecordSink> sink_{std::in_place};
  std::optional<Flight> flight_;
  std::optional<PtraceSession> ptrace_;
  uint64_t start_ns_ = 0, ended_ns_ = 0, last_poll_ns_ = 0, last_flush_ns_ = 0, cpu_at_start_ = 0;
  uint64_t lost_before_[3] = {}, bad_records_ = 0;
  std::vector<ThreadEnd> threads_left_;
  UniqueFd sample_;
  ProgramCost cost_before_;
  uint64_t turns_ = 0, written_before_ = 0, sampled_ns_ = 0, sampled_bytes_ = 0;
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
