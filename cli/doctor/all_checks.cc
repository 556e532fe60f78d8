// SPDX-License-Identifier: MIT
// The report, check by check. Tested by tests/cli/doctor_test.py.
#include "cli/doctor/check.h"

namespace sysvm::doctor {

std::vector<Check> all_checks() {
  return {check_kernel(),  check_btf(),      check_bpf(),      check_ptrace(), check_cgroup2(),
          check_libc(),    check_vdso(),     check_filter(),   check_tracer(), check_module(),
          check_headers(), check_lockdown(), check_isolation()};
}

}  // namespace sysvm::doctor
