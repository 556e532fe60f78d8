// SPDX-License-Identifier: MIT
// A tree, a walk over it until nothing is left to do, and watches that count from outside what was opened: an
// open with O_PATH is not. For the tests in this folder.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

extern "C" {
#include "libsysvm/prefetch/walk.h"
}

class Tree : public testing::Test {
 public:
  struct Done {
    prefetch_stats stats{};
    bool ended = false;
  };
  // What was begun, until nothing is left to do. first: directories that may be read ahead.
  // after: called each time that something was done. unproved_ns: how long without walk_reached.
  static Done walk_only(const std::function<void(struct walk*)>& begin, uint64_t first = ~0ull,
                        const std::function<void(struct walk*)>& after = {}, uint64_t unproved_ns = ~0ull,
                        unsigned int depth_max = 4) {
    Done out;
    walk_options o{};
    o.depth = 4;
    o.depth_max = depth_max;
    o.entries_ahead = o.bytes_ahead = o.bytes_first = ~0ull;
    o.directories_first = first;
    o.unproved_first_ns = o.unproved_ns = unproved_ns;
    o.stats = &out.stats;
    char message[200];
    struct walk* w = walk_make(&o, message, sizeof message);
    EXPECT_NE(w, nullptr) << message;
    if (!w) return out;
    begin(w);
    const std::time_t limit = std::time(nullptr) + 60;
    const int patience = first == ~0ull ? 600 : 30;  // tenths of a second: a walk that may stop, stops
    walk_pump(w);
    for (int still = 0; walk_busy(w) && still < patience && std::time(nullptr) < limit;) {
      pollfd p{walk_event_fd(w), POLLIN, 0};
      still = ::poll(&p, 1, 100) > 0 ? 0 : still + 1;
      walk_reap(w);
      if (!still && after) after(w);
    }
    out.ended = !walk_busy(w);
    return out;  // The walk itself is leaked: it lives as long as its process.
  }

 protected:
  Tree() {
    char name[] = "/var/tmp/sysvm-walk-XXXXXX";  // On a disk: tmpfs has its own ideas of times.
    root_ = ::mkdtemp(name);
  }
  ~Tree() override { (void)!std::system(("rm -rf --one-file-system " + root_).c_str()); }

  std::string at(const std::string& name) const { return root_ + "/" + name; }
  void folder(const std::string& name) const { ASSERT_EQ(::mkdir(at(name).c_str(), 0755), 0) << name; }
  void file(const std::string& name, size_t size = 10000) const {
    std::ofstream(at(name)) << std::string(size, 'x');
    ASSERT_EQ(::access(at(name).c_str(), F_OK), 0) << name;
  }

  // Walks everything below the root, until nothing is left to do.
  Done walk(uint64_t part = 0, walk_atime atime = WALK_ATIME_RELATIVE,
            const std::function<void(struct walk*)>& prepare = {}) const {
    return walk_only([&](struct walk* w) {
      if (part) walk_read_files(w, part);
      if (prepare) prepare(w);
      walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, atime, nullptr);
    });
  }
  std::string root_;
};

class Watch {
 public:
  explicit Watch(const std::string& path, uint32_t events = IN_OPEN | IN_ACCESS)
      : fd_(::inotify_init1(IN_NONBLOCK)) {
    EXPECT_GE(::inotify_add_watch(fd_, path.c_str(), events), 0) << path;
  }
  ~Watch() { ::close(fd_); }
  int events() const {
    int n = 0;
    each([&n](const inotify_event&) { ++n; });
    return n;
  }
  // Of what was opened in the folder, in order, each once.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    each([&out](const inotify_event& e) {
      if (e.len && std::find(out.begin(), out.end(), e.name) == out.end()) out.emplace_back(e.name);
    });
    return out;
  }

 private:
  template <typename Take>
  void each(const Take& take) const {
    alignas(inotify_event) char buffer[65536];
    for (ssize_t got; (got = ::read(fd_, buffer, sizeof buffer)) > 0;)
      for (char* p = buffer; p < buffer + got;
           p += sizeof(inotify_event) + reinterpret_cast<inotify_event*>(p)->len)
        take(*reinterpret_cast<const inotify_event*>(p));
  }
  int fd_;
};

inline timespec atime_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
  return st.st_atim;
}

inline void set_times(const std::string& path, std::time_t access, std::time_t change) {
  const timespec times[2] = {{access, 0}, {change, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}
