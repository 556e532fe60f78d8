// SPDX-License-Identifier: MIT
// perf script prints each half of a call on a line of its own:
//
//     sh 18261/18261 [001] 13065.701494: raw_syscalls:sys_enter: NR 12 (0, 7ffd6bb1fbcc, 0, 37f, 0, 0)
//     sh 18261 [001] 13065.701495:  raw_syscalls:sys_exit: NR 12 = 93845288693760
//
// The halves are joined by thread. Registers are all there, strings are not. The process is known if the text
// has pid/tid (-F comm,pid,tid,time,event,trace) or has seen the clone that made the thread.
// Tested by tests/traces/import_test.cc.
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "traces/import_builder.h"
#include "traces/strace_args.h"
#include "traces/strace_prefix.h"

namespace sysvm {

namespace {

constexpr uint64_t kCloneThread = 0x10000;

class PerfImport {
 public:
  // head: "sh 18261/18261 [001] 13065.701494: ", with blanks in the command, perhaps.
  static bool take_head(std::string_view head, int32_t& pid, int32_t& tid, uint64_t& ts_ns);

  void line(std::string_view text) {
    if (++builder_.report.lines == 1) take(text, "\xef\xbb\xbf");
    while (text.ends_with('\r')) text.remove_suffix(1);
    const size_t tracepoint = text.find("raw_syscalls:sys_");
    if (text.empty() || text.starts_with('#')) return;
    if (tracepoint == std::string_view::npos) {
      if (text.find(": ") == std::string_view::npos || text.find("syscalls:") == std::string_view::npos)
        builder_.note("events other than raw_syscalls:sys_enter and sys_exit are left out");
      else
        builder_.not_understood(builder_.report.lines, text, now_ns_);
      return;
    }
    if (!event(text.substr(0, tracepoint), text.substr(tracepoint + 17)))
      builder_.not_understood(builder_.report.lines, text, now_ns_);
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
  bool event(std::string_view head, std::string_view text) {
    int32_t pid, tid;
    uint64_t ts_ns;
    if (!take_head(head, pid, tid, ts_ns)) return false;
    now_ns_ = ts_ns;
    if (pid) builder_.process_of(tid, pid);
    const bool enter = take(text, "enter: NR ");
    if (!enter && !take(text, "exit: NR ")) return false;
    const bool minus = take(text, "-");
    const auto nr = take_decimal(text);
    if (!nr) return false;
    if (enter && (minus || *nr > INT32_MAX)) {
      // No table has a call of such a number: what is left of one that seccomp or a tracer refused.
      builder_.note("calls with numbers that no table has are left out");
      builder_.left_out(ts_ns);
      refused_.insert(tid);
      return true;
    }
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
      // What the call before returned is lost.
      if (auto it = open_.find(tid); it != open_.end()) {
        it->second.ret = 0;
        end_open(it->second, kUnknownRet | kUnknownValue);
        builder_.left_out(ts_ns);
      }
      refused_.erase(tid);
      seen_.insert(tid);
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
      if (refused_.erase(tid)) return true;
      if (seen_.count(tid)) builder_.left_out(ts_ns);
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
    if (e.nr == SYS_wait4 && ret > 0 && ret <= static_cast<int64_t>(kPidMax))
      builder_.is_process(static_cast<int32_t>(ret));
    builder_.add(e);
    const bool is_clone = e.nr == SYS_clone;
    if ((is_clone || e.nr == SYS_fork || e.nr == SYS_vfork || e.nr == SYS_clone3) && ret > 0) {
      if (ret > static_cast<int64_t>(kPidMax)) return true;
      std::optional<bool> thread = false;
      if (is_clone) thread = (e.args[0] & kCloneThread) != 0;
      if (e.nr == SYS_clone3) thread.reset();  // its flags are behind a pointer
      made_.insert(static_cast<int32_t>(ret));
      builder_.child(tid, static_cast<int32_t>(ret), thread, e, ts_ns);
    }
    return true;
  }

  void end_open(Event e, uint32_t flag) {
    e.flags |= flag;
    builder_.add(e);
  }

  ImportBuilder builder_{"import-perf"};
  std::map<int32_t, Event> open_;
  // threads: made by a call here; of which a call was entered; in a call without a number
  std::set<int32_t> made_, seen_, refused_;
  uint64_t now_ns_ = 0;
};

bool PerfImport::take_head(std::string_view head, int32_t& pid, int32_t& tid, uint64_t& ts_ns) {
  while (!head.empty() && (head.back() == ' ' || head.back() == ':')) head.remove_suffix(1);
  const size_t time_at = head.rfind(' ');
  if (time_at == std::string_view::npos) return false;
  std::string_view time = head.substr(time_at + 1);
  const auto seconds = take_decimal(time);
  if (!seconds || *seconds > 10'000'000'000 || !take(time, ".")) return false;
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
  if (!first || *first > kPidMax) return false;
  pid = 0;
  tid = static_cast<int32_t>(*first);
  if (take(id, "/")) {
    const auto second = take_decimal(id);
    if (!second || *second > kPidMax) return false;
    pid = tid;
    tid = static_cast<int32_t>(*second);
  }
  return id.empty();
}

}  // namespace

Result<ImportReport> import_perf(std::istream& text, const std::string& name, const std::string& output) {
  PerfImport import;
  for (std::string line; std::getline(text, line);) import.line(line);
  if (text.bad()) return error("{}: read: {}", name, strerror(errno));
  return import.finish(output);
}

bool is_perf_script_line(std::string_view line) {
  const size_t tracepoint = line.find("raw_syscalls:sys_");
  int32_t pid, tid;
  uint64_t ts_ns;
  return tracepoint != std::string_view::npos &&
         PerfImport::take_head(line.substr(0, tracepoint), pid, tid, ts_ns);
}

}  // namespace sysvm
