// SPDX-License-Identifier: MIT
#include "tracer/call_filter.h"

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "common/did_you_mean.h"
#include "uapi/syscalls.h"

namespace sysvm {

namespace {

// Classes that the arguments' kinds do not tell: expressions over names, after strace's own table.
struct Class {
  std::string_view name;
  const char* names;
};
constexpr Class kClasses[] = {
    {"network",
     "(sock|bind|connect|listen|accept|getsockname|getpeername|send(to|msg|mmsg|file)$|recv(from|msg|mmsg)$|"
     "shutdown|setsockopt|getsockopt).*"},
    {"net", nullptr},  // strace's short form of network
    {"process",
     "(clone|clone3|fork|vfork|execve|execveat|exit|exit_group|wait4|waitid|kill|tkill|tgkill|"
     "rt_sigqueueinfo|rt_tgsigqueueinfo|pidfd_open|pidfd_send_signal|arch_prctl|unshare)"},
    {"signal", "(rt_sig.*|signalfd4?|sigaltstack|kill|tkill|tgkill|pause|pidfd_send_signal)"},
    {"ipc", "(msg(get|snd|rcv|ctl)|sem(get|op|ctl|timedop)|shm(get|at|dt|ctl)|mq_.*)"},
    {"memory",
     "(brk|mmap|munmap|mremap|mprotect|pkey_mprotect|madvise|process_madvise|mincore|mlock.*|munlock.*|"
     "msync|mbind|move_pages|migrate_pages|[gs]et_mempolicy.*|remap_file_pages|shmat|shmdt|userfaultfd)"},
    {"creds",
     "((get|set)(uid|gid|euid|egid|resuid|resgid|reuid|regid|fsuid|fsgid|groups)|capget|capset|prctl)"},
    {"clock", "(clock_.*|adjtimex|gettimeofday|settimeofday|time)"},
    {"stat", "(stat|newfstatat|statx)"},
    {"lstat", "(lstat|newfstatat|statx)"},
    {"fstat", "(fstat|newfstatat|statx)"},
    {"statfs", "(statfs|ustat)"},
    {"fstatfs", "(fstatfs)"},
    {"pure", "(get(pid|ppid|tid|uid|gid|euid|egid|pgrp|pgid|sid))"},
};

CallSet by_names(const char* expression) {
  const std::regex pattern(expression, std::regex::extended);
  CallSet out;
  for (uint32_t nr = 0; nr < TRACE_NRS; ++nr)
    if (const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr))
      out[nr] = std::regex_match(row->name, pattern);
  return out;
}

CallSet with_argument(std::initializer_list<uint16_t> kinds) {
  CallSet out;
  for (uint32_t nr = 0; nr < TRACE_NRS; ++nr) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    for (int i = 0; row && i < row->nargs; ++i)
      if (std::find(kinds.begin(), kinds.end(), row->arg[i].kind) != kinds.end()) out[nr] = true;
  }
  return out;
}

Result<CallSet> calls_of_class(std::string_view name) {
  if (name == "file") return with_argument({SYSVM_KIND_PATH});
  if (name == "desc") return with_argument({SYSVM_KIND_FD, SYSVM_KIND_DIRFD});
  for (const Class& c : kClasses)
    if (c.name == name) return by_names(c.names ? c.names : kClasses[0].names);
  return error(
      "-e: no class %{}; there are file, desc, network, process, signal, ipc, memory, creds, clock, stat, "
      "lstat, fstat, statfs, fstatfs, pure",
      name);
}

Result<CallSet> calls_of_word(std::string_view word) {
  const bool maybe = word.starts_with('?');
  if (maybe) word.remove_prefix(1);
  if (word == "all") return CallSet().set();
  if (word == "none") return CallSet();
  if (word.starts_with('%')) return calls_of_class(word.substr(1));
  if (word.starts_with('/')) {
    CallSet out;
    try {
      const std::regex pattern{std::string(word.substr(1)), std::regex::extended};
      for (uint32_t nr = 0; nr < TRACE_NRS; ++nr)
        if (const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr))
          out[nr] = std::regex_search(row->name, pattern);
    } catch (const std::regex_error& e) {
      return error("-e: {}: {}", word, e.what());
    }
    if (out.none() && !maybe) return error("-e: no call's name matches {}", word);
    return out;
  }
  CallSet out;
  for (uint32_t nr = 0; nr < TRACE_NRS; ++nr)
    if (const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr); row && word == row->name) out[nr] = true;
  if (out.none() && !maybe) {
    std::vector<std::string> known;
    for (uint32_t nr = 0; nr < TRACE_NRS; ++nr)
      if (const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr)) known.emplace_back(row->name);
    return error("-e: there is no system call '{}'{}", word, did_you_mean(word, known));
  }
  return out;
}

}  // namespace

Result<> add_filter(std::string_view expression, CallSet& wanted) {
  if (const size_t equals = expression.find('='); equals != std::string_view::npos) {
    const std::string_view what = expression.substr(0, equals);
    if (what != "trace" && what != "t")
      return error("-e: '{}=' is not known here; expected trace=SET (or just SET)", what);
    expression.remove_prefix(equals + 1);
  }
  bool all_but = false;
  while (expression.starts_with('!')) {
    all_but = !all_but;
    expression.remove_prefix(1);
  }
  if (expression.empty()) return error("-e: expected names of calls, e.g. -e openat,close or -e trace=%file");
  CallSet named;
  while (!expression.empty()) {
    // A regular expression goes up to the end: it may contain commas.
    const size_t comma = expression.starts_with('/') ? std::string_view::npos : expression.find(',');
    named |= TRY(calls_of_word(expression.substr(0, comma)));
    expression.remove_prefix(comma == std::string_view::npos ? expression.size() : comma + 1);
  }
  wanted |= all_but ? ~named : named;
  return Unit{};
}

}  // namespace sysvm
