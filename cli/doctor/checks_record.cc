// SPDX-License-Identifier: MIT
// Can a program be recorded here? Tried, not asked: `bpftool feature probe` calls tracing programs
// unavailable on kernels that load them.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "cli/doctor/check.h"
#include "common/unique_fd.h"

namespace sysvm::doctor {

namespace {

constexpr char kBtf[] = "/sys/kernel/btf/vmlinux";
constexpr char kLockdown[] = "/sys/kernel/security/lockdown";

std::string own_path() {
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : std::string("sysvm");
}

// 0, or the errno of the first thing that failed: the ring, the program, its attachment to sys_exit.
int try_bpf() {
  libbpf_set_print(nullptr);
  const UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "sysvm_doctor", 0, 0, 4096, nullptr));
  if (!ring) return errno;
  const int target = libbpf_find_vmlinux_btf_id("sys_exit", BPF_TRACE_RAW_TP);
  if (target < 0) return -target;
  bpf_insn program[2] = {};
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = 0
  program[1].code = BPF_JMP | BPF_EXIT;
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.expected_attach_type = BPF_TRACE_RAW_TP;
  options.attach_btf_id = static_cast<__u32>(target);
  const UniqueFd loaded(bpf_prog_load(BPF_PROG_TYPE_TRACING, "sysvm_doctor", "GPL", program, 2, &options));
  if (!loaded) return errno;
  const UniqueFd attached(bpf_raw_tracepoint_open(nullptr, loaded.get()));
  return attached ? 0 : errno;
}

int try_ptrace() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  const pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    close(ends[1]);
    char byte;
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);  // until the parent lets go of its end
  }
  const int error = ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0 ? 0 : errno;
  kill(child, SIGKILL);
  waitpid(child, nullptr, __WALL);
  return error;
}

}  // namespace

Check check_btf() {
  if (access(kBtf, R_OK) == 0) return {"btf", "record", State::kOk, fmt::format("{} is readable", kBtf), ""};
  return {"btf", "record", State::kMissing, fmt::format("{}: {}", kBtf, strerror(errno)),
          errno == EACCES
              ? "sudo chmod a+r /sys/kernel/btf/vmlinux"
              : "boot a kernel with CONFIG_DEBUG_INFO_BTF=y; Debian's has it: sudo apt-get install "
                "linux-image-amd64"};
}

Check check_bpf() {
  return judge_bpf_error(try_bpf(), read_text(kLockdown), access(kBtf, R_OK) == 0, own_path());
}

Check check_ptrace() { return judge_ptrace(try_ptrace(), read_text("/proc/sys/kernel/yama/ptrace_scope")); }

Check check_cgroup2() { return judge_cgroup2(read_text("/proc/self/mountinfo")); }

}  // namespace sysvm::doctor
