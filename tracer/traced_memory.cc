// SPDX-License-Identifier: MIT
#include "tracer/traced_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/unique_fd.h"
#include "tracer/event.h"

namespace sysvm {

// Docker's default filter refuses process_vm_readv, where ptrace itself is allowed: so is then what reads by
// the file.
bool read_memory(pid_t tid, uint64_t address, void* out, size_t size) {
  static bool by_file = false;
  if (!by_file) {
    iovec local{out, size}, remote{reinterpret_cast<void*>(address), size};
    const ssize_t n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
    if (n >= 0 || (errno != EPERM && errno != ENOSYS)) return n == static_cast<ssize_t>(size);
    by_file = true;
  }
  const UniqueFd file(open(fmt::format("/proc/{}/mem", tid).c_str(), O_RDONLY | O_CLOEXEC));
  return file && pread(file.get(), out, size, static_cast<off_t>(address)) == static_cast<ssize_t>(size);
}

// Reads page by page, so that a string that ends just before unmapped memory is read.
bool read_string(pid_t tid, uint64_t address, std::string& out, bool& cut) {
  out.clear();
  while (out.size() < TRACE_PATH_MAX) {
    char buffer[4096];
    const size_t size = std::min<size_t>(4096 - address % 4096, TRACE_PATH_MAX - out.size());
    if (!read_memory(tid, address, buffer, size)) return false;
    if (const void* end = memchr(buffer, 0, size)) {
      out.append(buffer, static_cast<size_t>(static_cast<const char*>(end) - buffer));
      return true;
    }
    out.append(buffer, size);
    address += size;
  }
  out.resize(TRACE_PATH_MAX - 1);
  cut = true;
  return true;
}

}  // namespace sysvm
