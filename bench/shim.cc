// SPDX-License-Identifier: MIT
// What the shim adds to a call that it lets through, and what an answered one costs.
//
// shim_loop runs plainly and under `sysvm run` in turns, with procedures written here by hand
// (shim_procedures.cc), on a file of our own. A figure counts only if the shim says that it answered what the
// figure is about.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "bench/figures.h"
#include "bench/plain_file.h"
#include "bench/shim_loop.h"
#include "bench/shim_procedures.h"
#include "common/result.h"
#include "common/unique_fd.h"

extern char** environ;

namespace sysvm::bench {

namespace {

using Words = std::vector<std::string>;

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.find_last_of('\n') + 1);
}

// Standard output of a command that must succeed; its last complaint otherwise.
Result<std::string> output_of(Words words) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return error("pipe: {}", strerror(errno));
  UniqueFd out_read(out[0]), out_write(out[1]);
  if (pipe2(err, O_CLOEXEC) != 0) return error("pipe: {}", strerror(errno));
  UniqueFd err_read(err[0]), err_write(err[1]);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return error("{}: {}", words[0], strerror(failed));
  out_write.reset();
  err_write.reset();
  // Both are a few lines at most: less than a pipe holds, so one after the other is enough.
  const auto drain = [](int fd) {
    std::string text;
    char block[512];
    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;) text.append(block, static_cast<size_t>(n));
    return text;
  };
  const std::string text = drain(out_read.get()), complaint = drain(err_read.get());
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return error("{}: ended by signal {}", words[0], WTERMSIG(status));
  if (WEXITSTATUS(status))
    return error("{}: exit status {}: {}", words[0], WEXITSTATUS(status), last_line(complaint));
  return text;
}

struct Timed {
  double fastest = 0, median = 0;
};

// How one kind of loop is run: plainly, or under the shim with a procedure file.
struct Runner {
  const Options& options;
  std::string data;   // the file that the loop reads
  std::string stats;  // where `sysvm run` leaves its counters
  int rounds;

  Result<Timed> operator()(const std::string& svp, const std::string& what, int size) const {
    Words words;
    if (!svp.empty()) words = {options.sysvm, "run", "-P", svp, "--engine", "user", "--stats", stats, "--"};
    for (const std::string& word : {options.loop, what, data, std::to_string(rounds), std::to_string(size)})
      words.push_back(word);
    const std::string text = TRY(output_of(std::move(words)));
    Timed out;
    if (sscanf(text.c_str(), "%lf %lf", &out.fastest, &out.median) != 2)
      return error("shim_loop printed '{}'", last_line(text));
    if (!svp.empty() && (what == "fstat" || what == "read")) {
      // The first round teaches the shim the file system; a few die of age when the machine is busy.
      const uint64_t hits = TRY(hits_of(stats)), asked = static_cast<uint64_t>(rounds) * SHIM_LOOP_CALLS;
      if (hits < asked / 10 * 9) return error("the shim answered {} of {} calls", hits, asked);
    }
    return out;
  }
};

struct Case {
  const char* figure;
  const char* what;
  int size;
  bool extra;  // the figure is what the shim adds to the plain call; else the time itself
};

constexpr Case kCases[] = {
    {"shim_miss", "forward", 0, true},    {"shim_miss_threaded", "threaded", 0, true},
    {"shim_watched", "watched", 0, true}, {"shim_hit", "fstat", 0, false},
    {"shim_read_hit", "read", 64, false}, {"shim_read_hit_4k", "read", 4096, false},
};

// What starting costs: one short program, and a shell that starts ten of them, plainly and under `sysvm run`.
constexpr int kChildren = 10;

Result<double> wall_ns(Words words) {
  const auto start = std::chrono::steady_clock::now();
  TRY(output_of(std::move(words)));
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

Result<> measure_start(const Runner& run, const std::string& svp, int turns, Report& report) {
  const std::string loop = run.options.loop;
  const Words one{loop, "forward", run.data, "1", "0"};
  const Words many{"/bin/sh", "-c", fmt::format("for i in $(seq {}); do \"$@\"; done", kChildren),
                   "sh",      loop, "forward",
                   run.data,  "1",  "0"};
  const Words through{run.options.sysvm, "run", "-P", svp, "--engine", "user", "--"};
  const auto under = [&](Words words) {
    words.insert(words.begin(), through.begin(), through.end());
    return words;
  };
  std::vector<double> times[4];
  for (int turn = 0; turn < turns; ++turn) {
    const Words commands[4] = {one, under(one), many, under(many)};
    for (int i = 0; i < 4; ++i) times[i].push_back(TRY(wall_ns(commands[i])));
  }
  const Figure once = difference(figure_of(times[1]), figure_of(times[0]));
  Figure& start = report.figures["start"] =
      difference(difference(figure_of(times[3]), figure_of(times[2])), once, 1.0 / kChildren);
  start.min = std::max(start.min, 0.0);
  Figure& launch = report.figures["launch"] = difference(once, start);
  launch.min = std::max(launch.min, 0.0);
  return Unit{};
}

}  // namespace

void measure_shim(const Options& options, Report& report) {
  const auto absent = [&](const std::string& why) {
    for (const Case& c : kCases) report.absent.emplace(c.figure, why);
    for (const char* figure : {"start", "launch"}) report.absent.emplace(figure, why);
  };
  const PlainFile data(SHIM_LOOP_SIZE_MAX), procedures(0), stats(0);
  // A file whose atime is later than its mtime, as any file that was ever read: else reading ahead would
  // change it.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  {
    const UniqueFd fd(open(data.path(), O_RDONLY | O_CLOEXEC));
    char byte;
    if (!fd || read(fd.get(), &byte, 1) != 1) return absent("the file to be read could not be made");
  }
  const Runner run{options, data.path(), stats.path(), options.quick ? 200 : 2000};
  const int turns = options.quick ? 3 : 15;

  std::vector<double> copies;
  for (const Case& c : kCases) {
    options.stage(c.figure);
    std::vector<double> plain, shim;
    if (auto written = write_procedures(procedures.path(), c.what, c.size); !written) {
      report.absent[c.figure] = written.message();
      continue;
    }
    for (int turn = 0; turn < turns; ++turn) {
      const auto without = run("", c.what, c.size);
      const auto with = run(procedures.path(), c.what, c.size);
      if (!without || !with) {
        report.absent[c.figure] = without ? with.message() : without.message();
        break;
      }
      plain.push_back(without->median);
      shim.push_back(with->median);
      if (c.size == SHIM_LOOP_SIZE_MAX)
        if (const auto copy = run("", "copy", c.size)) copies.push_back(copy->median);
    }
    if (report.absent.count(c.figure)) continue;
    const Figure before = figure_of(plain), after = figure_of(shim);
    Figure& figure = report.figures[c.figure] = after;
    if (c.extra) figure = difference(after, before);
    report.figures[std::string(c.figure) + "_plain"] = before;
  }
  options.stage("start");
  if (!copies.empty()) report.figures["shim_copy_4k"] = figure_of(copies);
  if (auto written = write_procedures(procedures.path(), "fstat", 0); !written)
    report.absent["start"] = report.absent["launch"] = written.message();
  else if (auto started = measure_start(run, procedures.path(), turns, report); !started)
    report.absent["start"] = report.absent["launch"] = started.message();
}

}  // namespace sysvm::bench
