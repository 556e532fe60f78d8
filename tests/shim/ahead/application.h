// SPDX-License-Identifier: MIT
// A small application whose calls go through the ahead half, in this very process: real calls, real engine,
// and every decision in the open. What libsysvm/shim/process/ does for a patched site is done here by hand.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

extern "C" {
#include "libsysvm/shim/ahead/ahead.h"
}

namespace sysvm {

class Application {
 public:
  // text: procedures as `sysvm asm` reads them. One at a time: the ahead half has one state for a process.
  explicit Application(const std::string& text, bool strict = false, uint32_t age_ms = 1000,
                       bool relaxed_age = false);
  ~Application();

  // The call as the application sees it: -errno on failure.
  long call(long nr, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0, uint64_t a4 = 0,
            uint64_t a5 = 0);

  long open(const std::string& path, int flags = O_RDONLY) {
    return call(SYS_openat, static_cast<uint64_t>(AT_FDCWD), reinterpret_cast<uint64_t>(path.c_str()),
                static_cast<uint64_t>(flags));
  }
  long read(long fd, void* to, size_t n) {
    return call(SYS_read, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(to), n);
  }
  long fstat(long fd, struct stat* st) {
    return call(SYS_newfstatat, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(""),
                reinterpret_cast<uint64_t>(st), AT_EMPTY_PATH);
  }
  long lseek(long fd, long offset, int whence) {
    return call(SYS_lseek, static_cast<uint64_t>(fd), static_cast<uint64_t>(offset),
                static_cast<uint64_t>(whence));
  }
  long close(long fd) { return call(SYS_close, static_cast<uint64_t>(fd)); }

  int started() const {
    return started_;
  }  // what ahead_init returned; OFF_ENGINE: svp_check refused the file
  uint64_t forwarded() const { return forwarded_; }
  const shim_stats& stats();  // flushed
  uint64_t hits();            // of all procedures

 private:
  std::vector<uint8_t> svp_;
  shim_stats stats_{};
  int started_ = 0;
  uint64_t forwarded_ = 0;
};

}  // namespace sysvm
