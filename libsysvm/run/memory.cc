// SPDX-License-Identifier: MIT
#include "libsysvm/run/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "libsysvm/shim/bundle/bundle_check.h"

namespace sysvm {

UniqueFd memory_file(const char* name) { return UniqueFd(::memfd_create(name, MFD_CLOEXEC)); }

std::string memory_path(int fd) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool start_counters(int fd) {
  constexpr uint64_t kStatsMagic = SHIM_STATS_MAGIC;
  return ::ftruncate(fd, sizeof(shim_stats_file)) == 0 &&
         ::pwrite(fd, &kStatsMagic, sizeof kStatsMagic, offsetof(shim_stats, magic)) == sizeof kStatsMagic;
}

bool place_bundle(std::string& bundle, const std::string& path, const std::string& stats) {
  if (bundle.size() < sizeof(sysvm_bundle) || path.size() >= BUNDLE_PATH_MAX ||
      stats.size() >= BUNDLE_PATH_MAX)
    return false;
  auto* head = reinterpret_cast<sysvm_bundle*>(bundle.data());
  std::memset(head->bundle_path, 0, sizeof head->bundle_path);
  std::memset(head->stats_path, 0, sizeof head->stats_path);
  path.copy(head->bundle_path, BUNDLE_PATH_MAX - 1);
  stats.copy(head->stats_path, BUNDLE_PATH_MAX - 1);
  head->checksum = bundle_checksum(head, bundle.size());
  return true;
}

std::string engine_problem(enum ::sysvm_engine engine) {
  if (engine != SYSVM_ENGINE_KERNEL) return "";
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(64, sysvm_size()), &std::free);
  auto* vm = static_cast<struct sysvm_vm*>(memory.get());
  const int failed = vm ? sysvm_init(vm, engine) : -ENOMEM;
  if (failed)
    return std::string("--engine kernel: /dev/sysvm cannot be used: ") + std::strerror(-failed) +
           "; 'sysvm doctor' names the fix";
  sysvm_exit(vm);
  return "";
}

}  // namespace sysvm
