// SPDX-License-Identifier: MIT
#include "traces/strace_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "traces/calls32.h"
#include "traces/descriptors.h"
#include "uapi/syscalls.h"

namespace sysvm {

namespace {

struct Flag {
  uint64_t value;
  const char* name;
};
#define F(name) \
  { static_cast<uint64_t>(name), #name }

// Largest first where one contains another (O_SYNC has O_DSYNC's bit, O_TMPFILE has O_DIRECTORY's).
constexpr Flag kOpen[] = {
    F(O_TMPFILE),   F(O_SYNC),     F(O_CREAT),   F(O_EXCL),    F(O_NOCTTY), F(O_TRUNC),
    F(O_APPEND),    F(O_NONBLOCK), F(O_DSYNC),   F(O_ASYNC),   F(O_DIRECT), {0100000, "O_LARGEFILE"},
    F(O_DIRECTORY), F(O_NOFOLLOW), F(O_NOATIME), F(O_CLOEXEC), F(O_PATH)};
constexpr Flag kAt[] = {F(AT_SYMLINK_NOFOLLOW),
                        F(AT_REMOVEDIR),
                        F(AT_SYMLINK_FOLLOW),
                        F(AT_NO_AUTOMOUNT),
                        F(AT_EMPTY_PATH),
                        {0x2000, "AT_STATX_FORCE_SYNC"},
                        {0x4000, "AT_STATX_DONT_SYNC"}};
constexpr Flag kAccess[] = {F(R_OK), F(W_OK), F(X_OK)};
constexpr Flag kFaccessat[] = {{0x200, "AT_EACCESS"}, F(AT_SYMLINK_NOFOLLOW), F(AT_EMPTY_PATH)};
constexpr Flag kProt[] = {F(PROT_READ), F(PROT_WRITE), F(PROT_EXEC)};
constexpr Flag kMap[] = {F(MAP_SHARED),    F(MAP_PRIVATE),   F(MAP_FIXED),
                         F(MAP_ANONYMOUS), F(MAP_DENYWRITE), F(MAP_NORESERVE),
                         F(MAP_POPULATE),  F(MAP_STACK),     {0x100000, "MAP_FIXED_NOREPLACE"}};
constexpr Flag kStatxMask[] = {{0xfff, "STATX_ALL"},   {0x7ff, "STATX_BASIC_STATS"}, {1, "STATX_TYPE"},
                               {2, "STATX_MODE"},      {4, "STATX_NLINK"},           {8, "STATX_UID"},
                               {16, "STATX_GID"},      {32, "STATX_ATIME"},          {64, "STATX_MTIME"},
                               {128, "STATX_CTIME"},   {256, "STATX_INO"},           {512, "STATX_SIZE"},
                               {1024, "STATX_BLOCKS"}, {2048, "STATX_BTIME"},        {4096, "STATX_MNT_ID"}};
constexpr Flag kPipe[] = {F(O_CLOEXEC), F(O_DIRECT), F(O_NONBLOCK)};
constexpr Flag kFd[] = {F(FD_CLOEXEC)};
constexpr Flag kClone[] = {F(CLONE_VM),
                           F(CLONE_FS),
                           F(CLONE_FILES),
                           F(CLONE_SIGHAND),
                           F(CLONE_PIDFD),
                           F(CLONE_PTRACE),
                           F(CLONE_VFORK),
                           F(CLONE_PARENT),
                           F(CLONE_THREAD),
                           F(CLONE_NEWNS),
                           F(CLONE_SYSVSEM),
                           F(CLONE_SETTLS),
                           F(CLONE_PARENT_SETTID),
                           F(CLONE_CHILD_CLEARTID),
                           F(CLONE_UNTRACED),
                           F(CLONE_CHILD_SETTID),
                           F(CLONE_NEWCGROUP),
                           F(CLONE_NEWUTS),
                           F(CLONE_NEWIPC),
                           F(CLONE_NEWUSER),
                           F(CLONE_NEWPID),
                           F(CLONE_NEWNET),
                           F(CLONE_IO)};
#undef F

template <size_t N>
std::string flags(uint64_t value, const Flag (&names)[N], const char* zero = "0") {
  if (value == 0) return zero;
  std::string out;
  for (const Flag& f : names)
    if (f.value && (value & f.value) == f.value) {
      out += out.empty() ? "" : "|";
      out += f.name;
      value &= ~f.value;
    }
  if (value) out += fmt::format("{}{:#x}", out.empty() ? "" : "|", value);
  return out;
}

std::string open_flags(uint64_t value) {
  static const char* const kAccessMode[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string out = kAccessMode[value & O_ACCMODE];
  if (value & ~uint64_t{O_ACCMODE}) out += "|" + flags(value & ~uint64_t{O_ACCMODE}, kOpen);
  return out;
}

std::string one_of(int64_t value, std::initializer_list<const char*> names) {
  if (value >= 0 && value < static_cast<int64_t>(names.size())) return names.begin()[value];
  return std::to_string(value);
}

std::string si_code_name(int sig, int32_t code) {
  switch (code) {
    case SI_USER: return "SI_USER";
    case SI_KERNEL: return "SI_KERNEL";
    case SI_QUEUE: return "SI_QUEUE";
    case SI_TIMER: return "SI_TIMER";
    case SI_TKILL: return "SI_TKILL";
    default: break;
  }
  if (sig == SIGCHLD && code > 0)
    return one_of(code - 1,
                  {"CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"});
  if (sig == SIGSEGV && (code == SEGV_MAPERR || code == SEGV_ACCERR))
    return code == SEGV_MAPERR ? "SEGV_MAPERR" : "SEGV_ACCERR";
  return std::to_string(code);
}

std::string format_mode(uint32_t mode) {
  const char* type = S_ISREG(mode)    ? "S_IFREG"
                     : S_ISDIR(mode)  ? "S_IFDIR"
                     : S_ISLNK(mode)  ? "S_IFLNK"
                     : S_ISCHR(mode)  ? "S_IFCHR"
                     : S_ISBLK(mode)  ? "S_IFBLK"
                     : S_ISFIFO(mode) ? "S_IFIFO"
                     : S_ISSOCK(mode) ? "S_IFSOCK"
                                      : "0";
  return fmt::format("{}|{:#o}", type, mode & 07777);
}

std::string pointer(uint64_t value) { return value ? fmt::format("{:#x}", value) : "NULL"; }

// An argument that imported text does not show, or shows by what it points to.
const char* unknown(uint64_t value) { return value == kPointerUnknown ? "{...}" : "?"; }

// strace names the arguments of clone, in an order of its own, and only those that the flags say are used.
std::string format_clone(const Event& e) {
  if (!e.knows(0)) return "clone(child_stack=?, flags=?)";
  const uint64_t all = e.args[0], signal = all & 0xff, others = all & ~uint64_t{0xff};
  std::string out = fmt::format("clone(child_stack={}, flags=", pointer(e.args[1]));
  if (others || !signal) out += flags(others, kClone);
  if (signal) out += (others ? "|" : "") + signal_name(static_cast<int>(signal));
  auto value = [&](size_t i) { return e.knows(i) ? pointer(e.args[i]) : unknown(e.args[i]); };
  if (all & CLONE_PARENT_SETTID) out += ", parent_tid=" + value(2);
  if (all & CLONE_SETTLS) out += ", tls=" + value(4);
  if (all & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) out += ", child_tidptr=" + value(3);
  return out + ")";
}

// The argument of an exec that is the new image's argv; 6: none.
size_t argv_at(const Event& e) {
  if (e.ret != 0 || e.flags & (kNoExit | kUnknownRet)) return 6;
  return e.nr == SYSVM_NR_execve ? 1 : e.nr == SYSVM_NR_execveat ? 2 : 6;
}

// What an exec started.
const Process* image_of(const TraceInfo& info, const Event& e) {
  const Process* found = nullptr;
  for (const Process& p : info.processes)
    if (p.pid == e.pid && p.execed && p.start_ns >= e.ts_ns && (!found || p.start_ns < found->start_ns))
      found = &p;
  return found;
}

// The buffer of a read or write whose first bytes are in the trace.
bool shows_data(const Event& e, std::string_view kind, const TraceInfo& info) {
  return (kind.starts_with("IN(") || kind.starts_with("OUT(")) && e.has(kHasData) &&
         e.data_kind == DataKind::kBytes && e.data < info.strings.size();
}

std::string buffer(const Event& e, const std::string& bytes) {
  return quote(bytes) + (e.ret > static_cast<int64_t>(bytes.size()) ? "..." : "");
}

// A call of i386's table: what it has in common with x86-64's are its strings.
std::string format_compat(const TraceInfo& info, const Event& e) {
  const char* const name = call32_name(e.nr);
  const CallInfo* call = nullptr;
  if (name)
    for (const CallInfo& c : info.header.calls)
      if (c.name == call32_same_as(name)) call = &c;
  std::string out = call32_label(e.nr) + '(';
  size_t strings = 0;
  size_t nargs = call ? std::min<size_t>(call->args.size(), 6) : 6;
  if (name && !strcmp(name, "open") && !(e.args[1] & O_CREAT)) nargs = 2;
  for (size_t i = 0; i < nargs; ++i) {
    if (i) out += ", ";
    const std::string_view kind = call ? std::string_view(call->args[i]) : "PTR";
    const uint32_t id = (kind == "PATH" || kind == "STR") && strings < 2 ? e.path[strings++] : kNoString;
    if (id != kNoString && id < info.strings.size())
      out += quote(info.strings[id]);
    else if (!e.knows(i))
      out += unknown(e.args[i]);
    else if (kind == "DIRFD" || kind == "FD" || kind == "INT" || kind == "PID")
      out += std::to_string(static_cast<int32_t>(e.args[i]));
    else if (kind == "SIZE" || kind == "OFF" || kind == "UINT")
      out += std::to_string(e.args[i]);
    else if (kind == "FLAGS" || kind == "CMD")
      out += e.args[i] ? fmt::format("{:#x}", e.args[i]) : "0";
    else if (kind == "MODE")
      out += fmt::format("{:#o}", e.args[i]);
    else
      out += pointer(e.args[i]);
  }
  return out + ")";
}

// FLAGS, INT and UINT of the calls that people look at most; "" where there is nothing better than the
// number.
std::string named_value(int32_t nr, size_t arg, uint64_t raw) {
  const auto v = static_cast<uint32_t>(raw);
  switch (nr) {
    case SYSVM_NR_open: return arg == 1 ? open_flags(v) : "";
    case SYSVM_NR_openat: return arg == 2 ? open_flags(v) : "";
    case SYSVM_NR_newfstatat: return arg == 3 ? flags(v, kAt) : "";
    case SYSVM_NR_statx:
      return arg == 2 ? flags(v, kAt, "AT_STATX_SYNC_AS_STAT") : arg == 3 ? flags(v, kStatxMask) : "";
    case SYSVM_NR_unlinkat: return arg == 2 ? flags(v, kAt) : "";
    case SYSVM_NR_linkat: return arg == 4 ? flags(v, kAt) : "";
    case SYSVM_NR_access: return arg == 1 ? flags(v, kAccess, "F_OK") : "";
    case SYSVM_NR_faccessat: return arg == 2 ? flags(v, kAccess, "F_OK") : "";
    case SYSVM_NR_faccessat2:
      return arg == 2 ? flags(v, kAccess, "F_OK") : arg == 3 ? flags(v, kFaccessat) : "";
    case SYSVM_NR_mmap: return arg == 2 ? flags(v, kProt, "PROT_NONE") : arg == 3 ? flags(v, kMap) : "";
    case SYSVM_NR_mprotect: return arg == 2 ? flags(v, kProt, "PROT_NONE") : "";
    case SYSVM_NR_pipe2: return arg == 1 ? flags(v, kPipe) : "";
    case SYSVM_NR_dup3: return arg == 2 ? flags(v, kPipe) : "";
    case SYSVM_NR_lseek:
      return arg == 2 ? one_of(v, {"SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE"}) : "";
    case SYSVM_NR_fadvise64:
      return arg == 3 ? one_of(v, {"POSIX_FADV_NORMAL", "POSIX_FADV_RANDOM", "POSIX_FADV_SEQUENTIAL",
                                   "POSIX_FADV_WILLNEED", "POSIX_FADV_DONTNEED", "POSIX_FADV_NOREUSE"})
                      : "";
    case SYSVM_NR_rt_sigprocmask:
      return arg == 0 ? one_of(v, {"SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"}) : "";
    default: return "";
  }
}

}  // namespace

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) >= 127)
          out += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  return out + "\"";
}

std::string signal_name(int sig) {
  if (const char* name = sigabbrev_np(sig)) return std::string("SIG") + name;
  return sig >= 32 && sig <= 64 ? fmt::format("SIGRT_{}", sig - 32) : std::to_string(sig);
}

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name ? name : fmt::format("errno {}", error);
}

std::string ended(const Process& p) {
  if (!p.exit_status) return p.end_ns ? "exec" : "still ran";
  if (WIFSIGNALED(*p.exit_status)) return signal_name(WTERMSIG(*p.exit_status));
  return fmt::format("exit {}", WEXITSTATUS(*p.exit_status));
}

std::string format_result(const TraceInfo& info, const Event& e) {
  if (e.has(kNoExit)) return "?";
  if (e.has(kUnknownRet)) return e.ret < 0 ? "-1 E??? (error not known)" : "? (not known)";
  if (e.has(kRestarted)) {
    static const char* const kNames[] = {"ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "?",
                                         "ERESTART_RESTARTBLOCK"};
    // a file may say anything
    const bool known = e.ret <= -512 && e.ret > -512 - static_cast<int64_t>(std::size(kNames));
    return known ? fmt::format("? {}", kNames[-e.ret - 512]) : fmt::format("? {}", e.ret);
  }
  if (e.failed()) {
    const int error = static_cast<int>(-e.ret);
    const char* text = strerrordesc_np(error);
    return fmt::format("-1 {} ({})", errno_name(error), text ? text : "unknown error");
  }
  const CallInfo* call = e.has(kCompat) ? nullptr : info.call(e.nr);
  if (call && call->result == "ADDR") return pointer(static_cast<uint64_t>(e.ret));
  return std::to_string(e.ret);
}

std::string in_brackets(std::string_view path) {
  if (path.empty()) return {};
  const std::string quoted = quote(path);
  std::string out = "<";
  for (const char c : std::string_view(quoted).substr(1, quoted.size() - 2))
    out += c == '<' ? "\\74" : c == '>' ? "\\76" : std::string(1, c);
  return out + ">";
}

namespace {

std::string format_call_with(const TraceInfo& info, const Event& e, const Descriptors* fds) {
  auto name = [&](int32_t fd) { return in_brackets(fds ? fds->path(e.pid, fd) : std::string_view()); };
  if (e.has(kSignal))
    return !e.knows(1)
               ? fmt::format("--- {0} {{si_signo={0}}} ---", signal_name(static_cast<int>(e.args[0])))
               : fmt::format("--- {0} {{si_signo={0}, si_code={1}}} ---",
                             signal_name(static_cast<int>(e.args[0])),
                             si_code_name(static_cast<int>(e.args[0]), static_cast<int32_t>(e.args[1])));
  const CallInfo* call = e.has(kCompat) ? nullptr : info.call(e.nr);
  if (call && e.nr == SYSVM_NR_clone) return format_clone(e);
  if (e.has(kCompat)) return format_compat(info, e);
  std::string out = call ? call->name : fmt::format("syscall_{}", e.nr);
  out += '(';
  size_t nargs = call ? std::min<size_t>(call->args.size(), 6) : 6;
  // The mode of an open says nothing unless it creates.
  const size_t open_mode = e.nr == SYSVM_NR_open ? 2 : e.nr == SYSVM_NR_openat ? 3 : 6;
  if (call && nargs == open_mode + 1 && !(e.args[open_mode - 1] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))))
    --nargs;
  size_t strings = 0;
  const sysvm_command_info* command = nullptr;
  for (size_t i = 0; i < nargs; ++i) {
    if (i) out += ", ";
    const uint64_t v = e.args[i];
    const auto v32 = static_cast<int32_t>(v);
    const std::string_view kind = call ? std::string_view(call->args[i]) : "PTR";
    if (kind == "PATH" || kind == "STR") {
      const uint32_t id = strings < 2 ? e.path[strings] : kNoString;
      ++strings;
      if (id != kNoString && id < info.strings.size())
        out += quote(info.strings[id]) + (e.has(kPathCut) && info.strings[id].size() >= 4095 ? "..." : "");
      else
        out += e.knows(i) ? pointer(v) : unknown(v);
    } else if (e.has(kHasData) && e.data_kind == DataKind::kFds && kind.starts_with("OUT") &&
               e.data < info.strings.size() && info.strings[e.data].size() == 8) {
      int32_t fds[2];
      memcpy(fds, info.strings[e.data].data(), sizeof fds);
      out += fmt::format("[{}, {}]", fds[0], fds[1]);
    } else if (const Process* image = i == argv_at(e) ? image_of(info, e) : nullptr;
               image && !image->argv.empty()) {
      out += '[';
      for (size_t k = 0; k < image->argv.size(); ++k) out += (k ? ", " : "") + quote(image->argv[k]);
      out += ']';
    } else if (shows_data(e, kind, info)) {
      out += buffer(e, info.strings[e.data]);
    } else if (!e.knows(i) && !(kind.starts_with("OUTS") && e.has(kHasStat))) {
      out += unknown(v);
    } else if (kind == "DIRFD") {
      out += v32 == AT_FDCWD ? "AT_FDCWD" : std::to_string(v32) + name(v32);
    } else if (kind == "FD") {
      out += std::to_string(v32) + name(v32);
    } else if (std::string value = named_value(e.nr, i, v); call && !value.empty()) {
      out += value;
    } else if (command && command->arg.kind == SYSVM_KIND_INT) {
      out += std::to_string(v32);
    } else if (command && command->cmd == F_SETFD && e.nr == SYSVM_NR_fcntl) {
      out += flags(v, kFd);
    } else if (command && command->arg.kind >= SYSVM_KIND_PTR) {  // fcntl's own row says UINT
      out += pointer(v);
    } else if (kind == "INT" || kind == "PID") {
      out += std::to_string(v32);
    } else if (kind == "UINT") {
      out += std::to_string(static_cast<uint32_t>(v));
    } else if (kind == "SIZE") {
      out += std::to_string(v);
    } else if (kind == "OFF") {
      out += std::to_string(static_cast<int64_t>(v));
    } else if (kind == "MODE") {
      out += fmt::format("{:#o}", static_cast<uint32_t>(v));
    } else if (kind == "SIG") {
      out += v32 == 0 ? "0" : signal_name(v32);
    } else if (kind == "FLAGS") {
      out += v ? fmt::format("{:#x}", v) : "0";
    } else if (kind == "CMD") {
      if (e.nr == SYSVM_NR_fcntl) command = sysvm_fcntl_by_cmd(static_cast<uint32_t>(v));
      if (e.nr == SYSVM_NR_ioctl) command = sysvm_ioctl_by_cmd(static_cast<uint32_t>(v));
      out += command ? command->name : fmt::format("{:#x}", static_cast<uint32_t>(v));
      if (command && command->arg.kind == SYSVM_KIND_NONE) break;
    } else if (kind.starts_with("OUTS") && e.has(kHasStat)) {
      out += fmt::format("{{st_mode={}, st_size={}", format_mode(e.st_mode), e.st_size);
      if (e.st_dev) out += fmt::format(", st_dev=makedev({:#x}, {:#x})", major(e.st_dev), minor(e.st_dev));
      out += ", ...}";
    } else {
      out += pointer(v);
    }
  }
  return out + ")";
}

}  // namespace

std::string format_call(const TraceInfo& info, const Event& e) { return format_call_with(info, e, nullptr); }
std::string format_call(const TraceInfo& info, const Event& e, const Descriptors& fds) {
  return format_call_with(info, e, &fds);
}

}  // namespace sysvm
