// SPDX-License-Identifier: MIT
// Whole lines (strace_lines.h) in order, each to what happened: halves of calls joined, times made absolute,
// lines without a process id given to the one that they are of.
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "traces/import_builder.h"
#include "traces/strace_args.h"
#include "traces/strace_call.h"
#include "traces/strace_lines.h"
#include "traces/strace_prefix.h"
#include "traces/symbols.h"

namespace sysvm {

namespace {

// of lines without a process id, until one turns out to be theirs; no id is so large
constexpr int32_t kMainTid = INT32_MAX;
constexpr uint64_t kNsPerDay = 86'400'000'000'000;

class StraceImport {
 public:
  // of: the process id of lines that have none (a file of strace -ff), 0 if not known.
  void line(uint64_t number, std::string_view text, int32_t of = 0) {
    of_ = of;
    if (!understand(number, text)) builder_.not_understood(number, text, clock_ns_);
  }

  // What strace said in between.
  void heard(const StraceNotice& notice) {
    using What = StraceNotice::What;
    switch (notice.what) {
      case What::kAttached: attached_.insert(notice.pid); break;
      case What::kDetached: builder_.end(notice.pid, clock_ns_, std::nullopt); break;
      case What::kMode32:
      case What::kModeX32:
      case What::kMode64:
        builder_.modes_are_told();
        // Without ids in front, this is where the only process reports its own.
        if (!named_ && !main_ && !of_ && !attached_.count(notice.pid)) main_is(notice.pid);
        if (notice.what == What::kModeX32)
          x32_.insert(notice.pid);
        else
          x32_.erase(notice.pid);
        builder_.runs_32_bit(notice.pid, notice.what == What::kMode32);
        break;
      case What::kOther: break;
    }
  }

  Result<ImportReport> finish(uint64_t lines, const std::string& output) {
    for (const auto& [tid, call] : pending_) lost_in_call(tid, call);
    if (!main_) builder_.rename(kMainTid, 1);
    ImportReport& report = builder_.report;
    report.lines = lines;
    if (!saw_time_) builder_.note("no times of day (-ttt): calls are a microsecond apart");
    if (!saw_duration_) builder_.note("no durations (-T): they are 0");
    if (!unknown_.empty()) {
      std::string names;
      for (const std::string& name : unknown_) {
        if (names.size() > 200) {
          names += " ...";
          break;
        }
        names += (names.empty() ? "" : ", ") + name;
      }
      builder_.note("constants that are not known here, so their values stay unknown: " + names);
    }
    if (saw_epoch_) builder_.header.boottime_ns = builder_.header.realtime_ns = first_ns_;
    TRY(builder_.write(output));
    return report;
  }

 private:
  struct Pending {
    uint64_t ts_ns, ip;
    std::string text;  // "read(3, "
    uint64_t number;
  };
  struct Where {
    int32_t tid = 0;
    uint64_t ts_ns = 0, ip = 0, number = 0;
    uint64_t returned_ns = 0;  // of a call in two halves: when the second was printed
  };

  bool understand(uint64_t number, std::string_view text) {
    const auto prefix = take_strace_prefix(text);
    if (!prefix) return false;
    // A time that no event follows is none: "12:00:01 lunch" must not move the clock.
    if (!prefix->event_follows()) return false;
    Where w;
    w.number = number;
    w.ip = prefix->ip;
    w.ts_ns = time_of(*prefix);
    w.tid = thread_of(*prefix);
    text = prefix->rest;
    if (take(text, "+++ ")) return ended(w, text);
    if (take(text, "--- ")) return signal(w, text);
    if (take(text, "<... ")) return resumed(w, text);
    return begun(w, text);
  }

  // A call, or its first half.
  bool begun(Where w, std::string_view text) {
    for (const std::string_view cut : {"<unfinished ...>", "<detached ...>"})
      if (text.ends_with(cut)) {
        text.remove_suffix(cut.size());
        return hold(w, text);
      }
    // A thread that is not the first calls exec, and goes on under the first one's id.
    constexpr std::string_view kChanged = "<pid changed to ";
    if (const size_t at = text.rfind(kChanged); at != std::string_view::npos && text.ends_with(" ...>")) {
      std::string_view number = text.substr(at + kChanged.size());
      const auto pid = take_decimal(number);
      if (!pid || *pid == 0 || *pid > kPidMax || number != " ...>") return false;
      w.tid = static_cast<int32_t>(*pid);
      return hold(w, text.substr(0, at));
    }
    return call(w, text);
  }

  bool hold(const Where& w, std::string_view text) {
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    if (text.find('(') == std::string_view::npos) return false;
    if (auto it = pending_.find(w.tid); it != pending_.end()) {
      lost_in_call(w.tid, it->second);
      builder_.left_out(w.ts_ns);  // its other half
    }
    pending_[w.tid] = {w.ts_ns, w.ip, std::string(text), w.number};
    return true;
  }

  uint64_t time_of(const StracePrefix& prefix) {
    using Clock = StracePrefix::Clock;
    switch (prefix.clock) {
      case Clock::kNone: return clock_ns_ += 1000;
      case Clock::kTimeOfDay: {
        uint64_t ns = prefix.ns;
        while (clock_ns_ > ns + kNsPerDay / 2) ns += kNsPerDay;  // past midnight
        clock_ns_ = ns;
        break;
      }
      case Clock::kSeconds:
        clock_ns_ = prefix.ns;
        saw_epoch_ |= prefix.ns > kPidMax * 1'000'000'000;
        break;
      case Clock::kRelative: clock_ns_ += prefix.ns; break;
    }
    saw_time_ = true;
    if (!first_ns_) first_ns_ = clock_ns_;
    return clock_ns_;
  }

  // strace puts ids in front of lines only while it follows more than one thread: lines without are of the
  // first one, at the beginning, and of the only one that is left, later.
  int32_t thread_of(const StracePrefix& prefix) {
    if (of_) return of_;
    if (prefix.pid) {
      if (unnamed_ && !main_ && may_be_main(*prefix.pid, prefix.rest)) main_is(*prefix.pid);
      named_ = true;
      return *prefix.pid;
    }
    unnamed_ = true;
    if (named_)
      if (builder_.alive().size() == 1) return *builder_.alive().begin();
    return main_.value_or(kMainTid);
  }

  // The first id in front of a line is that of the thread without one, or of a child that it made.
  bool may_be_main(int32_t pid, std::string_view rest) const {
    if (attached_.count(pid) || made_.count(pid)) return false;
    auto it = pending_.find(kMainTid);
    return it == pending_.end() ||
           (take(rest, "<... ") && rest.starts_with(it->second.text.substr(0, it->second.text.find('('))));
  }

  void main_is(int32_t pid) {
    main_ = pid;
    builder_.rename(kMainTid, pid);
    if (auto node = pending_.extract(kMainTid); !node.empty()) {
      node.key() = pid;
      pending_.insert(std::move(node));
    }
  }

  void lost_in_call(int32_t tid, const Pending& pending) {
    const Where w{tid, pending.ts_ns, pending.ip, pending.number, 0};
    // What strace prints before a call may end anywhere in its arguments.
    std::string text = pending.text;
    if (text.ends_with("<unfinished ...>")) text.resize(text.size() - 16);
    if (!call(w, text + ") = ?") && !call(w, text + " = ?"))
      builder_.not_understood(pending.number, text, pending.ts_ns);
  }

  bool ended(const Where& w, std::string_view text) {
    if (auto node = pending_.extract(w.tid); !node.empty() && !text.starts_with("superseded")) {
      lost_in_call(w.tid, node.mapped());
    } else if (!node.empty()) {
      pending_.insert(std::move(node));
    }
    if (take(text, "exited with ")) {
      const auto status = take_decimal(text);
      if (!status || *status > 255 || text != " +++") return false;
      builder_.end(w.tid, w.ts_ns, static_cast<int32_t>(*status) << 8);
      return true;
    }
    if (take(text, "killed by ")) {
      const auto sig = signal_value(text.substr(0, text.find(' ')));
      if (!sig) {
        builder_.end(w.tid, w.ts_ns, std::nullopt);
        return false;
      }
      builder_.end(w.tid, w.ts_ns, *sig | (text.find("core dumped") == std::string_view::npos ? 0 : 0x80));
      return true;
    }
    if (take(text, "superseded by execve in pid ")) {
      const auto other = take_decimal(text);
      if (!other || *other == 0 || *other > kPidMax) return false;
      const auto from = static_cast<int32_t>(*other);
      if (auto own = pending_.extract(w.tid); !own.empty()) lost_in_call(w.tid, own.mapped());
      if (auto node = pending_.extract(from); !node.empty()) {
        node.key() = w.tid;
        pending_.insert(std::move(node));
      }
      builder_.end(from, w.ts_ns, std::nullopt);
      return true;
    }
    return false;
  }

  bool signal(const Where& w, std::string_view text) {
    if (take(text, "stopped by ")) return signal_value(text.substr(0, text.find(' '))).has_value();
    const auto sig = signal_value(text.substr(0, text.find(' ')));
    if (!sig || !text.ends_with(" ---")) return false;
    Event e;
    e.tid = w.tid;
    e.ts_ns = w.ts_ns;
    e.nr = kSignalNr;
    e.flags = kSignal;
    e.args[0] = static_cast<uint64_t>(*sig);
    const auto code = member(text, "si_code");
    const auto value = code ? constant(*code) : std::nullopt;
    if (value)
      e.args[1] = *value;
    else
      e.flags |= kUnknownArg1;
    if (*sig == SIGCHLD)
      if (const auto pid = member(text, "si_pid"))
        if (const auto child = constant(*pid); child && *child <= kPidMax)
          builder_.is_process(static_cast<int32_t>(*child));
    builder_.add(e);
    return true;
  }

  bool resumed(const Where& w, std::string_view text) {
    const size_t end = text.find("resumed>");
    if (end == std::string_view::npos) return false;
    std::string_view name = text.substr(0, end);
    while (name.ends_with(' ')) name.remove_suffix(1);
    text.remove_prefix(end + 8);
    auto node = pending_.extract(w.tid);
    // The other half of another call is none of it.
    if (!node.empty() && node.mapped().text.substr(0, node.mapped().text.find('(')) != name) {
      lost_in_call(w.tid, node.mapped());
      builder_.left_out(w.ts_ns);
      node = {};
    }
    if (node.empty()) {
      builder_.note("the text begins or goes on in the middle of calls; these are left out");
      builder_.left_out(w.ts_ns);
      return true;
    }
    const Pending& first = node.mapped();
    std::string whole = first.text;
    // What was cut before a comma goes on with one; otherwise strace has eaten the blank.
    if (!whole.ends_with('(') && !text.starts_with(')') && !text.starts_with(',')) whole += ' ';
    whole += text;
    // A thread that is killed inside a resumed call.
    if (const size_t again = whole.find(" <unfinished ...>)"); again != std::string::npos)
      whole.erase(again, 17);
    return begun({w.tid, first.ts_ns, first.ip, first.number, w.ts_ns}, whole);
  }

  bool call(const Where& w, std::string_view text) {
    const bool was_32 = builder_.is_32_bit(w.tid);
    const StraceAbi abi = x32_.count(w.tid) ? StraceAbi::kX32 : was_32 ? StraceAbi::k32 : StraceAbi::k64;
    StraceProblem problem;
    auto parsed = parse_strace_call(text, abi, problem);
    if (!parsed && problem.what == StraceProblem::kUnknownCall) {
      builder_.note("calls that no table here has are left out: " + problem.name);
      builder_.left_out(w.ts_ns);
      return true;
    }
    if (!parsed) return false;
    Event& e = parsed->event;
    e.tid = w.tid;
    e.ts_ns = w.ts_ns;
    e.ip = w.ip;
    saw_duration_ |= parsed->timed;
    unknown_.merge(parsed->unknown);
    if (parsed->only_32) builder_.runs_32_bit(w.tid, true);
    if (was_32 && !e.has(kCompat)) builder_.runs_32_bit(w.tid, false);
    happened(*parsed, std::max(e.ts_ns + e.dur_ns, w.returned_ns));
    return true;
  }

  void happened(StraceCall& c, uint64_t end_ns) {
    const Event& e = c.event;
    const bool returned = !e.has(kNoExit) && !e.has(kUnknownRet) && !e.has(kRestarted);
    const std::string* path[2] = {};
    for (size_t k = 0; k < c.strings.size(); ++k)
      if (c.strings[k]) path[k] = &*c.strings[k];
    if (c.is_exec && returned && e.ret == 0)
      builder_.exec(e.tid, end_ns, path[0] ? *path[0] : "", std::move(c.argv));
    if (c.is_wait && returned && e.ret > 0 && e.ret <= static_cast<int64_t>(kPidMax))
      builder_.is_process(static_cast<int32_t>(e.ret));
    builder_.add(e, path[0], path[1], e.has(kHasData) ? &c.data : nullptr);
    if (c.made) {
      made_.insert(*c.made);
      builder_.child(e.tid, *c.made, c.makes_thread, e, end_ns);
    }
  }

  ImportBuilder builder_{"import-strace"};
  std::map<int32_t, Pending> pending_;
  std::set<int32_t> made_, attached_, x32_;
  std::set<std::string> unknown_;
  std::optional<int32_t> main_;
  int32_t of_ = 0;
  uint64_t clock_ns_ = 0, first_ns_ = 0;
  bool unnamed_ = false, named_ = false, saw_time_ = false, saw_epoch_ = false, saw_duration_ = false;
};

// A line of one of several files, to be put in order of time.
struct Timed {
  uint64_t ns = 0;
  size_t file = 0;
  uint64_t number = 0;
  std::string text;
};

// The process of a file of strace -ff: what follows the last dot of its name.
int32_t process_of_file(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return 0;
  std::string_view digits = name.substr(dot + 1);
  const auto pid = take_decimal(digits);
  return pid && digits.empty() && *pid > 0 && *pid <= kPidMax ? static_cast<int32_t>(*pid) : 0;
}

}  // namespace

Result<ImportReport> import_strace(std::istream& text, const std::string& name, const std::string& output) {
  StraceImport import;
  StraceLines lines([&](uint64_t number, std::string_view line) { import.line(number, line); },
                    [&](const StraceNotice& notice) { import.heard(notice); });
  for (std::string line; std::getline(text, line);) lines.add(line);
  if (text.bad()) return error("{}: read: {}", name, strerror(errno));
  lines.finish();
  return import.finish(lines.lines(), output);
}

Result<ImportReport> import_strace_files(const std::vector<std::string>& names, const std::string& output) {
  std::vector<Timed> all;
  uint64_t total = 0;
  for (size_t file = 0; file < names.size(); ++file) {
    std::ifstream text(names[file], std::ios::binary);
    if (!text) return error("{}: cannot open: {}", names[file], strerror(errno));
    if (!process_of_file(names[file]))
      return error("{}: of several files, each must end in its process id, as those of strace -ff do",
                   names[file]);
    uint64_t last_ns = 0;
    StraceLines lines(
        [&](uint64_t number, std::string_view line) {
          // A line without a time goes with the one before.
          const auto prefix = take_strace_prefix(line);
          if (prefix && prefix->event_follows()) {
            using Clock = StracePrefix::Clock;
            if (prefix->clock == Clock::kSeconds) last_ns = prefix->ns;
            if (prefix->clock == Clock::kTimeOfDay)
              last_ns = prefix->ns + (last_ns > prefix->ns + kNsPerDay / 2 ? kNsPerDay : 0);
          }
          all.push_back({last_ns, file, number, std::string(line)});
        },
        [](const StraceNotice&) {});
    for (std::string line; std::getline(text, line);) lines.add(line);
    if (text.bad()) return error("{}: read: {}", names[file], strerror(errno));
    lines.finish();
    total += lines.lines();
  }
  std::stable_sort(all.begin(), all.end(), [](const Timed& a, const Timed& b) { return a.ns < b.ns; });
  StraceImport import;
  for (const Timed& line : all) import.line(line.number, line.text, process_of_file(names[line.file]));
  return import.finish(total, output);
}

}  // namespace sysvm
