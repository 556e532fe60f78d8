// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>

#include <cstring>
#include <map>
#include <set>

#include "traces/import_builder.h"
#include "traces/strace_args.h"
#include "traces/symbols.h"

namespace sysvm {

namespace {

constexpr int32_t kMainTid = 1;        // of lines without a process id, until one turns out to be theirs
constexpr uint64_t kPidMax = 4194304;  // the kernel's PID_MAX_LIMIT: a larger number is a time
constexpr uint64_t kCloneThread = 0x10000;


// "12.345678" -> nanoseconds, exactly.
std::optional<uint64_t> take_seconds(std::string_view& text) {
  std::string_view at = text;
  const auto whole = take_decimal(at);
  if (!whole) return std::nullopt;
  uint64_t ns = 0;
  if (take(at, ".")) {
    uint64_t unit = 100'000'000;
    for (; !at.empty() && at.front() >= '0' && at.front() <= '9'; at.remove_prefix(1), unit /= 10)
      ns += static_cast<uint64_t>(at.front() - '0') * unit;
  }
  text = at;
  return *whole * 1'000'000'000 + ns;
}

class StraceImport {
 public:
  explicit StraceImport(std::string name) : builder_("import-strace"), name_(std::move(name)) {}

  void line(std::string_view text) {
    ++builder_.report.lines;
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty() || text.starts_with(" > ")) return;  // a stack (strace -k)
    if (text.starts_with("strace: ") || text.starts_with("% time") || text.starts_with("------ -----")) {
      if (text.find("32 bit mode") != std::string_view::npos)
        builder_.note("the text has 32-bit calls, which are left out");
      return;
    }
    if (!understand(text)) builder_.not_understood(builder_.report.lines, text);
  }

  Result<ImportReport> finish(const std::string& output) {
    for (const auto& [tid, call] : pending_) lost_in_call(tid, call);
    if (main_is_) builder_.rename(kMainTid, *main_is_);
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
      builder_.note("constants that are not known here count as 0: " + names);
    }
    if (saw_epoch_) builder_.header.boottime_ns = builder_.header.realtime_ns = first_ns_;
    TRY(builder_.write(output));
    return builder_.report;
  }

 private:
  struct Pending {
    uint64_t ts_ns, ip;
    std::string text;  // "read(3, "
  };
  struct Prefix {
    int32_t tid = kMainTid;
    uint64_t ts_ns = 0, ip = 0;
  };

  bool understand(std::string_view text) {
    Prefix p;
    if (!take_prefix(text, p)) return false;
    if (take(text, "+++ ")) return ended(p, text);
    if (take(text, "--- ")) return signal(p, text);
    if (take(text, "<... ")) return resumed(p, text);
    constexpr std::string_view kUnfinished = "<unfinished ...>";
    if (text.ends_with(kUnfinished)) {
      text.remove_suffix(kUnfinished.size());
      return hold(p, text);
    }
    if (text.ends_with("<detached ...>")) return true;
    return call(p, text);
  }

  bool hold(const Prefix& p, std::string_view text) {
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    pending_[p.tid] = {p.ts_ns, p.ip, std::string(text)};
    return text.find('(') != std::string_view::npos;
  }

  // Process, time, number of the call and instruction pointer in front of what happened.
  bool take_prefix(std::string_view& text, Prefix& p) {
    bool named = false;
    size_t blanks = 0;  // that stand before the time if nothing pads it
    if (take(text, "[pid ")) {
      skip_blanks(text);
      const auto pid = take_decimal(text);
      const size_t end = text.find("] ");
      if (!pid || end == std::string_view::npos) return false;
      text.remove_prefix(end + 1);
      p.tid = static_cast<int32_t>(*pid);
      blanks = 1;
      named = true;
    } else {
      std::string_view at = text;
      const auto pid = take_decimal(at);
      if (pid && *pid <= kPidMax && at.starts_with('<')) {  // -Y: 123<comm>
        const size_t end = at.find("> ");
        if (end == std::string_view::npos) return false;
        at.remove_prefix(end + 1);
      }
      if (pid && *pid > 0 && *pid <= kPidMax && at.starts_with(' ')) {
        p.tid = static_cast<int32_t>(*pid);
        const size_t width = text.size() - at.size();
        blanks = width < 5 ? 6 - width : 1;
        text = at;
        named = true;
      }
    }
    if (!named) {
      unnamed_ = true;
    } else if (unnamed_ && !main_is_ && !children_.count(p.tid)) {
      main_is_ = p.tid;
    }
    if (main_is_ && p.tid == *main_is_) p.tid = kMainTid;
    const size_t before = text.size();
    skip_blanks(text);
    // -r pads its seconds, the other clocks do not.
    if (!take_time(text, p, before - text.size() > blanks)) return false;
    // -n: "[ 257] ", -i: "[00007f0123456789] ".
    while (text.starts_with('[')) {
      const size_t end = text.find("] ");
      if (end == std::string_view::npos) return false;
      const std::string_view inside = text.substr(1, end - 1);
      if (inside.size() == 16 && inside.find('?') == std::string_view::npos)
        p.ip = constant("0x" + std::string(inside)).value_or(0);
      else if (inside.size() > 16)
        return false;
      text.remove_prefix(end + 2);
      skip_blanks(text);
    }
    return true;
  }

  bool take_time(std::string_view& text, Prefix& p, bool padded) {
    std::string_view at = text;
    auto value = take_seconds(at);
    if (value && at.starts_with(':')) {  // time of day
      take(at, ":");
      const auto minutes = take_decimal(at);
      if (!minutes || !take(at, ":")) return false;
      const auto seconds = take_seconds(at);
      if (!seconds) return false;
      uint64_t day = *value * 3600 + *minutes * 60'000'000'000 + *seconds;
      while (clock_ns_ > day + 43'200'000'000'000) day += 86'400'000'000'000;  // past midnight
      clock_ns_ = day;
    } else if (value && at.starts_with(' ')) {
      clock_ns_ = padded ? clock_ns_ + *value : *value;  // -r: after the line before
      saw_epoch_ |= *value > kPidMax * 1'000'000'000;
    } else {
      clock_ns_ += 1000;
      p.ts_ns = clock_ns_;
      return true;
    }
    saw_time_ = true;
    if (!first_ns_) first_ns_ = clock_ns_;
    p.ts_ns = clock_ns_;
    skip_blanks(at);
    if (take(at, "(+")) {  // -r beside a time
      const size_t end = at.find(')');
      if (end == std::string_view::npos) return false;
      at.remove_prefix(end + 1);
      skip_blanks(at);
    }
    text = at;
    return true;
  }

  void lost_in_call(int32_t tid, const Pending& pending) {
    Prefix p{tid, pending.ts_ns, pending.ip};
    call(p, pending.text + ") = ?");
  }

  bool ended(const Prefix& p, std::string_view text) {
    if (auto it = pending_.find(p.tid); it != pending_.end()) {
      lost_in_call(p.tid, it->second);
      pending_.erase(p.tid);
    }
    if (take(text, "exited with ")) {
      const auto status = take_decimal(text);
      if (!status) return false;
      builder_.end(p.tid, p.ts_ns, static_cast<int32_t>(*status & 0xff) << 8);
      return true;
    }
    if (take(text, "killed by ")) {
      const auto sig = signal_value(text.substr(0, text.find(' ')));
      if (!sig) return false;
      builder_.end(p.tid, p.ts_ns, *sig | (text.find("core dumped") == std::string_view::npos ? 0 : 0x80));
      return true;
    }
    if (take(text, "superseded by execve in pid ")) {
      const auto other = take_decimal(text);
      if (!other) return false;
      if (auto node = pending_.extract(static_cast<int32_t>(*other)); !node.empty()) {
        node.key() = p.tid;
        pending_.insert(std::move(node));
      }
      return true;
    }
    return false;
  }

  bool signal(const Prefix& p, std::string_view text) {
    if (text.starts_with("stopped by ")) return true;
    const auto sig = signal_value(text.substr(0, text.find(' ')));
    if (!sig) return false;
    Event e;
    e.tid = p.tid;
    e.ts_ns = p.ts_ns;
    e.nr = kSignalNr;
    e.flags = kSignal;
    e.args[0] = static_cast<uint64_t>(*sig);
    if (const auto code = member(text, "si_code")) e.args[1] = constant(*code).value_or(0);
    builder_.add(e);
    return true;
  }

  bool resumed(const Prefix& p, std::string_view text) {
    const size_t end = text.find("resumed>");
    auto it = pending_.find(p.tid);
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 8);
    if (it == pending_.end()) {
      builder_.note("the text begins or goes on in the middle of calls; these are left out");
      return true;
    }
    Prefix begun{p.tid, it->second.ts_ns, it->second.ip};
    std::string whole = it->second.text;
    // What was cut before a comma goes on with one; otherwise strace has eaten the blank.
    if (!whole.ends_with('(') && !text.starts_with(')') && !text.starts_with(',')) whole += ' ';
    whole += text;
    pending_.erase(it);
    // A thread that is killed inside a resumed call.
    if (const size_t again = whole.find(" <unfinished ...>)"); again != std::string::npos) whole.erase(again, 17);
    if (whole.ends_with("<unfinished ...>")) {
      whole.resize(whole.size() - 16);
      return hold(begun, whole);
    }
    return call(begun, whole);
  }

  // read(3, "abc"..., 4096) = 3 <0.000012>
  bool call(const Prefix& p, std::string_view text) {
    size_t length = 0;
    while (length < text.size() && (isalnum(static_cast<unsigned char>(text[length])) || text[length] == '_')) ++length;
    const std::string_view name = text.substr(0, length);
    if (length == 0 || length == text.size() || text[length] != '(') return false;
    text.remove_prefix(length + 1);
    const auto args = take_arguments(text);
    if (!args) return false;
    skip_blanks(text);
    if (!take(text, "=")) return false;
    skip_blanks(text);

    Event e;
    e.tid = p.tid;
    e.ts_ns = p.ts_ns;
    e.ip = p.ip;
    e.nr = builder_.number_of(name);
    if (e.nr < 0) {
      std::string_view number = name;
      if (!take(number, "syscall_0x")) {
        builder_.note("calls that are not of x86-64 are left out: " + std::string(name));
        return true;
      }
      e.nr = static_cast<int32_t>(constant("0x" + std::string(number)).value_or(0));
    }
    if (!take_result(text, e)) return false;

    Strings strings;
    take_values(*args, e, strings);
    if (e.nr == SYS_clone || e.nr == SYS_clone3) clone_arguments(*args, e);
    if ((e.nr == SYS_pipe || e.nr == SYS_pipe2 || e.nr == SYS_socketpair) && e.ret == 0) descriptors(*args, e, strings);
    happened(e, *args, strings);
    return true;
  }

  struct Strings {
    std::vector<std::string> path;
    std::string data;
  };

  bool take_result(std::string_view text, Event& e) {
    if (text.ends_with('>')) {  // -T
      const size_t open = text.rfind(" <");
      if (open != std::string_view::npos) {
        std::string_view inside = text.substr(open + 2);
        if (const auto ns = take_seconds(inside); ns && inside == ">") {
          e.dur_ns = *ns;
          saw_duration_ = true;
          text = text.substr(0, open);
        }
      }
    }
    if (take(text, "?")) {
      static constexpr std::pair<std::string_view, int> kRestarts[] = {
          {"ERESTARTSYS", 512}, {"ERESTARTNOINTR", 513}, {"ERESTARTNOHAND", 514}, {"ERESTART_RESTARTBLOCK", 516}};
      skip_blanks(text);
      for (const auto& [name, code] : kRestarts)
        if (text.starts_with(name)) {
          e.ret = -code;
          e.flags |= kRestarted;
          return true;
        }
      e.flags |= kNoExit;
      return true;
    }
    if (std::string_view error = text; take(error, "-1 ")) {
      const std::string_view name = error.substr(0, error.find(' '));
      if (const auto number = errno_value(name)) {
        e.ret = -*number;
        return true;
      }
      if (take(error, "(errno ") || take(error, "errno ")) {
        const auto number = take_decimal(error);
        e.ret = -static_cast<int64_t>(number.value_or(1));
        return number.has_value();
      }
    }
    const size_t end = text.find_first_of(" <");
    const auto value = constant(text.substr(0, end));
    if (value) e.ret = static_cast<int64_t>(*value);
    return value.has_value();
  }

  void take_values(const std::vector<std::string>& args, Event& e, Strings& strings) {
    const CallInfo* info = builder_.call(e.nr);
    for (size_t i = 0; i < args.size() && i < 6; ++i) {
      std::string_view text = args[i];
      if (const size_t in_out = text.find(" => "); in_out != std::string_view::npos) text = text.substr(0, in_out);
      // Some calls have names in front of their arguments.
      size_t word = 0;
      while (word < text.size() && (isalnum(static_cast<unsigned char>(text[word])) || text[word] == '_')) ++word;
      if (word && word < text.size() && text[word] == '=') text.remove_prefix(word + 1);
      const std::string_view kind = info && i < info->args.size() ? std::string_view(info->args[i]) : "";
      const bool is_string = kind == "PATH" || kind == "STR";
      if (text.empty()) continue;  // the thread ended before strace had read it
      if (text.starts_with('"')) {
        e.args[i] = kPointerUnknown;
        if (auto quoted = take_quoted(text); quoted && is_string && strings.path.size() < 2) {
          if (quoted->cut) e.flags |= kPathCut;
          strings.path.push_back(std::move(quoted->text));
        }
        continue;
      }
      if (is_string && strings.path.size() < 2) missing_ |= 1u << strings.path.size(), strings.path.emplace_back();
      if (text.starts_with('{') || text.starts_with('[') || text.starts_with("~[")) {
        e.args[i] = kPointerUnknown;
        if (kind.starts_with("OUTS") && e.ret == 0) take_stat(text, e);
        continue;
      }
      std::vector<std::string> unknown;
      e.args[i] = constant(text, &unknown).value_or(kPointerUnknown);
      unknown_.insert(unknown.begin(), unknown.end());
    }
  }

  void take_stat(std::string_view text, Event& e) {
    auto value = [&](std::string_view name) { return member(text, name); };
    const auto mode = value("st_mode") ? value("st_mode") : value("stx_mode");
    if (!mode) return;
    e.flags |= kHasStat;
    e.st_mode = static_cast<uint32_t>(constant(*mode).value_or(0));
    auto number = [&](std::string_view first, std::string_view second) {
      const auto found = value(first) ? value(first) : value(second);
      return found ? constant(*found).value_or(0) : 0;
    };
    e.st_size = number("st_size", "stx_size");
    e.st_dev = number("st_dev", "stx_dev");
    e.st_ino = number("st_ino", "stx_ino");
  }

  // strace names and orders them in its own way.
  void clone_arguments(const std::vector<std::string>& args, Event& e) {
    std::string all;
    for (const std::string& arg : args) all += (all.empty() ? "" : ", ") + arg;
    auto value = [&](std::string_view name) {
      const auto text = member(all, name);
      return text ? constant(*text).value_or(0) : 0;
    };
    clone_flags_ = value("flags");
    if (e.nr == SYS_clone && member(all, "flags")) e.args = {clone_flags_, value("child_stack"), value("parent_tid"), value("child_tidptr"), value("tls"), 0};
  }

  void descriptors(const std::vector<std::string>& args, Event& e, Strings& strings) {
    const std::string& text = e.nr == SYS_socketpair ? args.back() : args.front();
    std::string_view at = text;
    if (!take(at, "[")) return;
    const auto first = take_decimal(at);
    if (!first || !take(at, ", ")) return;
    const auto second = take_decimal(at);
    if (!second) return;
    const int32_t fds[2] = {static_cast<int32_t>(*first), static_cast<int32_t>(*second)};
    strings.data.assign(reinterpret_cast<const char*>(fds), sizeof fds);
    e.flags |= kHasData;
    e.data_kind = DataKind::kFds;
  }

  void happened(const Event& e, const std::vector<std::string>& args, Strings& strings) {
    const uint64_t end_ns = e.ts_ns + e.dur_ns;
    const bool is_exec = e.nr == SYS_execve || e.nr == SYS_execveat;
    if (is_exec && e.ret == 0 && !e.has(kNoExit)) {
      std::vector<std::string> argv;
      const size_t at = e.nr == SYS_execve ? 1 : 2;
      std::string_view list = at < args.size() ? std::string_view(args[at]) : "";
      if (take(list, "["))
        while (auto word = take_quoted(list)) {
          argv.push_back(std::move(word->text));
          if (!take(list, ", ")) break;
        }
      builder_.exec(e.tid, end_ns, strings.path.empty() ? "" : strings.path[0], std::move(argv));
    }
    const std::string* path[2] = {};
    for (size_t k = 0; k < strings.path.size(); ++k)
      if (!(missing_ >> k & 1)) path[k] = &strings.path[k];
    missing_ = 0;
    builder_.add(e, path[0], path[1], e.has(kHasData) ? &strings.data : nullptr);
    const bool is_clone = e.nr == SYS_clone || e.nr == SYS_clone3;
    if ((is_clone || e.nr == SYS_fork || e.nr == SYS_vfork) && e.ret > 0) {
      const auto tid = static_cast<int32_t>(e.ret);
      children_.insert(tid);
      builder_.child(e.tid, tid, is_clone && (clone_flags_ & kCloneThread), e.nr, end_ns);
    }
  }

  ImportBuilder builder_;
  std::string name_;
  std::map<int32_t, Pending> pending_;
  std::set<int32_t> children_;
  std::set<std::string> unknown_;
  std::optional<int32_t> main_is_;
  uint64_t clock_ns_ = 0, first_ns_ = 0, clone_flags_ = 0;
  uint32_t missing_ = 0;  // string arguments of the present call that the text shows as a pointer
  bool unnamed_ = false, saw_time_ = false, saw_epoch_ = false, saw_duration_ = false;
};

}  // namespace

Result<ImportReport> import_strace(std::istream& text, const std::string& name, const std::string& output) {
  StraceImport import(name);
  for (std::string line; std::getline(text, line);) import.line(line);
  if (text.bad()) return error("{}: read: {}", name, strerror(errno));
  return import.finish(output);
}

}  // namespace sysvm
