// SPDX-License-Identifier: MIT
#include "tracer/traced_memory.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "tracer/event.h"

namespace sysvm {

bool read_memory(pid_t tid, uint64_t address, void* out, size_t size) {
  iovec local{out, size}, remote{reinterpret_cast<void*>(address), size};
  return process_vm_readv(tid, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
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
