// SPDX-License-Identifier: MIT
// The kernel, its module, and what keeps a module out.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "cli/doctor/check.h"
#include "common/unique_fd.h"
#include "uapi/syscalls.h"
#include "uapi/sysvm.h"
#include "vm/opcodes.h"

namespace sysvm::doctor {

namespace {

utsname uname_of_this() {
  utsname name{};
  uname(&name);
  return name;
}

bool has_headers(std::string_view release) {
  return access(fmt::format("/lib/modules/{}/build/Makefile", release).c_str(), R_OK) == 0;
}

std::string_view takes_modules() {
  if (access("/proc/sys/kernel/modules_disabled", F_OK) != 0) return "no";
  return trimmed(read_text("/proc/sys/kernel/modules_disabled")) == "1" ? "disabled" : "yes";
}

std::string own_group() {
  const group* entry = getgrgid(getgid());
  return entry ? entry->gr_name : "";
}

// One program that calls getpid: the module may be there and make no call of this process.
void try_a_run(int fd, ModuleAnswers& answers) {
  void* memory = mmap(nullptr, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    answers.run_error = errno;
    return;
  }
  auto* page = static_cast<sysvm_page*>(memory);
  __u8* code = page->code + sysvm_put_call_op(page->code, SYSVM_CALL_getpid);
  *code++ = 0;  // r0 = getpid()
  *code++ = SYSVM_OP_END;
  page->code_len = static_cast<__u32>(code - page->code);
  page->fuel = 10;
  sysvm_run run{};
  run.proc = SYSVM_PROC_PAGE;
  run.seq = 1;
  if (ioctl(fd, SYSVM_IOC_RUN, &run) != 0) answers.run_error = errno;
  answers.run_status = page->status;
  munmap(memory, SYSVM_PAGE_SIZE);
}

ModuleAnswers ask_module(int fd) {
  ModuleAnswers answers;
  sysvm_query query{};
  answers.version = trimmed(read_text("/sys/module/sysvm/version"));
  answers.asks_filters = trimmed(read_text("/sys/module/sysvm/parameters/seccomp")) == "Y";
  if (ioctl(fd, SYSVM_IOC_QUERY, &query) != 0) {
    answers.query_error = errno;
    return answers;
  }
  answers.abi = query.abi;
  answers.device_abi = query.device_abi;
  for (const __u64 word : query.supported) answers.calls += std::popcount(word);
  if (query.abi == SYSVM_ABI_VERSION && query.device_abi == SYSVM_DEVICE_ABI_VERSION) try_a_run(fd, answers);
  return answers;
}

}  // namespace

Check check_kernel() {
  const utsname name = uname_of_this();
  return judge_kernel(name.sysname, name.release, name.machine);
}

Check check_module() {
  const utsname name = uname_of_this();
  const UniqueFd fd(open("/dev/sysvm", O_RDWR | O_CLOEXEC));
  const int open_error = errno;  // before the other checks change it
  if (!fd)
    return judge_module(open_error, takes_modules(), access("/sys/module/sysvm", F_OK) == 0,
                        has_headers(name.release), name.release, own_group());
  return judge_module_answers(ask_module(fd.get()), read_text("/proc/self/status"));
}

Check check_headers() {
  const utsname name = uname_of_this();
  if (has_headers(name.release))
    return {"headers", "kernel", State::kOk, fmt::format("/lib/modules/{}/build", name.release), ""};
  return {"headers", "kernel", State::kMissing,
          fmt::format("/lib/modules/{}/build is not there", name.release), headers_fix(name.release)};
}

Check check_lockdown() {
  // The variable's four bytes of attributes come first.
  const std::string variable =
      read_text("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
  return judge_lockdown(read_text("/sys/kernel/security/lockdown"), variable.size() == 5 && variable[4] == 1,
                        trimmed(read_text("/sys/module/module/parameters/sig_enforce")) == "Y");
}

Check check_isolation() {
  return judge_isolation(read_text("/sys/devices/system/cpu/vulnerabilities/meltdown"));
}

}  // namespace sysvm::doctor
