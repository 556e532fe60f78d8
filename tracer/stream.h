// SPDX-License-Identifier: MIT
// What a backend (eBPF or ptrace) reports while it traces, and who listens.
//
// Order: the fork or exec that makes an image comes before all its events; the events of one thread come in
// order of return, and its end after them. String views live until the call ends. A view without data() means
// "no string".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "traces/event.h"

namespace sysvm {

struct ExecInfo {
  int32_t pid = 0;
  int32_t parent = 0;
  int32_t old_tid = 0;  // the thread that called; its id is pid from now on
  uint64_t ts_ns = 0;
  std::string name;  // as given to execve
  std::string exe;   // the file that runs: name, or the interpreter of a script
  std::vector<std::string> argv;
  uint64_t start_code = 0;   // where the executable's text begins, 0 if unknown
  uint64_t interp_base = 0;  // where ld.so is, 0 if there is none
};

// What belongs to a call beside its numbers.
struct CallText {
  std::string_view path[2];
  std::string_view data;  // of an event with flag kHasData
};

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void on_call(const Event& event, const CallText& text) = 0;
  // A call that was not asked for, and has no number: reported only for the mapping of code that it made.
  virtual void on_hidden(const Event&) {}
  virtual void on_fork(int32_t pid, int32_t parent, uint64_t ts_ns) = 0;
  virtual void on_exec(const ExecInfo& exec) = 0;
  virtual void on_thread_end(const ThreadEnd&) {}
  virtual void on_held(const Throttle&) {}
  virtual void on_exit(int32_t pid, uint64_t ts_ns, int32_t status) = 0;
};

}  // namespace sysvm
