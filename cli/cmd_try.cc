// SPDX-License-Identifier: MIT
// sysvm try -- CMD: record, compile, run, compare, in one go. The table that a newcomer sees first.
//
// CMD runs several times on the same input: plainly (its time; the reference), plainly and counted (entries
// before; do two plain runs agree?), recorded, through `sysvm run` (its time, with what starting it takes;
// files unknown until now are analysed), under the shim and counted (entries after), and once more each way
// for the times if that is quick. All outputs are compared. What replaying the recording predicts stands
// beside what was measured.
//
// Entries after: with the user engine a run's calls are made from user space, so what eBPF counted, minus the
// calls made inside runs, plus one for each run (design: what the kernel engine would enter). With the kernel
// engine tracing would switch the engine off, so the shim's own counters say what it forwarded, ran and made
// for itself.
//
// It ends as CMD's first run did (exit status or signal), or with our own 2, 125, 126, 127. CMD's output is
// kept, not shown, unless --show-output. Tested by tests/cli/try_test.py.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "cli/base/glossary.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/base/terminal.h"
#include "cli/commands.h"
#include "cli/traces_argument.h"
#include "cli/try/cold.h"
#include "cli/try/copy.h"
#include "cli/try/report.h"
#include "cli/try/runs.h"
#include "cli/try/writes.h"
#include "common/foreground.h"
#include "libsysvm/run/run.h"
#include "libsysvm/run/start.h"
#include "optimizer/explain/verdict.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/replay.h"
#include "procedures/reader.h"
#include "tracer/counter.h"
#include "tracer/recorder.h"
#include "traces/reader.h"

namespace sysvm {
namespace {

constexpr double kLongMs = 5000;  // a command longer than this is not run again only to measure its time

struct TryOptions {
  std::vector<std::string> command;
  std::string engine = "auto", in_copy;
  bool json = false, strict = false, show_output = false, cold = false;
  uint64_t rounds = 5;  // of cold runs
};

// --- the engine ---

// What `auto` comes to, and the line that says so.
Result<enum sysvm_engine> choose_engine(const TryOptions& options, TryReport& report) {
  UniqueFd device(open("/dev/sysvm", O_RDWR | O_CLOEXEC));
  const std::string why = device ? "asked for" : fmt::format("/dev/sysvm: {}", strerror(errno));
  if (options.engine == "kernel" && !device)
    return error("{}: the kernel engine needs the module; --engine user runs without it", why);
  const bool kernel = options.engine == "kernel" || (options.engine == "auto" && device);
  report.engine = kernel ? "kernel" : "user";
  if (!kernel)
    report.engine_note = fmt::format(
        "the user engine ran ({}): procedures make their calls from user space, so the "
        "saving is in entries, not in time",
        why);
  return kernel ? SYSVM_ENGINE_KERNEL : SYSVM_ENGINE_USER;
}

uint64_t entries_after(const ShimStats& stats, const EntryCounts* counted, uint64_t before) {
  const shim_stats& s = stats.raw;
  if (counted) return counted->entries - s.inner + s.runs;
  return before - s.seen + s.forwarded + s.runs + s.own;  // what the shim never saw is entered as before
}

// --- the steps ---

void print_progress(const std::string& what) { show_progress(what.empty() ? "" : "sysvm try: " + what); }

class Try {
 public:
  Try(const TryOptions& options, TryRuns& runs) : options_(options), runs_(runs) {}
  int exit_code = kExitToolFailed;  // if an error comes back

  Result<TryReport> all() {
    report_.command = options_.command;
    report_.strict = options_.strict;
    const enum sysvm_engine engine = TRY(choose_engine(options_, report_));
    TRY(plain_runs());
    TRY(recorded_run());
    TRY(compile_it());
    TRY(shim_runs(engine));
    if (report_.plain_ms < kLongMs) {
      TRY(once_more());
    }
    compare_all();
    print_progress("");
    return report_;
  }

  const TryRun& first() const { return outcomes_.front(); }

 private:
  Result<> plain_runs() {
    print_progress("plain run");
    outcomes_.push_back(TRY(runs_.plain({}, exit_code)));
    report_.plain_ms = outcomes_[0].wall_ms;
    report_.exit_status = outcomes_[0].exit_code();
    print_progress("plain run, counted");
    EntryCounts counts;
    outcomes_.push_back(TRY(runs_.with({}, [&](Command& command) -> Result<int> {
      counts = TRY(count_entries({command, Backend::kAuto, ""}, exit_code));
      return counts.wait_status;
    })));
    report_.entries_before = counts.entries;
    report_.plain_runs = 2;
    if (!counts.note.empty()) note(counts.note);
    if (counts.lost)
      note(fmt::format("{} threads could not be followed: entries are counted too low", counts.lost));
    if (counts.left_running) note(fmt::format("{} threads outlived the command", counts.left_running));
    counted_by_bpf_ = counts.backend == "bpf";
    return Unit{};
  }

  Result<> recorded_run() {
    print_progress("recording");
    RecordOptions record_options;
    record_options.output = runs_.folder() + "/trace";
    RecordReport recorded;
    recorded_.push_back(TRY(runs_.with({}, [&](Command& command) -> Result<int> {
      record_options.command = command;
      recorded = TRY(record(record_options, exit_code));
      return recorded.wait_status;
    })));
    report_.syscalls = recorded.calls;
    report_.lost = recorded.lost;
    if (recorded.lost)
      note(fmt::format("{} events were lost while recording: procedures are made from what is whole",
                       recorded.lost));
    return Unit{};
  }

  Result<> compile_it() {
    print_progress("compiling");
    const Trace whole = TRY(read_trace(runs_.folder() + "/trace"));
    const PackedTrace trace = packed(whole);
    if (options_.in_copy.empty())
      if (const auto changes = recorded_changes(whole); !changes.empty())
        note(fmt::format("each run changed files ({}), which were not compared; --in-copy DIR does",
                         fmt::join(changes, ", ")));
    CompileOptions compile_options;
    compile_options.strict = options_.strict;
    compile_options.cost = costs_here();
    const Compiled compiled = TRY(compile({&trace}, compile_options));
    TRY(write_whole_file(procedures_path(), compiled.svp));
    ReplayOptions how;
    how.strict = options_.strict;
    how.unseen = unseen_objects();
    const Replay replayed = TRY(replay(compiled.svp, {&trace}, how));
    const Verdict verdict = judge(replayed, compile_options.cost, compiled.spread_ns,
                                  static_cast<uint64_t>(report_.plain_ms * 1e6));
    const Prediction& predicted = report_.engine == "kernel" ? verdict.kernel : verdict.user;
    report_.entries_predicted = replayed.entries;
    report_.predicted = prediction_text(predicted, verdict.wall_ns);
    if (report_.engine != "kernel")
      report_.predicted += "; with the module " + prediction_text(verdict.kernel, 0);
    report_.predicted_saved_ms = predicted.saved_ns / 1e6;
    report_.module_saved_ms = verdict.kernel.saved_ns / 1e6;
    report_.why = verdict.why;
    return Unit{};
  }

  Result<> shim_runs(enum sysvm_engine engine) {
    print_progress("under sysvm");
    TRY(timed_shim_run());
    if (engine == SYSVM_ENGINE_KERNEL || !counted_by_bpf_) {
      TRY(watched_shim_run(engine));
      report_.entries_after = entries_after(last_stats_, nullptr, report_.entries_before);
      note("entries after are the shim's own count: it cannot run under the tracer here");
    } else {
      print_progress("under sysvm, counted");
      TRY(counted_shim_run(engine));
    }
    for (const ProcedureStats& p : last_stats_.procedures)
      report_.procedures.push_back({p.name, p.mode, p.hits, p.misses, p.undone});
    for (unsigned reason = 1; reason < std::size(last_stats_.raw.off); ++reason)
      if (const uint64_t n = last_stats_.raw.off[reason])
        note(fmt::format("{} of {} processes made plain calls: {}", n, last_stats_.raw.processes,
                         shim_reason_text(reason)));
    return Unit{};
  }

  // As a user runs it, so that what `sysvm run` takes to start is in the time. What it says on standard error
  // is its own.
  Result<> timed_shim_run() {
    std::vector<std::string> through{
        install_prefix() + "/bin/sysvm", "run", "--engine", report_.engine, "-P", procedures_path()};
    if (options_.strict) through.push_back("--strict");
    through.push_back("--");
    TryRun run = TRY(runs_.plain({}, exit_code, through));
    run.err = outcomes_[0].err;
    if (timed_) report_.noise_ms = std::max(report_.noise_ms, std::fabs(run.wall_ms - report_.sysvm_ms));
    report_.sysvm_ms = timed_++ ? std::min(report_.sysvm_ms, run.wall_ms) : run.wall_ms;
    shimmed_.push_back(std::move(run));
    ++report_.sysvm_runs;
    return Unit{};
  }

  Result<> watched_shim_run(enum sysvm_engine engine) {
    auto shim = TRY(prepare(engine));
    shimmed_.push_back(TRY(runs_.plain(shim.environment(), exit_code)));
    last_stats_ = TRY(shim.stats());
    ++report_.sysvm_runs;
    return Unit{};
  }

  Result<> counted_shim_run(enum sysvm_engine engine) {
    auto shim = TRY(prepare(engine));
    EntryCounts counts;
    shimmed_.push_back(TRY(runs_.with(shim.environment(), [&](Command& command) -> Result<int> {
      counts = TRY(count_entries({command, Backend::kBpf, ""}, exit_code));
      return counts.wait_status;
    })));
    last_stats_ = TRY(shim.stats());
    report_.entries_after = entries_after(last_stats_, &counts, report_.entries_before);
    ++report_.sysvm_runs;
    return Unit{};
  }

  Result<> once_more() {
    print_progress("once more, for the times");
    outcomes_.push_back(TRY(runs_.plain({}, exit_code)));
    ++report_.plain_runs;
    const double ms = outcomes_.back().wall_ms;
    report_.noise_ms = std::max(report_.noise_ms, std::fabs(ms - report_.plain_ms));
    report_.plain_ms = std::min(report_.plain_ms, ms);
    return timed_shim_run();
  }

  Result<ShimRun> prepare(enum sysvm_engine engine) {
    auto program = find_command(options_.command[0]);
    if (auto* wrong = std::get_if<CommandError>(&program)) {
      exit_code = wrong->exit_code;
      return error("{}", wrong->message);
    }
    const FoundCommand& found = std::get<FoundCommand>(program);
    if (!found.plain.empty()) note(fmt::format("{}: {}: it runs plainly", options_.command[0], found.plain));
    ShimOptions shim_options;
    shim_options.procedures = procedures_path();
    shim_options.engine = engine;
    shim_options.strict = options_.strict;
    return ShimRun::prepare(found, shim_options);
  }

  void compare_all() {
    report_.compared = {"stdout", "stderr", "exit_status"};
    if (!options_.in_copy.empty()) report_.compared.push_back("tree");
    for (size_t i = 1; i < outcomes_.size(); ++i)
      if (std::string d = difference(outcomes_[0], outcomes_[i]); !d.empty()) {
        report_.reason = "two plain runs differ: " + d;
        return;
      }
    report_.identical = true;
    auto must_equal = [&](const TryRun& run, const char* what) {
      if (std::string d = difference(outcomes_[0], run); !d.empty() && *report_.identical) {
        report_.identical = false;
        report_.reason = fmt::format("{} differs from the plain run: {}", what, d);
      }
    };
    for (const TryRun& run : recorded_) must_equal(run, "the recorded run");
    for (const TryRun& run : shimmed_) must_equal(run, "the run under sysvm");
  }

  void note(std::string text) { report_.notes.push_back(std::move(text)); }
  std::string procedures_path() const { return runs_.folder() + "/procedures.svp"; }

  const TryOptions& options_;
  TryRuns& runs_;
  TryReport report_;
  std::vector<TryRun> outcomes_, recorded_, shimmed_;  // outcomes_: plain ones
  ShimStats last_stats_;
  bool counted_by_bpf_ = false;
  int timed_ = 0;  // runs under sysvm
};

int parse(const Words& words, TryOptions& options) {
  Options opts("try", "usage: sysvm try [options] [--] CMD...",
               "Record CMD, compile what repeats, run it with that, and compare. CMD runs up to 7 times.\n\n"
               "  sysvm try -- grep -r define /usr/include\n",
               kGlossary);
  opts.command(options.command);
  opts.flag("--json", options.json, "one JSON object on standard output, schema 1");
  opts.flag("--strict", options.strict, "no late close");
  opts.choice("--engine", options.engine, {"auto", "kernel", "user"}, "what runs procedures [auto]");
  opts.text("--in-copy DIR", options.in_copy,
            "run each time in a fresh copy of this directory, and compare what is left there");
  opts.flag("--cold", options.cold,
            "how much faster with the prefetcher, where CMD's files are not in memory: drops the caches "
            "before each run (root), or the contents of CMD's files");
  opts.number("--rounds N", options.rounds, 1, 1000, "with --cold: runs of each kind [5]");
  opts.flag("--show-output", options.show_output,
            "print CMD's own output (of its first run) before the table");
  if (const auto code = opts.parse(words)) return *code;
  if (options.command.empty()) return opts.usage_error("no command given");
  if (options.cold && options.show_output) return opts.usage_error("--show-output is not for --cold");
  if (options.json && options.show_output)
    return opts.usage_error("--json and --show-output both want standard output; choose one");
  return -1;
}

// Everything, on a private folder that is gone when this returns. -1: done, end as wait_status says; else our
// own exit code.
int try_command(const TryOptions& options, int& wait_status) {
  int exit_code = kExitToolFailed;
  auto failed = [&](const std::string& message) {
    print_progress("");
    log_error("try: {}", message);
    return exit_code;
  };
  auto runs = TryRuns::make(options.command, options.in_copy, exit_code);
  if (!runs) return failed(runs.message());
  if (options.in_copy.empty() && !known_to_only_read(options.command))
    log_warning(
        "'{}' is run {} times, and is not known as a program that only reads: whatever it writes "
        "outside its standard output it writes each time (--in-copy DIR gives each run a fresh copy of DIR)",
        options.command[0], options.cold ? fmt::format("{}", 2 * options.rounds + 2) : "up to 7");
  if (options.cold) {
    const Result<ColdReport> report = try_cold(options.command, options.rounds, *runs, exit_code);
    if (!report) {
      wait_status = SIGINT;
      return runs->interrupted() ? (failed(report.message()), -1) : failed(report.message());
    }
    fputs((options.json ? to_json(*report) : to_table(*report, terminal_width())).c_str(), stdout);
    fflush(stdout);
    wait_status = report->wait_status;
    return -1;
  }
  Try attempt(options, *runs);
  const Result<TryReport> report = attempt.all();
  exit_code = attempt.exit_code;
  if (!report) {
    wait_status = SIGINT;
    return runs->interrupted() ? (failed(report.message()), -1) : failed(report.message());
  }
  if (options.show_output) show_output(attempt.first());
  fputs(options.json ? to_json(*report).c_str() : to_table(*report, terminal_width()).c_str(), stdout);
  fflush(stdout);
  wait_status = attempt.first().wait_status;
  return -1;
}

}  // namespace

int cmd_try(const Words& words) {
  TryOptions options;
  if (const int status = parse(words, options); status >= 0) return status;
  int wait_status = 0;
  if (const int code = try_command(options, wait_status); code >= 0) return code;
  return end_like(wait_status);
}

}  // namespace sysvm
