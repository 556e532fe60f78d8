// SPDX-License-Identifier: MIT
// Judges what the checks found: no file, no call, only text in and a Check out.
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "cli/doctor/check.h"
#include "libsysvm/sites/table.h"
#include "uapi/sysvm.h"

namespace sysvm::doctor {

const char* state_name(State state) {
  switch (state) {
    case State::kOk: return "ok";
    case State::kLimited: return "limited";
    case State::kMissing: return "missing";
  }
  return "?";
}

std::string_view trimmed(std::string_view text) {
  const char* blank = " \t\n";
  const size_t first = text.find_first_not_of(blank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

namespace {

// The value of "Key:\tvalue" in the text of /proc/PID/status; "" if there is no such line.
std::string_view status_value(std::string_view status, std::string_view key) {
  for (size_t at = 0; at < status.size();) {
    const size_t end = std::min(status.find('\n', at), status.size());
    const std::string_view line = status.substr(at, end - at);
    if (line.size() > key.size() && line.substr(0, key.size()) == key && line[key.size()] == ':')
      return trimmed(line.substr(key.size() + 1));
    at = end + 1;
  }
  return {};
}

// "none [integrity] confidentiality" -> "integrity"
std::string_view chosen(std::string_view choices) {
  const size_t open = choices.find('[');
  const size_t close = choices.find(']');
  if (open == choices.npos || close == choices.npos || close < open) return {};
  return choices.substr(open + 1, close - open - 1);
}

bool is_debian_kernel(std::string_view release) {
  const std::string_view flavour = "-amd64";
  return release.size() > flavour.size() && release.substr(release.size() - flavour.size()) == flavour;
}

}  // namespace

Check judge_kernel(std::string_view sysname, std::string_view release, std::string_view machine) {
  Check check{"kernel", "record", State::kOk, fmt::format("{} {} {}", sysname, release, machine), ""};
  if (sysname != "Linux" || machine != "x86_64") {
    check.state = State::kMissing;
    check.fix = "sysvm needs Linux on x86_64";
    return check;
  }
  unsigned major = 0, minor = 0;
  const char* end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), end, major);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '.')
    std::from_chars(first.ptr + 1, end, minor);
  // 5.11: the first with task storage for tracing programs and with syscall_work.
  if (major < 5 || (major == 5 && minor < 11)) {
    check.state = State::kMissing;
    check.fix = "Linux 5.11 or later; Debian 12 has 6.1: apt-get install linux-image-amd64";
  }
  return check;
}

Check judge_bpf_error(int error, std::string_view lockdown, bool has_btf, std::string_view program) {
  Check check{"bpf", "record", State::kOk, "a tracing program can be loaded and attached", ""};
  if (error == 0) return check;
  check.state = State::kMissing;
  check.found = fmt::format("a tracing program cannot be loaded: {}", strerror(error));
  if (chosen(lockdown) == "confidentiality")
    check.fix = "boot with lockdown=integrity or none; until then: sysvm record --backend ptrace";
  else if (error == EPERM || error == EACCES)
    check.fix = fmt::format(
        "sudo setcap cap_bpf,cap_perfmon+ep {}; without rights: sysvm record --backend ptrace", program);
  else if (!has_btf)
    check.fix = "a kernel with CONFIG_DEBUG_INFO_BTF (see btf); until then: sysvm record --backend ptrace";
  else
    check.fix =
        "a kernel with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS; until then: sysvm record --backend ptrace";
  return check;
}

Check judge_ptrace(int error, std::string_view yama_scope) {
  const std::string_view scope = trimmed(yama_scope);
  const std::string yama = scope.empty() ? "no yama" : fmt::format("kernel.yama.ptrace_scope={}", scope);
  if (error == 0)
    return {"ptrace", "record", State::kOk, fmt::format("a child can be traced ({})", yama), ""};
  Check check{"ptrace", "record", State::kMissing,
              fmt::format("a child cannot be traced: {} ({})", strerror(error), yama), ""};
  if (scope == "3")
    check.fix = "reboot with kernel.yama.ptrace_scope=1 in /etc/sysctl.d (3 cannot be lowered while running)";
  else if (scope == "2")
    check.fix = "sudo sysctl kernel.yama.ptrace_scope=1";
  else
    check.fix = "leave the sandbox that forbids ptrace (docker: --cap-add SYS_PTRACE)";
  return check;
}

Check judge_cgroup2(std::string_view mountinfo) {
  for (size_t at = 0; at < mountinfo.size();) {
    const size_t end = std::min(mountinfo.find('\n', at), mountinfo.size());
    const std::string_view line = mountinfo.substr(at, end - at);
    if (line.find(" - cgroup2 ") != line.npos) {
      // mountinfo: id parent dev root MOUNTPOINT ...
      size_t start = 0;
      for (int field = 0; field < 4; ++field) start = line.find(' ', start) + 1;
      return {"cgroup2", "record", State::kOk,
              fmt::format("mounted at {}", line.substr(start, line.find(' ', start) - start)), ""};
    }
    at = end + 1;
  }
  return {"cgroup2", "record", State::kLimited, "not mounted: recording cannot be limited to a cgroup",
          "sudo mount -t cgroup2 none /sys/fs/cgroup"};
}

Check judge_libc(std::string_view what, unsigned verdict, size_t sites, size_t left) {
  const std::string fix = "a program of Debian 12's C library: sudo apt-get install --reinstall libc6";
  if (verdict == OBJECT_CLEAN)
    return {"libc", "run", State::kMissing, fmt::format("{}: no system calls were found in it", what), fix};
  Check check{"libc", "run", State::kOk,
              fmt::format("{}: {} of {} system call sites can be seen", what, sites - left, sites), ""};
  if (verdict == OBJECT_UNSEEN) {
    check.state = State::kMissing;
    check.found += "; others matter, so programs run plainly";
    check.fix = fix;
  }
  return check;
}

Check judge_filter(std::string_view status) {
  const std::string_view mode = status_value(status, "Seccomp");
  if (mode.empty() || mode == "0")
    return {"seccomp", "run", State::kOk, "no filter is set on this process", ""};
  const std::string_view filters = status_value(status, "Seccomp_filters");
  return {
      "seccomp", "run", State::kMissing,
      mode == "1"
          ? std::string("strict mode is set on this process")
          : fmt::format("{} filter{} set on this process: calls are made plainly",
                        filters.empty() ? "a" : filters, filters == "1" || filters.empty() ? " is" : "s are"),
      mode == "1"
          ? "leave the sandbox that sets it"
          : "sysvm run --allow-seccomp -- CMD, where the filter may see calls that CMD has not made, as a "
            "container's default may"};
}

Check judge_tracer(std::string_view status) {
  const std::string_view tracer = status_value(status, "TracerPid");
  if (tracer.empty() || tracer == "0")
    return {"traced", "run", State::kOk, "no tracer is attached to this process", ""};
  return {"traced", "run", State::kMissing,
          fmt::format("process {} traces this one: calls are made plainly", tracer),
          "run without strace, gdb or whatever it is"};
}

Check judge_lockdown(std::string_view lockdown, bool secure_boot, bool signatures_enforced) {
  const std::string_view level = chosen(lockdown);
  Check check{"lockdown", "kernel", State::kOk, "", ""};
  check.found =
      fmt::format("lockdown {}, secure boot {}, module signatures {}", level.empty() ? "none" : level,
                  secure_boot ? "on" : "off or unknown", signatures_enforced ? "enforced" : "not enforced");
  if (signatures_enforced || (!level.empty() && level != "none")) {
    check.state = State::kLimited;
    check.fix =
        "sign sysvm.ko with an enrolled key: mokutil --import KEY.der, then "
        "/lib/modules/$(uname -r)/build/scripts/sign-file sha256 KEY.priv KEY.der sysvm.ko";
  }
  return check;
}

Check judge_isolation(std::string_view meltdown) {
  const std::string_view text = trimmed(meltdown);
  Check check{"isolation", "kernel", State::kOk, "", ""};
  if (text.empty())
    check.found = "page-table isolation: unknown";
  else if (text.find("PTI") != text.npos)
    check.found = "page-table isolation on: an entry is dear, so saving entries is worth more (sysvm bench)";
  else
    check.found = fmt::format(
        "page-table isolation off ({}): an entry is cheap, so saving entries is worth little", text);
  return check;
}

std::string headers_fix(std::string_view release) {
  if (is_debian_kernel(release)) return fmt::format("sudo apt-get install linux-headers-{}", release);
  return "not a Debian kernel: install the headers that came with it, or boot Debian's "
         "(sudo apt-get install linux-image-amd64 linux-headers-amd64)";
}

Check judge_module(int open_error, std::string_view takes_modules, bool loaded, bool has_headers,
                   std::string_view release, std::string_view group) {
  Check check{"module", "kernel", State::kMissing, fmt::format("/dev/sysvm: {}", strerror(open_error)), ""};
  if (open_error == EACCES || open_error == EPERM)
    check.fix = fmt::format(
        "sudo chgrp {} /dev/sysvm && sudo chmod 0660 /dev/sysvm (docs/security.md says what is at stake); "
        "in a container: start it with --device /dev/sysvm --group-add GID, the number of that group on the "
        "host",
        group.empty() ? "GROUP" : group);
  else if (takes_modules == "no")
    check.fix =
        "this kernel takes no modules: boot Debian's (sudo apt-get install linux-image-amd64), or look at "
        "the module in the guest: scripts/guest-shell";
  else if (takes_modules == "disabled")
    check.fix = "reboot: kernel.modules_disabled=1 cannot be undone while running";
  else if (loaded)
    check.fix =
        "the module is loaded but its device is not here; in a container: start it with --device /dev/sysvm "
        "--group-add GID (docs/module.md); else mount devtmpfs on /dev, or make the node that "
        "/sys/class/misc/sysvm/dev names";
  else if (!has_headers)
    check.fix = headers_fix(release) + "; then make -C kmod && sudo insmod kmod/sysvm.ko";
  else
    check.fix = "make -C kmod && sudo insmod kmod/sysvm.ko";
  return check;
}

Check judge_module_answers(const ModuleAnswers& answers, std::string_view status) {
  Check check{"module", "kernel", State::kMissing, "",
              "sudo rmmod sysvm && make -C kmod && sudo insmod kmod/sysvm.ko"};
  if (answers.query_error) {
    check.found =
        fmt::format("/dev/sysvm does not answer a query: {}{}", strerror(answers.query_error),
                    answers.query_error == ENOTTY ? " (a module of an older sysvm does not know it)" : "");
    return check;
  }
  const std::string version = answers.version.empty() ? "of unknown version" : "version " + answers.version;
  if (answers.abi != SYSVM_ABI_VERSION) {
    check.found = fmt::format("/dev/sysvm, {}, speaks ABI {}, this program {}", version, answers.abi,
                              SYSVM_ABI_VERSION);
    return check;
  }
  if (answers.device_abi != SYSVM_DEVICE_ABI_VERSION) {
    check.found = fmt::format("/dev/sysvm, {}, speaks device ABI {}, this program {}", version,
                              answers.device_abi, SYSVM_DEVICE_ABI_VERSION);
    return check;
  }
  if (answers.run_error) {
    check.found = fmt::format("/dev/sysvm, {}, runs no program: {}", version, strerror(answers.run_error));
    return check;
  }
  if (answers.run_status != SYSVM_FALLBACK) {
    check.state = State::kOk;
    check.found = fmt::format("/dev/sysvm, {}, ABI {}, {} system calls", version, answers.abi, answers.calls);
    check.fix.clear();
    return check;
  }
  const std::string_view filter = status_value(status, "Seccomp"), tracer = status_value(status, "TracerPid");
  const bool traced = !tracer.empty() && tracer != "0";
  if (traced || filter.empty() || filter == "0") {
    check.found = fmt::format("/dev/sysvm, {}, makes no call of this process: {}", version,
                              traced ? "it is traced" : "it is audited, or a system call tracepoint is on");
    check.fix =
        traced ? "run without strace, gdb or whatever it is"
               : "switch off raw_syscalls and syscalls in /sys/kernel/tracing/events; where auditd has been "
                 "started: sudo auditctl -a never,task, then log in again (docs/security.md)";
    return check;
  }
  check.found =
      fmt::format("/dev/sysvm, {}, makes no call of this process: a seccomp filter is set", version);
  check.fix =
      answers.asks_filters
          ? "leave the sandbox that sets it"
          : "on the host: echo Y | sudo tee /sys/module/sysvm/parameters/seccomp, the parameter seccomp=1 "
            "(docs/security.md says what it does); then sysvm run --allow-seccomp -- CMD";
  return check;
}

}  // namespace sysvm::doctor
