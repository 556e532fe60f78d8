// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "cli/try/writes.h"

namespace sysvm {
namespace {

TEST(TryWrites, ReadersByNameAndOptions) {
  EXPECT_TRUE(known_to_only_read({"grep", "-r", "define", "/usr/include"}));
  EXPECT_TRUE(known_to_only_read({"/usr/bin/md5sum", "a"}));
  EXPECT_TRUE(known_to_only_read({"find", ".", "-name", "x"}));
  EXPECT_TRUE(known_to_only_read({"sed", "-n", "/a/p", "file"}));
  EXPECT_TRUE(known_to_only_read({"awk", "{ n++ } END { print n }", "file"}));
  EXPECT_TRUE(known_to_only_read({"git", "log", "-p"}));
}

TEST(TryWrites, WritersAndTheUnknownAreNotTrusted) {
  EXPECT_FALSE(known_to_only_read({"rm", "-rf", "x"}));
  EXPECT_FALSE(known_to_only_read({"find", ".", "-delete"}));
  EXPECT_FALSE(known_to_only_read({"find", ".", "-exec", "rm", "{}", ";"}));
  EXPECT_FALSE(known_to_only_read({"sed", "-i.bak", "s/a/b/", "file"}));
  EXPECT_FALSE(known_to_only_read({"sed", "s/a/b/w out", "file"}));
  EXPECT_FALSE(known_to_only_read({"sort", "-o", "file", "file"}));
  EXPECT_FALSE(known_to_only_read({"awk", "{ print > \"x\" }", "file"}));
  EXPECT_FALSE(known_to_only_read({"git", "status"}));  // refreshes the index
  EXPECT_FALSE(known_to_only_read({"bash", "-c", "true"}));
  EXPECT_FALSE(known_to_only_read({"some-program"}));
}

Event call(int32_t nr, uint64_t a1, uint64_t a2, uint32_t path, int64_t ret = 3) {
  Event e;
  e.nr = nr;
  e.args[1] = a1;
  e.args[2] = a2;
  e.path[0] = path;
  e.ret = ret;
  return e;
}

TEST(TryWrites, RecordedChangesNameCallAndPathOnce) {
  Trace t;
  t.strings = {"", "in", "out", "/dev/null", "old"};
  t.header.calls = {{SYS_unlink, "unlink", {"PATH"}, "ZERO"}};
  t.events = {call(SYS_openat, 0, O_RDONLY, 1),
              call(SYS_openat, 0, O_WRONLY | O_CREAT, 2),
              call(SYS_openat, 0, O_WRONLY | O_CREAT, 2),
              call(SYS_openat, 0, O_WRONLY | O_CREAT, 4, -13),  // refused: nothing changed
              call(SYS_openat, 0, O_RDWR, 3),
              call(SYS_unlink, 0, 0, 4, 0)};
  EXPECT_EQ(recorded_changes(t), (std::vector<std::string>{"open for writing out", "unlink old"}));
  EXPECT_EQ(recorded_changes(t, 1), (std::vector<std::string>{"open for writing out", "and 1 more"}));
}

Event on(int32_t nr, uint64_t fd, int64_t ret) {
  Event e;
  e.nr = nr;
  e.args[0] = fd;
  e.ret = ret;
  return e;
}

class Databases : public testing::Test {
 protected:
  Databases() { t_.strings = {"", "data.db", "/tmp"}; }
  std::vector<std::string> after(std::vector<Event> events) {
    t_.events = std::move(events);
    return recorded_changes(t_);
  }
  Event open_ = call(SYS_openat, 0, O_RDWR | O_CREAT, 1);
  Trace t_;
  const std::vector<std::string> nothing_, changed_{"open for writing data.db"};
};

TEST_F(Databases, OneThatIsOnlyReadIsNotChanged) {
  Event size = on(SYS_fstat, 3, 0);
  size.flags = kHasStat;
  size.st_size = 8192;
  EXPECT_EQ(after({call(SYS_openat, 0, O_RDWR, 1), on(SYS_pread64, 3, 100)}), nothing_);
  EXPECT_EQ(after({open_, size, on(SYS_close, 3, 0)}), nothing_);
  EXPECT_EQ(after({call(SYS_access, 0, 0, 1, 0), open_}), nothing_) << "a look had found it";
  EXPECT_EQ(after({open_, on(SYS_close, 3, 0)}), changed_) << "it may have been made";
}

TEST_F(Databases, AWriteThroughAnyCopyCounts) {
  const Event open = call(SYS_openat, 0, O_RDWR, 1);
  EXPECT_EQ(after({open, on(SYS_pwrite64, 3, 100)}), changed_);
  EXPECT_EQ(after({open, on(SYS_dup, 3, 5), on(SYS_close, 3, 0), on(SYS_ftruncate, 5, 0)}), changed_);
  EXPECT_EQ(after({open, on(SYS_close, 3, 0), on(SYS_write, 3, 100)}), nothing_) << "another file by then";
  Event map = on(SYS_mmap, 0, 0x7000);
  map.args = {0, 4096, 3, 1, 3, 0};
  EXPECT_EQ(after({open, map}), changed_) << "writes through a shared mapping make no call";
  map.args[3] = 2;
  EXPECT_EQ(after({open, map}), nothing_);
  Event of_child = on(SYS_write, 3, 1);
  of_child.pid = 77;
  EXPECT_EQ(after({open, on(SYS_fork, 0, 77), of_child}), changed_);
}

TEST_F(Databases, WhatTheRecordingMayNotShowCounts) {
  const Event open = call(SYS_openat, 0, O_RDWR, 1);
  EXPECT_EQ(after({on(SYS_io_uring_setup, 8, 4), open}), changed_);
  t_.losses = {{LossReason::kRingFull, 1, 0, 1}};
  EXPECT_EQ(after({open}), changed_);
}

TEST_F(Databases, AFileWithoutANameIsNobodys) {
  EXPECT_EQ(after({call(SYS_openat, 0, O_RDWR | O_TMPFILE, 2), on(SYS_write, 3, 100)}), nothing_);
  Event link = call(SYS_linkat, 0, 0, 1, 0);
  t_.header.calls = {{SYS_linkat, "linkat", {}, "ZERO"}};
  EXPECT_EQ(after({call(SYS_openat, 0, O_RDWR | O_TMPFILE, 2), link}),
            std::vector<std::string>{"linkat data.db"});
}

}  // namespace
}  // namespace sysvm
