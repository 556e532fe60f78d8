// SPDX-License-Identifier: MIT
// What doctor says about machines that are not here.
#include <gtest/gtest.h>

#include <cerrno>

#include "cli/doctor/check.h"
#include "uapi/sysvm.h"

namespace sysvm::doctor {
namespace {

struct Case {
  const char* name;
  Check check;
  State state;
  const char* found;  // part of what it says
  const char* fix;    // part of the fix; "" for none
};

constexpr char kFiltered[] = "Name:\tx\nTracerPid:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n";
constexpr char kFree[] = "Name:\tx\nTracerPid:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n";
constexpr char kTraced[] = "Name:\tx\nTracerPid:\t4711\nSeccomp:\t0\n";

// Of a module that works, but for what change makes of it.
template <typename Change>
ModuleAnswers answers(Change change) {
  ModuleAnswers out{.abi = SYSVM_ABI_VERSION,
                    .device_abi = SYSVM_DEVICE_ABI_VERSION,
                    .calls = 169,
                    .version = {},
                    .run_status = SYSVM_DONE};
  change(out);
  return out;
}

std::vector<Case> cases() {
  const std::string_view debian = "6.1.0-40-amd64";
  return {
      {"kernel of Debian 12", judge_kernel("Linux", debian, "x86_64"), State::kOk, "6.1.0-40-amd64", ""},
      {"first kernel that will do", judge_kernel("Linux", "5.11.0", "x86_64"), State::kOk, "5.11", ""},
      {"last kernel that will not", judge_kernel("Linux", "5.10.0-30-amd64", "x86_64"), State::kMissing,
       "5.10", "5.11"},
      {"minor number read as a number", judge_kernel("Linux", "5.9.1", "x86_64"), State::kMissing, "5.9",
       "5.11"},
      {"another processor", judge_kernel("Linux", debian, "aarch64"), State::kMissing, "aarch64", "x86_64"},
      {"no rights for BPF", judge_bpf_error(EPERM, "", true, "/usr/bin/sysvm"), State::kMissing,
       "not permitted", "setcap cap_bpf,cap_perfmon+ep /usr/bin/sysvm"},
      {"lockdown forbids BPF", judge_bpf_error(EPERM, "none integrity [confidentiality]\n", true, "sysvm"),
       State::kMissing, "", "lockdown=integrity"},
      {"kernel without BTF", judge_bpf_error(ESRCH, "", false, "sysvm"), State::kMissing, "",
       "CONFIG_DEBUG_INFO_BTF"},
      {"kernel without tracing programs", judge_bpf_error(ENOSYS, "", true, "sysvm"), State::kMissing, "",
       "CONFIG_BPF_SYSCALL"},
      {"BPF works", judge_bpf_error(0, "", true, "sysvm"), State::kOk, "attached", ""},
      {"yama asks for an administrator", judge_ptrace(EPERM, "2\n"), State::kMissing, "ptrace_scope=2",
       "sysctl kernel.yama"},
      {"yama forbids it for good", judge_ptrace(EPERM, "3\n"), State::kMissing, "ptrace_scope=3", "reboot"},
      {"a sandbox forbids it", judge_ptrace(EPERM, ""), State::kMissing, "no yama", "SYS_PTRACE"},
      {"ptrace works", judge_ptrace(0, "1\n"), State::kOk, "ptrace_scope=1", ""},
      {"unified hierarchy",
       judge_cgroup2(
           "1 0 8:1 / / rw - ext4 /dev/sda rw\n25 1 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
       State::kOk, "mounted at /sys/fs/cgroup", ""},
      {"old hierarchy only", judge_cgroup2("30 1 0:2 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"),
       State::kLimited, "not mounted", "mount -t cgroup2"},
      {"C library that can be seen", judge_libc("glibc 2.36, libc.so.6", 2, 526, 21), State::kOk,
       "505 of 526", ""},
      {"C library with calls that cannot", judge_libc("glibc 9", 3, 526, 100), State::kMissing, "plainly",
       "libc6"},
      {"a library without calls", judge_libc("other", 1, 0, 0), State::kMissing, "other", "libc6"},
      {"no filter", judge_filter(kFree), State::kOk, "no filter", ""},
      {"one filter", judge_filter(kFiltered), State::kMissing, "1 filter is set", "--allow-seccomp"},
      {"strict mode", judge_filter("Seccomp:\t1\n"), State::kMissing, "strict mode", "leave the sandbox"},
      {"no tracer", judge_tracer(kFree), State::kOk, "no tracer", ""},
      {"a tracer", judge_tracer(kTraced), State::kMissing, "4711", "strace"},
      {"no lockdown", judge_lockdown("[none] integrity confidentiality\n", false, false), State::kOk,
       "lockdown none", ""},
      {"lockdown", judge_lockdown("none [integrity] confidentiality\n", true, false), State::kLimited,
       "secure boot on", "mokutil"},
      {"only signed modules", judge_lockdown("", false, true), State::kLimited, "enforced", "sign-file"},
      {"isolation on", judge_isolation("Mitigation: PTI\n"), State::kOk, "dear", ""},
      {"isolation off", judge_isolation("Not affected\n"), State::kOk, "off (Not affected)", ""},
      {"module not built", judge_module(ENOENT, "yes", false, true, debian, "me"), State::kMissing,
       "/dev/sysvm", "insmod kmod/sysvm.ko"},
      {"no headers for it", judge_module(ENOENT, "yes", false, false, debian, "me"), State::kMissing, "",
       "apt-get install linux-headers-6.1.0-40-amd64; then make -C kmod"},
      {"kernel without modules", judge_module(ENOENT, "no", false, true, debian, "me"), State::kMissing, "",
       "guest-shell"},
      {"modules switched off", judge_module(ENOENT, "disabled", false, true, debian, "me"), State::kMissing,
       "", "reboot"},
      {"loaded, no node", judge_module(ENOENT, "yes", true, true, debian, "me"), State::kMissing, "",
       "devtmpfs"},
      {"device of another group", judge_module(EACCES, "yes", true, true, debian, "staff"), State::kMissing,
       "Permission denied", "chgrp staff /dev/sysvm"},
      {"module that works", judge_module_answers(answers([](auto& a) { a.version = "0.1.0"; }), kFree),
       State::kOk, "version 0.1.0, ABI 1, 169 system calls", ""},
      {"something else after the name",
       judge_module_answers(answers([](auto& a) { a.query_error = ENOTTY; }), kFree), State::kMissing,
       "does not answer a query: Inappropriate ioctl", "rmmod sysvm"},
      {"module of another ABI", judge_module_answers(answers([](auto& a) { a.abi = 7; }), kFree),
       State::kMissing, "of unknown version, speaks ABI 7, this program 1", "rmmod sysvm"},
      {"module of another device ABI",
       judge_module_answers(answers([](auto& a) { a.device_abi = 1; }), kFree), State::kMissing,
       "speaks device ABI 1, this program 2", "rmmod sysvm"},
      {"module of an older sysvm",
       judge_module_answers(answers([](auto& a) { a.query_error = ENOTTY; }), kFree), State::kMissing,
       "older sysvm", "rmmod sysvm"},
      {"device that a container was not given", judge_module(ENOENT, "yes", true, true, debian, "me"),
       State::kMissing, "", "--device /dev/sysvm --group-add GID"},
      {"group that a container was not given", judge_module(EACCES, "yes", true, true, debian, "me"),
       State::kMissing, "", "--group-add GID"},
      {"no page to be had", judge_module_answers(answers([](auto& a) { a.run_error = ENOMEM; }), kFree),
       State::kMissing, "runs no program: Cannot allocate", "rmmod sysvm"},
      {"module below a filter",
       judge_module_answers(answers([](auto& a) { a.run_status = SYSVM_FALLBACK; }), kFiltered),
       State::kMissing, "a seccomp filter is set",
       "parameters/seccomp, the parameter seccomp=1 (docs/security.md says what it does); then sysvm run "
       "--allow-seccomp"},
      {"filter that is asked, and traps",
       judge_module_answers(answers([](auto& a) { a.run_status = SYSVM_FALLBACK, a.asks_filters = true; }),
                            kFiltered),
       State::kMissing, "a seccomp filter is set", "leave the sandbox"},
      {"module below a tracer",
       judge_module_answers(answers([](auto& a) { a.run_status = SYSVM_FALLBACK; }), kTraced),
       State::kMissing, "it is traced", "without strace"},
      {"module where auditd runs",
       judge_module_answers(answers([](auto& a) { a.run_status = SYSVM_FALLBACK; }), kFree), State::kMissing,
       "it is audited", "auditctl -a never,task"},
  };
}

TEST(Doctor, NamesTheStateAndTheFixOfEachMachine) {
  for (const Case& c : cases()) {
    EXPECT_STREQ(state_name(c.check.state), state_name(c.state)) << c.name;
    EXPECT_NE(c.check.found.find(c.found), std::string::npos) << c.name << ": " << c.check.found;
    EXPECT_NE(c.check.fix.find(c.fix), std::string::npos) << c.name << ": " << c.check.fix;
    EXPECT_EQ(c.check.fix.empty(), *c.fix == 0) << c.name << ": " << c.check.fix;
  }
}

TEST(Doctor, NeverAdvisesToSwitchASandboxOff) {
  for (const Case& c : cases()) EXPECT_EQ(c.check.fix.find("unconfined"), std::string::npos) << c.name;
}

TEST(Doctor, NeverReportsAnObstacleWithoutAFix) {
  for (const Case& c : cases()) EXPECT_EQ(c.check.fix.empty(), c.check.state == State::kOk) << c.name;
  for (const Check& check : all_checks())
    EXPECT_EQ(check.fix.empty(), check.state == State::kOk) << check.name;
}

}  // namespace
}  // namespace sysvm::doctor
