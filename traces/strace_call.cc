// SPDX-License-Identifier: MIT
#include "traces/strace_call.h"

#include <sys/syscall.h>

#include <algorithm>

#include "traces/calls32.h"
#include "traces/import_builder.h"
#include "traces/strace_args.h"
#include "traces/strace_prefix.h"
#include "traces/symbols.h"

namespace sysvm {

namespace {

constexpr int32_t kX32Bit = 0x40000000;

void unknown_arg(Event& e, size_t i, bool pointer) {
  e.args[i] = pointer ? kPointerUnknown : 0;
  e.flags |= kUnknownArg0 << i;
  if (!pointer) e.flags |= kUnknownValue;
}

void unknown_result(Event& e, bool failed) {
  e.ret = failed ? kUnknownError : 0;
  e.flags |= kUnknownRet | kUnknownValue;
}

bool is_pointer(std::string_view kind) {
  for (const char* const name : {"PTR", "PATH", "STR", "IN", "OUT", "IOV", "MSG"})
    if (kind.starts_with(name)) return kind != "INT";
  return false;
}

// What each call is about: names, kinds of arguments, the table it is of.
struct Named {
  int32_t nr = -1;
  const CallInfo* info = nullptr;  // of x86-64; of i386's calls those that it has too
  bool compat = false, only_32 = false;
};

std::optional<Named> find_call(std::string_view name, StraceAbi abi) {
  Named out;
  std::string_view number = name;
  std::optional<uint64_t> value;
  if (take(number, "syscall_0x"))
    value = constant("0x" + std::string(number));
  else if (take(number, "syscall_") || take(number, "SYS_"))
    value = constant(number);
  if (value) {
    // No table has such numbers: -1 stands for a signal in a trace, and is what is left of a call that was
    // refused.
    if (*value > 0x7fffffff) return std::nullopt;
    out.nr = static_cast<int32_t>(*value);
    out.compat = abi == StraceAbi::k32;
    if (!out.compat) out.info = ImportBuilder::call(out.nr);
    return out;
  }
  const int32_t here = ImportBuilder::number_of(name), there = call32_number(name);
  if (abi == StraceAbi::k32 || here < 0) {
    if (there < 0 && here < 0) return std::nullopt;
    if (there >= 0) {
      out.nr = there;
      out.compat = true;
      out.only_32 = here < 0;
      out.info = ImportBuilder::call(ImportBuilder::number_of(call32_same_as(name)));
      return out;
    }
  }
  out.nr = abi == StraceAbi::kX32 ? here | kX32Bit : here;
  out.info = ImportBuilder::call(here);
  return out;
}

// The kernel's own codes, which strace shows and the program never sees.
bool restarted(std::string_view text, Event& e) {
  static constexpr std::pair<std::string_view, int> kRestarts[] = {
      {"ERESTARTSYS", 512}, {"ERESTARTNOINTR", 513}, {"ERESTARTNOHAND", 514}, {"ERESTART_RESTARTBLOCK", 516}};
  const std::string_view word = text.substr(0, text.find(' '));
  for (const auto& [name, code] : kRestarts)
    if (word == name) {
      e.ret = -code;
      e.flags |= kRestarted;
      return true;
    }
  return false;
}

// "ENOENT (No such file or directory)", "ENOTSUPP (Unknown error 524)", "(errno 524)", "E??? (Unknown error
// 530)"
void take_error(std::string_view text, Event& e) {
  auto failed_with = [&](uint64_t number) {
    if (number == 0 || number >= 4095) return unknown_result(e, true);
    e.ret = -static_cast<int64_t>(number);
  };
  const std::string_view name = text.substr(0, text.find(' '));
  if (const auto number = errno_value(name)) return failed_with(static_cast<uint64_t>(*number));
  for (const std::string_view before : {"(errno ", "errno ", "Unknown error "})
    if (const size_t at = text.find(before); at != std::string_view::npos) {
      std::string_view digits = text.substr(at + before.size());
      const auto number = take_decimal(digits);
      if (number && (digits.empty() || digits.front() == ')')) return failed_with(*number);
    }
  unknown_result(e, true);
}

// What a program wrote to the terminal while its write was under way stands where the size does: write(1,
// "ab\n", 3ab
bool printed_over(std::string_view text, std::string_view written, int64_t ret, uint64_t& size) {
  const std::string digits = std::to_string(ret);
  if (ret <= 0 || !take(text, digits)) return false;
  const std::string_view shown = written.substr(0, std::min(written.size(), static_cast<size_t>(ret)));
  if (text.empty() || text.substr(0, shown.size()) != shown.substr(0, text.size())) return false;
  size = static_cast<uint64_t>(ret);
  return true;
}

class Parser {
 public:
  Parser(std::string_view text, StraceAbi abi) : text_(text), abi_(abi) {}

  std::optional<StraceCall> parse(StraceProblem& problem) {
    problem = {StraceProblem::kNotUnderstood, {}};
    const size_t length = name_length(text_);
    const std::string_view name = text_.substr(0, length);
    if (length == 0 || length == text_.size() || text_[length] != '(') return std::nullopt;
    text_.remove_prefix(length + 1);
    const auto args = take_arguments(text_);
    if (!args) return std::nullopt;
    skip_blanks(text_);
    if (!take(text_, "=")) return std::nullopt;
    skip_blanks(text_);
    const auto named = find_call(name, abi_);
    if (!named) {
      problem = {StraceProblem::kUnknownCall, std::string(name)};
      return std::nullopt;
    }
    named_ = *named;
    Event& e = out_.event;
    e.nr = named_.nr;
    out_.only_32 = named_.only_32;
    if (named_.compat) e.flags |= kCompat;
    if (!take_result()) return std::nullopt;
    take_values(*args);
    const int32_t what = named_.info ? named_.info->nr : -1;
    if (what == SYS_clone || what == SYS_clone3) clone_arguments(*args, what);
    if ((what == SYS_pipe || what == SYS_pipe2 || what == SYS_socketpair) && e.ret == 0 && !e.has(kNoExit))
      descriptors(*args, what);
    out_.is_exec = what == SYS_execve || what == SYS_execveat;
    out_.is_wait = what == SYS_wait4;
    if (out_.is_exec) exec_arguments(*args, what == SYS_execve ? 1 : 2);
    const bool makes = what == SYS_clone || what == SYS_clone3 || what == SYS_fork || what == SYS_vfork;
    if (makes && e.ret > 0 && !out_.made)
      out_.made =
          e.ret <= static_cast<int64_t>(kPidMax) ? std::optional(static_cast<int32_t>(e.ret)) : std::nullopt;
    if (!makes) out_.made.reset();
    if (what == SYS_fork || what == SYS_vfork) out_.makes_thread = false;
    problem = {};
    return std::move(out_);
  }

 private:
  bool take_result() {
    Event& e = out_.event;
    if (text_.ends_with('>')) {  // -T
      const size_t open = text_.rfind(" <");
      if (open != std::string_view::npos) {
        std::string_view inside = text_.substr(open + 2);
        if (const auto ns = take_seconds(inside); ns && inside == ">") {
          e.dur_ns = *ns;
          out_.timed = true;
          text_ = text_.substr(0, open);
        }
      }
    }
    if (take(text_, "?")) {
      skip_blanks(text_);
      if (text_.starts_with("(not known)")) {  // as strace_text.h writes it
        unknown_result(e, false);
        return true;
      }
      if (!restarted(text_, e)) e.flags |= kNoExit;
      return true;
    }
    if (std::string_view error = text_; take(error, "-1 ")) {
      skip_blanks(error);
      if (restarted(error, e)) return true;
      take_error(error, e);
      return true;
    }
    // "in strace's PID NS": a child's number as the log has it elsewhere.
    if (const size_t at = text_.find(" in strace's PID NS"); at != std::string_view::npos)
      if (const size_t open = text_.rfind("/* ", at); open != std::string_view::npos) {
        std::string_view number = text_.substr(open + 3);
        if (const auto pid = take_decimal(number); pid && *pid > 0 && *pid <= kPidMax)
          out_.made = static_cast<int32_t>(*pid);
      }
    const auto value = constant(text_.substr(0, text_.find_first_of(" <")));
    if (!value) return false;
    e.ret = static_cast<int64_t>(*value);
    if (e.ret < 0 && e.ret >= -4095) unknown_result(e, true);  // "-1" alone: it failed, and nothing says why
    return true;
  }

  void take_values(const std::vector<std::string>& args) {
    Event& e = out_.event;
    const CallInfo* const info = named_.info;
    const size_t expected = info ? info->args.size() : 6;
    size_t strings = 0;
    for (size_t i = 0; i < std::min<size_t>(std::max(args.size(), expected), 6); ++i) {
      const std::string_view kind = info && i < info->args.size() ? std::string_view(info->args[i]) : "";
      const bool is_string = (kind == "PATH" || kind == "STR") && strings++ < 2;
      if (is_string) out_.strings.emplace_back();
      std::string_view text = i < args.size() ? std::string_view(args[i]) : "";
      if (text.empty()) {  // strace leaves out what a call ignores; a cut text has the rest nowhere
        if (e.has(kNoExit) && i < expected) unknown_arg(e, i, is_pointer(kind));
        continue;
      }
      if (info && i >= expected) break;
      if (!text.starts_with('"'))
        if (const size_t in_out = text.find(" => "); in_out != std::string_view::npos)
          text = text.substr(0, in_out);
      if (const size_t word = name_length(text); word && word < text.size() && text[word] == '=')
        text.remove_prefix(word + 1);
      if (text.starts_with('"')) {
        unknown_arg(e, i, true);
        auto quoted = take_quoted(text);
        if (!quoted) continue;
        if (is_string) {
          if (quoted->cut) e.flags |= kPathCut;
          out_.strings.back() = std::move(quoted->text);
        } else if ((kind.starts_with("IN(") || kind.starts_with("OUT(")) && !e.has(kHasData) &&
                   !e.has(kNoExit)) {
          e.flags |= kHasData;
          e.data_kind = DataKind::kBytes;
          out_.data = std::move(quoted->text);
        }
        continue;
      }
      if (text.starts_with('{') || text.starts_with('[') || text.starts_with("~[")) {
        unknown_arg(e, i, true);
        if (kind.starts_with("OUTS") && e.ret == 0 && !e.has(kNoExit) && !e.has(kUnknownRet)) take_stat(text);
        continue;
      }
      std::vector<std::string> unknown;
      if (const auto value = constant(text, &unknown)) {
        e.args[i] = *value;
      } else if (!(kind == "SIZE" && e.data_kind == DataKind::kBytes &&
                   printed_over(text, out_.data, e.ret, e.args[i]))) {
        unknown_arg(e, i, false);
      }
      out_.unknown.insert(unknown.begin(), unknown.end());
    }
  }

  void take_stat(std::string_view text) {
    Event& e = out_.event;
    auto number = [&](std::string_view first, std::string_view second) -> std::optional<uint64_t> {
      auto found = member(text, first);
      if (!found) found = member(text, second);
      return found ? constant(*found) : std::nullopt;
    };
    const auto mode = number("st_mode", "stx_mode"), size = number("st_size", "stx_size");
    if (!mode) return;
    // Devices have no size; what else the text leaves out (without -v) is 0, as nothing takes it for a fact.
    e.flags |= kHasStat;
    e.st_mode = static_cast<uint32_t>(*mode);
    e.st_size = size.value_or(0);
    e.st_dev = number("st_dev", "stx_dev").value_or(0);
    e.st_ino = number("st_ino", "stx_ino").value_or(0);
  }

  // strace names clone's arguments and orders them in its own way.
  void clone_arguments(const std::vector<std::string>& args, int32_t what) {
    Event& e = out_.event;
    std::string all;
    for (const std::string& arg : args) all += (all.empty() ? "" : ", ") + arg;
    const auto flags = member(all, "flags");
    std::optional<uint64_t> value;
    if (flags) {
      value = constant(*flags, nullptr);
      // One name that is not known here does not hide the others.
      const std::string padded = "|" + std::string(*flags) + "|";
      if (value)
        out_.makes_thread = (*value & 0x10000) != 0;
      else
        out_.makes_thread = padded.find("|CLONE_THREAD|") != std::string::npos;
    } else if (what == SYS_clone && !args.empty()) {  // -e raw=clone: the registers as they are
      if (const auto raw = constant(args[0])) out_.makes_thread = (*raw & 0x10000) != 0;
    }
    if (what != SYS_clone || !flags) return;
    static constexpr const char* kNames[] = {"flags", "child_stack", "parent_tid", "child_tidptr", "tls"};
    e.flags &= ~(kUnknownArg0 | kUnknownArg1 | kUnknownArg2 | kUnknownArg3 | kUnknownArg4 | kUnknownArg5 |
                 (e.has(kUnknownRet) ? 0u : uint32_t{kUnknownValue}));
    e.args = {};
    for (size_t i = 0; i < std::size(kNames); ++i) {
      auto text = member(all, kNames[i]);
      if (!text && i == 2) text = member(all, "parent_tidptr");
      if (!text) continue;
      if (const auto v = constant(*text))
        e.args[i] = *v;
      else
        unknown_arg(e, i, i > 0);
    }
  }

  void descriptors(const std::vector<std::string>& args, int32_t what) {
    if (args.empty()) return;
    std::string_view at = what == SYS_socketpair ? args.back() : args.front();
    if (!take(at, "[")) return;
    const auto first = take_decimal(at);
    if (!first || !take(at, ",")) return;
    skip_blanks(at);
    const auto second = take_decimal(at);
    if (!second || *first > INT32_MAX || *second > INT32_MAX) return;
    const int32_t fds[2] = {static_cast<int32_t>(*first), static_cast<int32_t>(*second)};
    out_.data.assign(reinterpret_cast<const char*>(fds), sizeof fds);
    out_.event.flags |= kHasData;
    out_.event.data_kind = DataKind::kFds;
  }

  void exec_arguments(const std::vector<std::string>& args, size_t at) {
    std::string_view list = at < args.size() ? std::string_view(args[at]) : "";
    if (!take(list, "[")) return;
    while (auto word = take_quoted(list)) {
      out_.argv.push_back(std::move(word->text));
      if (!take(list, ", ")) break;
    }
  }

  std::string_view text_;
  StraceAbi abi_;
  Named named_;
  StraceCall out_;
};

}  // namespace

std::optional<StraceCall> parse_strace_call(std::string_view text, StraceAbi abi, StraceProblem& problem) {
  return Parser(text, abi).parse(problem);
}

}  // namespace sysvm
