// SPDX-License-Identifier: MIT
#include "cli/traced_command.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace sysvm {

void TracedCommand::add_to(Options& options) {
  options.text("-u,--user USER", user, "run CMD as this user; default: who called sudo");
  options.flag("--as-root", as_root, "under sudo, run CMD as root nevertheless");
  options.choice("--backend", backend_, {"auto", "bpf", "ptrace"},
                 "what watches CMD; auto: bpf where it works");
  options.text("--btf FILE", btf, "the running kernel's types, where /sys/kernel/btf/vmlinux is hidden");
}

Result<Backend> TracedCommand::backend() const {
  if (backend_ != "ptrace") return backend_ == "bpf" ? Backend::kBpf : Backend::kAuto;
  if (!btf.empty()) return error("--btf is for eBPF, not for --backend ptrace");
  return Backend::kPtrace;
}

Result<std::optional<Identity>> TracedCommand::identity() const {
  if (!user.empty()) {
    auto identity = find_user(user);
    if (!identity) return error("-u: {}", identity.message());
    return std::optional(*identity);
  }
  const char* caller = getenv("SUDO_UID");
  if (as_root || geteuid() != 0 || !caller || !strcmp(caller, "0")) return std::optional<Identity>();
  auto identity = find_user(caller);
  if (!identity)
    return error("SUDO_UID={}: {} (--as-root runs the command as root)", caller, identity.message());
  return std::optional(*identity);
}

}  // namespace sysvm
