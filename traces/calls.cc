// SPDX-License-Identifier: MIT
#include "traces/calls.h"

#include "uapi/syscalls.h"

namespace sysvm {

std::vector<CallInfo> known_calls() {
  std::vector<CallInfo> calls;
  for (uint32_t nr = 0; nr < SYSVM_NR_END; ++nr) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    if (!row) continue;
    CallInfo call{static_cast<int32_t>(nr), row->name, {}, sysvm_result_name(row->result)};
    for (int i = 0; i < row->nargs; ++i) {
      std::string kind = sysvm_kind_name(row->arg[i].kind);
      switch (row->arg[i].kind) {
        case SYSVM_KIND_IN:
        case SYSVM_KIND_OUT:
        case SYSVM_KIND_OUTN:
        case SYSVM_KIND_INS:
        case SYSVM_KIND_OUTS:
        case SYSVM_KIND_IOV_IN:
        case SYSVM_KIND_IOV_OUT: kind += "(" + std::to_string(row->arg[i].param) + ")"; break;
        default: break;
      }
      call.args.push_back(std::move(kind));
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace sysvm
