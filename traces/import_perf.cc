// SPDX-License-Identifier: MIT
// perf script prints each half of a call on a line of its own:
//
//     sh 18261/18261 [001] 13065.701494: raw_syscalls:sys_enter: NR 12 (0, 7ffd6bb1fbcc, 0, 37f, 0, 0)
//     sh 18261 [001] 13065.701495:  raw_syscalls:sys_exit: NR 12 = 93845288693760
//
// The halves are joined by thread. Registers are all there, strings are not. The process is known if the text
// has pid/tid (-F comm,pid,tid,time,event,trace) or has seen the clone that made the thread.
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "traces/import_builder.h"
#include "traces/strace_args.h"

namespace sysvm {

namespace {

constexpr uint64_t kCloneThread = 0x10000;

class PerfImport {
 public:
  void line(std::string_view text) {
    ++builder_.report.lines;
    const size_t tracepoint = text.find("raw_syscalls:sys_");
    if (text.empty() || text.starts_with('#')) return;
    if (tracepoint == std::string_view::npos) {
      if (text.find(": ") == std::string_view::npos || text.find("syscalls:") == std::string_view::npos)
        builder_.note("events other than raw_syscalls:sys_enter and sys_exit are left out");
      else
        builder_.not_understood(builder_.report.lines, text);
      return;
    }
    if (!event(text.substr(0, tracepoint), text.substr(tracepoint + 17)))
      builder_.not_understood(builder_.report.lines, text);
  }

  Result<ImportReport> finish(const std::string& output) {
    for (auto& [tid, call] : open_) {
      call.flags |= kNoExit;
      builder_.add(call);
    }
    builder_.note("perf script has no strings: paths are unknown");
    TRY(builder_.write(output));
    return builder_.report;
  }

 private:
  // head: "sh 18261/18261 [001] 13065.701494: ", with blanks in the command, perhaps.
  static bool take_head(std::string_view head, int32_t& pid, int32_t& tid, uint64_t& ts_ns) {
    while (!head.empty() && (head.back() == ' ' || head.back() == ':')) head.remove_suffix(1);
    const size_t time_at = head.rfind(' ');
    if (time_at == std::string_view::npos) return false;
    std::string_view time = head.substr(time_at + 1);
    const auto seconds = take_decimal(time);
    if (!seconds || !take(time, ".")) return false;
    uint64_t fraction = 0, unit = 1'000'000'000;
    for (; !time.empty(); time.remove_prefix(1)) {
      if (time.front() < '0' || time.front() > '9' || unit < 10) return false;
      unit /= 10;
      fraction += static_cast<uint64_t>(time.front() - '0') * unit;
    }
    ts_ns = *seconds * 1'000'000'000 + fraction;
    head = head.substr(0, time_at);
    while (!head.empty() && head.back() == ' ') head.remove_suffix(1);
    if (head.ends_with(']')) {  // the processor
      const size_t open = head.rfind('[');
      if (open == std::string_view::npos) return false;
      head = head.substr(0, open);
      while (!head.empty() && head.back() == ' ') head.remove_suffix(1);
    }
    const size_t id_at = head.rfind(' ');
    std::string_view id = head.substr(id_at == std::string_view::npos ? 0 : id_at + 1);
    const auto first = take_decimal(id);
    if (!first) return false;
    pid = 0;
    tid = static_cast<int32_t>(*first);
    if (take(id, "/")) {
      const auto second = take_decimal(id);
      if (!second) return false;
      pid = tid;
      tid = static_cast<int32_t>(*second);
    }
    return id.empty();
  }

  bool event(std::string_view head, std::string_view text) {
    int32_t pid, tid;
    uint64_t ts_ns;
    if (!take_head(head, pid, tid, ts_ns)) return false;
    if (pid && pid != tid) builder_.process_of(tid, pid);
    const bool enter = take(text, "enter: NR ");
    if (!enter && !take(text, "exit: NR ")) return false;
    const bool minus = take(text, "-");
    const auto nr = take_decimal(text);
    if (!nr) return false;
    if (enter) {
      if (!take(text, " (")) return false;
      Event e;
      e.tid = tid;
      e.ts_ns = ts_ns;
      e.nr = static_cast<int32_t>(*nr);
      for (uint64_t& arg : e.args) {
        const size_t end = text.find_first_of(",)");
        if (end == std::string_view::npos) return false;
        const auto value = constant("0x" + std::string(text.substr(0, end)));
        if (!value) return false;
        arg = *value;
        text.remove_prefix(end + 1);
        skip_blanks(text);
      }
      if (auto it = open_.find(tid); it != open_.end()) end_open(it->second, kNoExit);
      open_[tid] = e;
      if (e.nr == SYS_exit || e.nr == SYS_exit_group) {
        end_open(open_[tid], kNoExit);
        open_.erase(tid);
        builder_.end(tid, ts_ns, e.nr == SYS_exit_group ? static_cast<int32_t>(e.args[0] & 0xff) << 8 : 0);
      }
      return true;
    }
    if (!take(text, " = ")) return false;
    const bool negative = take(text, "-");
    const auto value = take_decimal(text);
    if (!value) return false;
    const auto ret = static_cast<int64_t>(negative ? ~*value + 1 : *value);
    auto it = open_.find(tid);
    if (it == open_.end()) {
      // A child's return from the call that made it, or the text began in mid-call.
      if (!made_.count(tid)) builder_.note("the text begins in the middle of calls; these are left out");
      return true;
    }
    Event e = it->second;
    open_.erase(it);
    e.dur_ns = ts_ns - e.ts_ns;
    e.ret = ret;
    if (minus || static_cast<int32_t>(*nr) != e.nr) e.flags |= kNrChanged;
    if (ret <= -512 && ret >= -516) e.flags |= kRestarted;
    if ((e.nr == SYS_execve || e.nr == SYS_execveat) && ret == 0) builder_.exec(tid, ts_ns, "", {});
    builder_.add(e);
    const bool is_clone = e.nr == SYS_clone;
    if ((is_clone || e.nr == SYS_fork || e.nr == SYS_vfork || e.nr == SYS_clone3) && ret > 0) {
      if (e.nr == SYS_clone3) builder_.note("perf script does not show whether clone3 made a thread: taken as a process");
      made_[static_cast<int32_t>(ret)] = true;
      builder_.child(tid, static_cast<int32_t>(ret), is_clone && (e.args[0] & kCloneThread), e.nr, ts_ns);
    }
    return true;
  }

  void end_open(Event e, uint32_t flag) {
    e.flags |= flag;
    builder_.add(e);
  }

  ImportBuilder builder_{"import-perf"};
  std::map<int32_t, Event> open_;
  std::map<int32_t, bool> made_;
};

}  // namespace

Result<ImportReport> import_perf(std::istream& text, const std::string& name, const std::string& output) {
  PerfImport import;
  for (std::string line; std::getline(text, line);) import.line(line);
  if (text.bad()) return error("{}: read: {}", name, strerror(errno));
  return import.finish(output);
}

ImportFormat guess_import_format(std::istream& text) {
  ImportFormat found = ImportFormat::kUnknown;
  std::string line;
  for (int i = 0; i < 100 && found == ImportFormat::kUnknown && std::getline(text, line); ++i) {
    if (line.find("raw_syscalls:sys_") != std::string::npos) found = ImportFormat::kPerfScript;
    else if (line.find(" ms): ") != std::string::npos) found = ImportFormat::kPerfTrace;
    else if (line.find(") = ") != std::string::npos || line.find(")  ") != std::string::npos ||
             line.find(" <unfinished ...>") != std::string::npos || line.find("+++ ") != std::string::npos)
      found = ImportFormat::kStrace;
  }
  text.clear();
  text.seekg(0);
  return found;
}

}  // namespace sysvm
