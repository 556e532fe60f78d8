// SPDX-License-Identifier: MIT
#include "cli/try/cold.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/base/help_text.h"
#include "cli/base/json.h"
#include "cli/base/terminal.h"
#include "cli/try/report.h"
#include "common/numbers.h"
#include "common/read_file.h"
#include "libsysvm/run/start.h"
#include "optimizer/lists/cold.h"
#include "optimizer/lists/lists.h"
#include "procedures/reader.h"
#include "procedures/writer.h"
#include "tracer/recorder.h"
#include "traces/descriptors.h"
#include "traces/reader.h"

namespace sysvm {
namespace {

constexpr size_t kStatsMost = 1 << 20;

double children_cpu_ms() {
  rusage u;
  ::getrusage(RUSAGE_CHILDREN, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

double median(std::vector<double> of) {
  if (of.empty()) return 0;
  std::sort(of.begin(), of.end());
  return of.size() % 2 ? of[of.size() / 2] : (of[of.size() / 2 - 1] + of[of.size() / 2]) / 2;
}

bool drop_machine() {
  const UniqueFd fd(::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC));
  if (!fd) return false;
  ::sync();
  return ::write(fd.get(), "3", 1) == 1;
}

// Regular files only: nothing else is opened.
void drop_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW));
  struct stat st;
  if (fd && ::fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode))
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
}

// What the recorded program opened; absolute paths as it named them.
std::set<std::string> files_of(const PackedTrace& trace) {
  std::set<std::string> out;
  Descriptors fds;
  for (const PackedEvent& packed : trace.events) {
    const Event e = packed.event();
    fds.add(trace, e);
    if (e.ret < 0 || e.ret > INT32_MAX) continue;
    const std::string path(fds.path(e.pid, static_cast<int32_t>(e.ret)));
    struct stat st;
    if (path.starts_with('/') && ::lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode)) out.insert(path);
  }
  return out;
}

class Cold {
 public:
  Cold(const std::vector<std::string>& command, TryRuns& runs, int& exit_code)
      : runs_(runs), exit_code_(exit_code) {
    report_.command = command;
    report_.machine = ::access("/proc/sys/vm/drop_caches", W_OK) == 0;
  }

  Result<ColdReport> all(uint64_t rounds) {
    TRY(recorded());
    for (uint64_t i = 0; i < rounds; ++i)
      for (const bool prefetch : {i % 2 == 1, i % 2 == 0}) {  // who goes first changes
        show_progress(fmt::format("sysvm try: cold run {} of {}", 2 * i + 1, 2 * rounds));
        const double ms = TRY(run(prefetch, false));
        (prefetch ? report_.prefetch_ms : report_.plain_ms).push_back(ms);
      }
    show_progress("sysvm try: cold run, counted");
    TRY(run(true, true));
    report_.plain_cpu_ms = median(plain_cpu_);
    show_progress("");
    return report_;
  }

 private:
  void drop() {
    if (report_.machine) {
      drop_machine();
    } else {
      for (const std::string& path : files_) drop_file(path);
    }
    // The tool's own files are there, as they are where it is used more than once.
    for (const char* own : {"/bin/sysvm", "/lib/libsysvm-preload.so", "/lib/sysvm/libsysvm-preload.so",
                            "/lib/sysvm-prefetch", "/lib/sysvm/sysvm-prefetch"})
      (void)read_whole_file(install_prefix() + own, 64 << 20);
    (void)read_whole_file(procedures(), SVP_FILE_MAX);
  }

  std::string procedures() const { return runs_.folder() + "/procedures.svp"; }

  Result<> recorded() {
    show_progress("sysvm try: recording a cold run");
    if (report_.machine) drop_machine();
    RecordOptions options;
    options.output = runs_.folder() + "/trace";
    const TryRun run = TRY(runs_.with({}, [&](Command& command) -> Result<int> {
      options.command = command;
      return TRY(record(options, exit_code_)).wait_status;
    }));
    first_ = run;
    report_.wait_status = run.wait_status;
    const PackedTrace trace = TRY(read_packed(options.output));
    ProcedureFile file;  // what procedures of other modes are worth, `sysvm try` without --cold says
    file.lists = lists_of({&trace});
    for (const PrefetchList& list : file.lists) report_.items += list.items.size();
    TRY(write_whole_file(procedures(), TRY(write_svp(file))));
    if (report_.machine)
      report_.predicted = cold_outlook({&trace}).gain();
    else
      files_ = files_of(trace);
    return Unit{};
  }

  Result<double> run(bool prefetch, bool counted) {
    drop();
    const std::string stats = runs_.folder() + "/stats";
    std::vector<std::string> through;
    if (prefetch) through = {install_prefix() + "/bin/sysvm", "run", "--prefetch=auto", "-P", procedures()};
    if (counted) through.insert(through.end(), {"--stats", stats});
    if (prefetch) through.push_back("--");
    const double before = children_cpu_ms();
    TryRun run = TRY(runs_.plain({}, exit_code_, through));
    const double cpu = children_cpu_ms() - before;
    if (!prefetch) plain_cpu_.push_back(cpu);
    if (prefetch) run.err = first_->err;  // what it says there is its own
    compare(run, prefetch);
    if (counted) {
      const std::vector<uint8_t> text = TRY(read_whole_file(stats, kStatsMost));
      const auto json = nlohmann::json::parse(text, nullptr, false);
      const auto found = json.is_object() ? json.find("prefetch") : json.end();
      if (json.is_object() && found != json.end() && found->is_object()) {
        report_.counters = found->dump();
        report_.prefetcher_cpu_ms = found->value("processor_ms", 0.0);
      }
      report_.command_cpu_ms = cpu;
    }
    return run.wall_ms;
  }

  void compare(const TryRun& run, bool prefetch) {
    if (!report_.identical) report_.identical = true;
    const std::string d = difference(*first_, run);
    if (d.empty() || !*report_.identical) return;
    report_.identical = false;
    report_.reason = fmt::format("{} differs from the first one: {}",
                                 prefetch ? "a run with the prefetcher" : "a plain run", d);
  }

  TryRuns& runs_;
  int& exit_code_;
  ColdReport report_;
  std::optional<TryRun> first_;
  std::vector<double> plain_cpu_;
  std::set<std::string> files_;
};

std::string runs_text(const std::vector<double>& ms) {
  return fmt::format("{:.1f} ms, median of {}, {:.1f} to {:.1f}", median(ms), plural(ms.size(), "run"),
                     *std::min_element(ms.begin(), ms.end()), *std::max_element(ms.begin(), ms.end()));
}

}  // namespace

double ColdReport::gain() const {
  const double with = median(prefetch_ms);
  return with > 0 ? median(plain_ms) / with : 1;
}

Result<ColdReport> try_cold(const std::vector<std::string>& command, uint64_t rounds, TryRuns& runs,
                            int& exit_code) {
  return Cold(command, runs, exit_code).all(rounds);
}

std::string to_table(const ColdReport& r, size_t width) {
  std::string out = command_line(r.command, width);
  const auto row = [&](const char* name, const std::string& value) {
    out += fmt::format("  {:<12} {}\n", name, filled(value, width, 15, 15));
  };
  row("verdict",
      fmt::format("{}{:.2f} times as fast with the prefetcher{}", r.gain() < 1 ? "SLOWER: " : "", r.gain(),
                  r.machine ? fmt::format(", {:.2f} predicted of the recorded run", r.predicted) : ""));
  row("identical", r.identical.value_or(false) ? "yes, in all runs" : "NO: " + r.reason);
  row("plain", runs_text(r.plain_ms));
  row("prefetched", runs_text(r.prefetch_ms));
  const auto did = nlohmann::json::parse(r.counters, nullptr, false);
  if (did.is_object()) {
    auto n = [&](const char* name) { return did.value(name, uint64_t{0}); };
    std::string used = fmt::format("{} dirents used, {} not", thousands(n("used")), thousands(n("wasted")));
    if (r.items)
      used += fmt::format("; {} of {} items of the list", thousands(n("list_used")), thousands(r.items));
    if (const uint64_t strayed = n("strayed") + n("astray"))
      used += fmt::format("; the command left the path {} times", thousands(strayed));
    row("read ahead",
        fmt::format("{} directories, {} ({:.1f} MB)", thousands(n("directories")), plural(n("files"), "file"),
                    static_cast<double>(n("bytes")) / 1e6) +
            (n("listed") ? ", " + plural(n("listed"), "name") + " of lists and arguments" : ""));
    row("of that", used);
  } else {
    row("read ahead", "nothing: there was no prefetcher");
  }
  row("processor", fmt::format("{:.1f} ms plain; {:.1f} ms prefetched, and the prefetcher's {:.1f} ms",
                               r.plain_cpu_ms, r.command_cpu_ms, r.prefetcher_cpu_ms));
  row("caches", r.machine ? "the machine's, dropped before each run"
                          : "only the contents of files were dropped (not root): directories and inodes "
                            "stayed in memory");
  return out;
}

std::string to_json(const ColdReport& r) {
  nlohmann::json out = {
      {"schema", 1},
      {"command", r.command},
      {"cold", true},
      {"wall_ms",
       {{"plain", median(r.plain_ms)},
        {"prefetch", median(r.prefetch_ms)},
        {"plain_runs", r.plain_ms},
        {"prefetch_runs", r.prefetch_ms}}},
      {"gain", r.gain()},
      {"predicted", r.machine ? nlohmann::json(r.predicted) : nlohmann::json()},
      {"identical", r.identical ? nlohmann::json(*r.identical) : nlohmann::json()},
      {"reason", r.reason},
      {"items", r.items},
      {"prefetch", nlohmann::json::parse(r.counters, nullptr, false)},
      {"processor_ms",
       {{"plain", r.plain_cpu_ms}, {"command", r.command_cpu_ms}, {"prefetcher", r.prefetcher_cpu_ms}}},
      {"caches", r.machine ? "machine" : "files"}};
  if (out["prefetch"].is_discarded()) out["prefetch"] = nullptr;
  return json_text(out);
}

}  // namespace sysvm
