// SPDX-License-Identifier: MIT
// What stat(2) says about a file, compared as a whole: the same identity is taken for the same contents. The
// time of change (ctime) cannot be set, so a file that was written and given its old time back is another
// one. Tested by tests/run/start_test.cc.
#pragma once

#include <sys/stat.h>

#include "libsysvm/sites/table.h"

inline bool operator==(const sysvm_identity& a, const sysvm_identity& b) {
  return a.dev == b.dev && a.ino == b.ino && a.size == b.size && a.mtime_ns == b.mtime_ns &&
         a.ctime_ns == b.ctime_ns;
}

namespace sysvm {

inline sysvm_identity identity_of(const struct stat& st) {
  const auto ns = [](const timespec& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
  };
  return {st.st_dev, st.st_ino, static_cast<uint64_t>(st.st_size), ns(st.st_mtim), ns(st.st_ctim)};
}

// All 0: there is no file.
inline sysvm_identity identity_of(const char* path) {
  struct stat st;
  return ::stat(path, &st) == 0 ? identity_of(st) : sysvm_identity{};
}

}  // namespace sysvm
