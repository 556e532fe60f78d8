// SPDX-License-Identifier: MIT
// Can a program be run with fewer entries here? That needs a C library whose system calls can be seen, and a process
// that nobody else judges.
#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <sys/auxv.h>

#include "cli/doctor/check.h"

namespace sysvm::doctor {

Check check_libc() {
  Dl_info info{};
  const bool found = dladdr(reinterpret_cast<void*>(&gnu_get_libc_version), &info) != 0 && info.dli_fname;
  return {"libc", "run", found ? State::kOk : State::kMissing,
          fmt::format("glibc {}, {}", gnu_get_libc_version(), found ? info.dli_fname : "in no shared object"),
          found ? "" : "a dynamically linked glibc: sudo apt-get install --reinstall libc6"};
}

Check check_vdso() {
  if (getauxval(AT_SYSINFO_EHDR) != 0)
    return {"vdso", "run", State::kOk, "the clock is read without an entry", ""};
  return {"vdso", "run", State::kLimited, "no vDSO: results cannot be given an age, so nothing is run ahead",
          "boot without vdso=0"};
}

Check check_filter() { return judge_filter(read_text("/proc/self/status")); }
Check check_tracer() { return judge_tracer(read_text("/proc/self/status")); }

}  // namespace sysvm::doctor
