// SPDX-License-Identifier: MIT
// The backend for those who may not use eBPF: the same stream through PTRACE_GET_SYSCALL_INFO (Linux 5.3).
// Nothing is ever lost, for every call stops its thread twice; that makes a call some 10 to 80 us longer.
//
// Differences to eBPF: a call that seccomp refuses is seen with its entry; what runs setuid or setgid loses
// that. Tested by tests/tracer/, the same workloads as eBPF.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "tracer/call_table.h"
#include "tracer/spawn.h"
#include "tracer/stream.h"

namespace sysvm {

class PtraceSession {
 public:
  explicit PtraceSession(TraceSink& sink, const CallSet& wanted = CallSet().set(),
                         const Capture& capture = {});
  ~PtraceSession();
  // Of all that still run; the trace ends here. handle_stops() and ended() may still be asked, for how a
  // child ends.
  void let_go();

  Result<> trace_from_exec(pid_t child);  // a held child, beginning with its next successful exec
  Result<> add_process(pid_t pid);        // all threads of a running process

  // Handles every stop that is there now. Returns the number handled.
  size_t handle_stops();
  bool ended(pid_t pid, int* status) const;  // of a process that was traced
  size_t live_tasks() const;
  size_t seen_tasks() const { return seen_; }
  std::vector<ThreadEnd> threads_alive() const;  // how far the numbers of those go that are still traced

 private:
  struct Task;
  Task& new_task(pid_t tid, pid_t pid);
  void on_stop(Task& task, int status);
  void on_syscall_stop(Task& task);
  void on_new_task(Task& parent, pid_t tid, bool thread_possible);
  void on_exec(Task& task);
  void on_end(pid_t tid, int status);
  void emit(Task& task, uint32_t flags, int64_t ret);
  void read_strings(const Task& task, Event& e, const call_desc& desc, std::string* strings, CallText& text);
  void read_stat(const Task& task, Event& e, const call_desc& desc);
  bool read_data(const Task& task, Event& e, const call_desc& desc, std::string& out);
  void emit_signal(Task& task, int sig);
  void resume(Task& task, int sig = 0);
  bool detached(pid_t tid, int status);

  TraceSink& sink_;
  const CallSet wanted_;
  const Capture capture_;
  std::map<pid_t, std::unique_ptr<Task>> tasks_;
  std::set<pid_t> early_stops_;  // new threads that stopped before their parent reported them
  std::map<pid_t, int> exit_status_;
  size_t seen_ = 0;
  bool released_ = false;
};

}  // namespace sysvm
