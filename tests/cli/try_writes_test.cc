// SPDX-License-Identifier: MIT
#include "cli/try_writes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

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

}  // namespace
}  // namespace sysvm
