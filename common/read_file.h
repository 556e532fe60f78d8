// SPDX-License-Identifier: MIT
// A small file as a whole. Made for what a user names: a folder, a pipe that nobody writes to, or a file
// without an end is an error or an empty file, never a hang. Tested by tests/cli/bad_input_test.py.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"

namespace sysvm {

inline Result<std::vector<uint8_t>> read_whole_file(const std::string& path, size_t limit) {
  // Opening a pipe would wait for its writer. One that is there, as in <(...), is waited for while reading.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return error("{}: {}", path, std::strerror(errno));
  struct stat st;
  if (::fstat(fd.get(), &st) == 0 && S_ISDIR(st.st_mode)) return error("{}: a folder, expected a file", path);
  ::fcntl(fd.get(), F_SETFL, 0);
  std::vector<uint8_t> bytes;
  for (;;) {
    constexpr size_t kStep = 65536;
    const size_t had = bytes.size();
    bytes.resize(had + kStep);
    const ssize_t n = ::read(fd.get(), bytes.data() + had, kStep);
    if (n < 0) return error("{}: {}", path, std::strerror(errno));
    bytes.resize(had + static_cast<size_t>(n));
    if (bytes.size() > limit) return error("{}: more than {} bytes: not a file of this kind", path, limit);
    if (n == 0) return bytes;
  }
}

}  // namespace sysvm
