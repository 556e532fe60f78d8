// SPDX-License-Identifier: MIT
#include "tracer/ptrace_session.h"

#include <dirent.h>
#include <elf.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tracer/bpf_records.h"
#include "tracer/supervisor.h"
#include "tracer/traced_memory.h"

namespace sysvm {

struct PtraceSession::Task {
  pid_t tid = 0;
  pid_t pid = 0;
  bool waiting = false;  // before the exec that the recording begins with
  bool in_call = false;
  bool fork_child = false;  // its return from fork has not been reported yet
  uint32_t seq = 0;
  Event call;
  uint64_t sp = 0;
  std::string exec_path;
};

namespace {

constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                          PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

long trace(int request, pid_t tid, unsigned long address, unsigned long data) {
  return ptrace(static_cast<__ptrace_request>(request), tid, reinterpret_cast<void*>(address),
                reinterpret_cast<void*>(data));
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A line of /proc/TID/status, as a number.
uint64_t status_field(pid_t tid, const char* name, int base) {
  const std::string text = slurp(fmt::format("/proc/{}/status", tid));
  const size_t at = text.find(std::string("\n") + name + ":");
  return at == std::string::npos ? 0 : strtoull(text.c_str() + at + 2 + strlen(name), nullptr, base);
}

}  // namespace

PtraceSession::PtraceSession(TraceSink& sink, const CallSet& wanted, const Capture& capture)
    : sink_(sink), wanted_(wanted), capture_(capture) {}

PtraceSession::~PtraceSession() { let_go(); }

void PtraceSession::let_go() {
  released_ = true;
  for (auto& [tid, task] : tasks_) {
    if (trace(PTRACE_INTERRUPT, tid, 0, 0) != 0) continue;
    int status;
    while (waitpid(tid, &status, __WALL) == tid && !detached(tid, status)) {
    }
  }
  tasks_.clear();
}

bool PtraceSession::detached(pid_t tid, int status) {
  if (!WIFSTOPPED(status)) {
    exit_status_[tid] = status;
    return true;
  }
  const int sig = WSTOPSIG(status);
  const bool is_signal = (status >> 16) == 0 && sig != (SIGTRAP | 0x80);
  return trace(PTRACE_DETACH, tid, 0, is_signal ? static_cast<unsigned long>(sig) : 0) == 0;
}

PtraceSession::Task& PtraceSession::new_task(pid_t tid, pid_t pid) {
  auto& slot = tasks_[tid];
  slot = std::make_unique<Task>();
  slot->tid = tid;
  slot->pid = pid;
  ++seen_;
  return *slot;
}

Result<> PtraceSession::trace_from_exec(pid_t child) {
  // It is seized while it waits in read(2) and interrupted, so that its next stop is ours.
  if (trace(PTRACE_SEIZE, child, 0, kOptions) != 0 || trace(PTRACE_INTERRUPT, child, 0, 0) != 0)
    return error(
        "ptrace: cannot trace the command: {} (a container or /proc/sys/kernel/yama/ptrace_scope may forbid "
        "it)",
        strerror(errno));
  new_task(child, child).waiting = true;
  return Unit{};
}

Result<> PtraceSession::add_process(pid_t pid) {
  for (int pass = 0; pass < 2; ++pass) {  // The second finds threads made during the first.
    const std::string dir = fmt::format("/proc/{}/task", pid);
    DIR* threads = opendir(dir.c_str());
    if (!threads) return error("{}: {}", dir, strerror(errno));
    while (dirent* entry = readdir(threads)) {
      const pid_t tid = atoi(entry->d_name);
      if (tid <= 0 || tasks_.count(tid)) continue;
      if (trace(PTRACE_SEIZE, tid, 0, kOptions) != 0) {
        if (errno == ESRCH || pass > 0) continue;  // ended, or followed already as a child
        const int e = errno;
        closedir(threads);
        return error(
            "ptrace: cannot attach to thread {}: {} (another tracer, another user, or "
            "/proc/sys/kernel/yama/ptrace_scope)",
            tid, strerror(e));
      }
      trace(PTRACE_INTERRUPT, tid, 0, 0);
      new_task(tid, pid);
    }
    closedir(threads);
  }
  return Unit{};
}

std::vector<ThreadEnd> PtraceSession::threads_alive() const {
  std::vector<ThreadEnd> out;
  for (const auto& [tid, task] : tasks_)
    if (!task->waiting) out.push_back({tid, task->pid, 0, task->seq, true});
  return out;
}

size_t PtraceSession::live_tasks() const { return tasks_.size(); }

bool PtraceSession::ended(pid_t pid, int* status) const {
  auto it = exit_status_.find(pid);
  if (it == exit_status_.end()) return false;
  *status = it->second;
  return true;
}

void PtraceSession::resume(Task& task, int sig) {
  trace(PTRACE_SYSCALL, task.tid, 0, static_cast<unsigned long>(sig));
}

size_t PtraceSession::handle_stops() {
  size_t handled = 0;
  int status;
  pid_t tid;
  while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
    ++handled;
    if (released_) {  // made by a thread that was still to be let go
      (void)detached(tid, status);
      continue;
    }
    auto it = tasks_.find(tid);
    if (!WIFSTOPPED(status)) {
      on_end(tid, status);
    } else if (it == tasks_.end()) {
      early_stops_.insert(tid);
    } else {
      on_stop(*it->second, status);
    }
  }
  return handled;
}

void PtraceSession::on_end(pid_t tid, int status) {
  auto it = tasks_.find(tid);
  if (it == tasks_.end()) return;
  Task& task = *it->second;
  if (task.in_call && !task.waiting) emit(task, kNoExit, 0);
  if (!task.waiting) sink_.on_thread_end({task.tid, task.pid, boottime_ns(), task.seq, false});
  if (task.tid == task.pid) {
    exit_status_[task.pid] = status;
    if (!task.waiting) sink_.on_exit(task.pid, boottime_ns(), status);
  }
  tasks_.erase(it);
}

void PtraceSession::on_stop(Task& task, int status) {
  const int sig = WSTOPSIG(status);
  const int event = status >> 16;
  if (task.fork_child) {
    task.fork_child = false;
    if (!task.waiting) emit(task, kForkChild, 0);
  }
  unsigned long message = 0;
  switch (event) {
    case 0:
      if (sig == (SIGTRAP | 0x80)) {
        on_syscall_stop(task);
        resume(task);
      } else {
        emit_signal(task, sig);
        resume(task, sig);
      }
      return;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      if (trace(PTRACE_GETEVENTMSG, task.tid, 0, reinterpret_cast<unsigned long>(&message)) == 0)
        on_new_task(task, static_cast<pid_t>(message), event == PTRACE_EVENT_CLONE);
      break;
    case PTRACE_EVENT_EXEC: on_exec(task); break;
    case PTRACE_EVENT_EXIT:
      if (task.in_call && !task.waiting) emit(task, kNoExit, 0);
      task.in_call = false;
      break;
    case PTRACE_EVENT_STOP:
      if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
        trace(PTRACE_LISTEN, task.tid, 0, 0);  // A group stop: it stays stopped until SIGCONT.
        return;
      }
      break;
    default: break;
  }
  resume(task);
}

void PtraceSession::on_new_task(Task& parent, pid_t tid, bool thread_possible) {
  pid_t pid = tid;
  if (thread_possible)
    if (const uint64_t tgid = status_field(tid, "Tgid", 10)) pid = static_cast<pid_t>(tgid);
  Task& task = new_task(tid, pid);
  task.waiting = parent.waiting;
  task.fork_child = true;
  task.call = parent.call;
  task.sp = 0;
  if (pid == tid && !task.waiting) sink_.on_fork(pid, parent.pid, boottime_ns());
  if (early_stops_.erase(tid)) on_stop(task, PTRACE_EVENT_STOP << 16 | SIGTRAP << 8 | 0x7f);
}

void PtraceSession::on_exec(Task& leader) {
  // The stop is reported under the process id, whichever thread called exec; the others are gone.
  unsigned long old_tid = 0;
  trace(PTRACE_GETEVENTMSG, leader.tid, 0, reinterpret_cast<unsigned long>(&old_tid));
  const auto caller = static_cast<pid_t>(old_tid);
  if (caller && caller != leader.tid) {
    if (auto it = tasks_.find(caller); it != tasks_.end()) {
      leader.call = it->second->call;
      leader.in_call = it->second->in_call;
      leader.exec_path = it->second->exec_path;
      leader.sp = it->second->sp;
      sink_.on_thread_end({caller, leader.pid, boottime_ns(), it->second->seq, false});
      tasks_.erase(it);
    }
  }
  leader.waiting = false;
  ExecInfo exec;
  exec.pid = leader.pid;
  exec.parent = static_cast<int32_t>(status_field(leader.tid, "PPid", 10));
  exec.old_tid = caller;
  exec.ts_ns = boottime_ns();
  exec.name = leader.exec_path;
  char buffer[PATH_MAX];
  const ssize_t n = readlink(fmt::format("/proc/{}/exe", leader.tid).c_str(), buffer, sizeof buffer);
  exec.exe = n > 0 ? std::string(buffer, static_cast<size_t>(n)) : exec.name;
  std::ifstream cmdline(fmt::format("/proc/{}/cmdline", leader.tid), std::ios::binary);
  for (std::string word; std::getline(cmdline, word, '\0');) exec.argv.push_back(word);
  const std::string stat = slurp(fmt::format("/proc/{}/stat", leader.tid));
  if (size_t at = stat.rfind(')'); at != std::string::npos) {
    for (int field = 2; field < 26 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
    if (at != std::string::npos) exec.start_code = strtoull(stat.c_str() + at, nullptr, 10);
  }
  const std::string auxv = slurp(fmt::format("/proc/{}/auxv", leader.tid));
  for (size_t at = 0; at + sizeof(Elf64_auxv_t) <= auxv.size(); at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry;
    memcpy(&entry, auxv.data() + at, sizeof entry);
    if (entry.a_type == AT_BASE) exec.interp_base = entry.a_un.a_val;
  }
  sink_.on_exec(exec);
}

void PtraceSession::on_syscall_stop(Task& task) {
  __ptrace_syscall_info info{};
  if (trace(PTRACE_GET_SYSCALL_INFO, task.tid, sizeof info, reinterpret_cast<unsigned long>(&info)) <= 0)
    return;
  Event& e = task.call;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    e = Event{};
    e.nr = static_cast<int32_t>(info.entry.nr);
    for (size_t i = 0; i < e.args.size(); ++i) e.args[i] = info.entry.args[i];
    e.ip = info.instruction_pointer;
    task.sp = info.stack_pointer;
    e.flags = info.arch == AUDIT_ARCH_I386 ? uint32_t{kCompat} : 0;
    task.in_call = true;
    if ((e.nr == SYS_execve || e.nr == SYS_execveat) && !e.has(kCompat)) {
      bool cut = false;
      read_string(task.tid, e.args[e.nr == SYS_execveat ? 1 : 0], task.exec_path, cut);
    }
    e.ts_ns = boottime_ns();
    return;
  }
  if (info.op != PTRACE_SYSCALL_INFO_EXIT) return;
  uint32_t flags = 0;
  if (!task.in_call) {
    user_regs_struct regs;
    if (trace(PTRACE_GETREGS, task.tid, 0, reinterpret_cast<unsigned long>(&regs)) != 0) return;
    e = Event{};
    e.nr = static_cast<int32_t>(regs.orig_rax);
    e.args = {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9};
    e.ip = info.instruction_pointer;
    task.sp = info.stack_pointer;
    e.ts_ns = boottime_ns();
    flags = kNoEnter;
  }
  task.in_call = false;
  if (task.waiting) return;
  if (task.sp != info.stack_pointer)
    task.sp = 0;  // another image, or a signal's frame: nothing to read there
  emit(task, flags, info.exit.rval);
}

void PtraceSession::emit(Task& task, uint32_t flags, int64_t ret) {
  Event e = task.call;
  const uint64_t now = boottime_ns();
  if (flags & kForkChild) {
    e.ts_ns = now;
    e.ret = 0;
  }
  e.dur_ns = now - e.ts_ns;
  e.pid = task.pid;
  e.tid = task.tid;
  e.ret = ret;
  e.flags |= flags;
  if (ret <= -512 && ret >= -516) e.flags |= kRestarted;
  const bool known = !e.has(kCompat) && e.nr >= 0 && e.nr < TRACE_NRS;
  const call_desc desc = known ? describe_call(e.nr, wanted_, capture_) : call_desc{};
  if (known && desc.hidden) {
    sink_.on_hidden(e);
    return;
  }
  e.seq = task.seq++;
  CallText text;
  std::string strings[2], data;
  if (task.sp && !capture_.minimal && !(e.flags & (kNoExit | kCompat | kForkChild))) {
    read_memory(task.tid, task.sp, &e.caller, sizeof e.caller);
    if (known) {
      read_strings(task, e, desc, strings, text);
      if (ret == 0 && desc.stat != 0xff) read_stat(task, e, desc);
      if (ret >= 0 && desc.data != 0xff && read_data(task, e, desc, data)) text.data = data;
    }
  }
  sink_.on_call(e, text);
}

void PtraceSession::read_strings(const Task& task, Event& e, const call_desc& desc, std::string* strings,
                                 CallText& text) {
  for (size_t n = 0; n < 2 && desc.str[n] != 0xff; ++n) {
    bool cut = false;
    if (!e.args[desc.str[n]]) continue;
    if (read_string(task.tid, e.args[desc.str[n]], strings[n], cut))
      text.path[n] = strings[n];
    else
      e.flags |= kPathFault;
    if (cut) e.flags |= kPathCut;
  }
}

void PtraceSession::read_stat(const Task& task, Event& e, const call_desc& desc) {
  struct statx stx;
  struct stat st;
  if (desc.is_statx) {
    if (!read_memory(task.tid, e.args[desc.stat], &stx, sizeof stx)) return;
    e.st_mode = stx.stx_mode;
    e.st_size = stx.stx_size;
    e.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
    e.st_ino = stx.stx_ino;
  } else {
    if (!read_memory(task.tid, e.args[desc.stat], &st, sizeof st)) return;
    e.st_mode = st.st_mode;
    e.st_size = static_cast<uint64_t>(st.st_size);
    e.st_dev = st.st_dev;
    e.st_ino = st.st_ino;
  }
  e.flags |= kHasStat;
}

bool PtraceSession::read_data(const Task& task, Event& e, const call_desc& desc, std::string& out) {
  uint64_t address = e.args[desc.data], n = 1;
  if (desc.data_len == 0xfc) {
    msghdr message;
    if (!read_memory(task.tid, address, &message, sizeof message)) return false;
    address = reinterpret_cast<uint64_t>(message.msg_iov);
    n = message.msg_iovlen;
  } else if (desc.data_len == 0xfe) {
    n = static_cast<uint64_t>(e.ret);
  } else if (desc.data_len != 0xfd) {
    n = e.args[desc.data_len];
  }
  n = std::min<uint64_t>(std::min<uint64_t>(n, TRACE_DATA_MAX) * desc.data_size, desc.data_max);
  out.resize(n);
  if (!address || !n || !read_memory(task.tid, address, out.data(), n)) return false;
  e.flags |= kHasData;
  e.data_kind = static_cast<DataKind>(desc.data_kind);
  if (desc.data_kind == TRACE_DATA_RAW_DIRENTS) {
    e.data_kind = DataKind::kDirent;
    out = compact_dirents(out);
  }
  return true;
}

void PtraceSession::emit_signal(Task& task, int sig) {
  if (task.waiting) return;
  // A tracer also sees signals that the kernel would have dropped. Only those with an effect are reported.
  const uint64_t bit = 1ull << (sig - 1);
  const bool caught = status_field(task.tid, "SigCgt", 16) & bit;
  const bool ignored = status_field(task.tid, "SigIgn", 16) & bit;
  const bool harmless = sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH || sig == SIGCONT;
  if (ignored || (harmless && !caught)) return;
  siginfo_t info{};
  trace(PTRACE_GETSIGINFO, task.tid, 0, reinterpret_cast<unsigned long>(&info));
  Event e;
  e.ts_ns = boottime_ns();
  e.pid = task.pid;
  e.tid = task.tid;
  e.seq = task.seq++;
  e.nr = kSignalNr;
  e.args[0] = static_cast<uint64_t>(sig);
  e.args[1] = static_cast<uint64_t>(static_cast<int64_t>(info.si_code));
  e.flags = kSignal;
  sink_.on_call(e, {});
}

}  // namespace sysvm
