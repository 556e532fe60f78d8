// SPDX-License-Identifier: MIT
// The kernel, its module, and what keeps a module out.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "cli/doctor/check.h"
#include "common/unique_fd.h"
#include "uapi/sysvm.h"

namespace sysvm::doctor {

std::string read_text(const char* path) {
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd) return text;
  char block[4096];
  for (ssize_t n; (n = read(fd.get(), block, sizeof block)) > 0;) text.append(block, static_cast<size_t>(n));
  return text;
}

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

}  // namespace

Check check_kernel() {
  const utsname name = uname_of_this();
  return judge_kernel(name.sysname, name.release, name.machine);
}

Check check_module() {
  const utsname name = uname_of_this();
  const UniqueFd fd(open("/dev/sysvm", O_RDWR | O_CLOEXEC));
  if (!fd)
    return judge_module(errno, takes_modules(), access("/sys/module/sysvm", F_OK) == 0, has_headers(name.release),
                        name.release, own_group());
  sysvm_query query{};
  if (ioctl(fd.get(), SYSVM_IOC_QUERY, &query) != 0)
    return {"module", "kernel", State::kMissing, fmt::format("/dev/sysvm does not answer a query: {}", strerror(errno)),
            "sudo rmmod sysvm && make -C kmod && sudo insmod kmod/sysvm.ko"};
  if (query.abi != SYSVM_ABI_VERSION)
    return {"module", "kernel", State::kMissing,
            fmt::format("/dev/sysvm speaks ABI {}, this program {}", query.abi, SYSVM_ABI_VERSION),
            "sudo rmmod sysvm && make -C kmod && sudo insmod kmod/sysvm.ko"};
  int calls = 0;
  for (const __u64 word : query.supported) calls += std::popcount(word);
  return {"module", "kernel", State::kOk, fmt::format("/dev/sysvm, ABI {}, {} system calls", query.abi, calls), ""};
}

Check check_headers() {
  const utsname name = uname_of_this();
  if (has_headers(name.release))
    return {"headers", "kernel", State::kOk, fmt::format("/lib/modules/{}/build", name.release), ""};
  return {"headers", "kernel", State::kMissing, fmt::format("/lib/modules/{}/build is not there", name.release),
          headers_fix(name.release)};
}

Check check_lockdown() {
  // The variable's four bytes of attributes come first.
  const std::string variable = read_text("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
  return judge_lockdown(read_text("/sys/kernel/security/lockdown"), variable.size() == 5 && variable[4] == 1,
                        trimmed(read_text("/sys/module/module/parameters/sig_enforce")) == "Y");
}

Check check_isolation() { return judge_isolation(read_text("/sys/devices/system/cpu/vulnerabilities/meltdown")); }

std::vector<Check> all_checks() {
  return {check_kernel(), check_btf(),    check_bpf(),    check_ptrace(),  check_cgroup2(),  check_libc(),     check_vdso(),
          check_filter(), check_tracer(), check_module(), check_headers(), check_lockdown(), check_isolation()};
}

}  // namespace sysvm::doctor
