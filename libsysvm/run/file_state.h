// SPDX-License-Identifier: MIT
// What stat(2) says about a file, compared as a whole: the same state is taken for the same contents. The
// time of change (ctime) cannot be set, so a file that was written and given its old time back is another
// one.
#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace sysvm {

struct FileState {
  uint64_t dev = 0, ino = 0, size = 0, mtime_ns = 0, ctime_ns = 0;  // all 0: there is no file
  bool operator==(const FileState&) const = default;
};

inline FileState file_state(const struct stat& st) {
  const auto ns = [](const timespec& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
  };
  return {st.st_dev, st.st_ino, static_cast<uint64_t>(st.st_size), ns(st.st_mtim), ns(st.st_ctim)};
}

inline FileState file_state(const char* path) {
  struct stat st;
  return ::stat(path, &st) == 0 ? file_state(st) : FileState{};
}

}  // namespace sysvm
