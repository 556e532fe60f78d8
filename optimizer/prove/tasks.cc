// SPDX-License-Identifier: MIT
#include "optimizer/prove/tasks.h"

#include <linux/sched.h>

#include <algorithm>

#include "uapi/syscalls.h"

namespace sysvm {

Tasks::Tasks(const PackedTrace& trace) {
  for (const PackedEvent& e : trace.events) {
    if (e.tid() != e.pid()) threads_.insert(e.tid());
    const bool makes = e.nr() == SYSVM_NR_vfork || e.nr() == SYSVM_NR_fork || e.nr() == SYSVM_NR_clone ||
                       e.nr() == SYSVM_NR_clone3;
    if (makes && e.ret() > 0 && !(e.flags() & (kForkChild | kSignal)))
      made_by_[static_cast<int32_t>(e.ret())] = &e;
  }
  for (const Process& p : trace.processes)
    if (p.execed) execs_.emplace(p.pid, p.start_ns);
}

bool Tasks::shares_memory(const Process* image) const {
  if (!image || image->execed) return false;
  const auto made = made_by_.find(image->pid);
  if (made == made_by_.end()) return false;
  const PackedEvent& e = *made->second;
  return e.nr() == SYSVM_NR_vfork || (e.nr() == SYSVM_NR_clone && e.arg(0) & CLONE_VM) ||
         (e.nr() == SYSVM_NR_clone3 && waited_for_exec(e));
}

// A parent that returned only when its child had execed has used CLONE_VFORK.
bool Tasks::waited_for_exec(const PackedEvent& clone) const {
  const auto [from, to] = execs_.equal_range(static_cast<int32_t>(clone.ret()));
  return std::any_of(from, to, [&](const auto& exec) {
    return exec.second > clone.ts_ns() && exec.second <= clone.ts_ns() + clone.dur_ns() + 1000000;
  });
}

uint64_t Tasks::clone_flags(const PackedEvent& clone) const {
  if (threads_.contains(static_cast<int32_t>(clone.ret()))) return CLONE_VM | CLONE_FILES;
  return waited_for_exec(clone) ? CLONE_VM | CLONE_VFORK : 0;
}

}  // namespace sysvm
