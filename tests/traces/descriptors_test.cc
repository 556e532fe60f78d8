// SPDX-License-Identifier: MIT
// What descriptors stand for, from a log without -y.
#include "traces/descriptors.h"

#include "tests/traces/imported.h"

namespace sysvm {
namespace {

std::string with_paths(const std::string& text) {
  const Imported got = imported(text);
  Descriptors fds;
  std::string out;
  for (const Event& e : got.trace.events) {
    out += fmt::format("{} {}\n", e.tid, format_call(got.trace, e, fds));
    fds.add(got.trace, e);
  }
  return out;
}

TEST(Descriptors, AreFollowedFromOpenToClose) {
  EXPECT_EQ(
      with_paths("openat(AT_FDCWD, \"/a<b\", O_RDONLY) = 3\nread(3, \"x\", 1) = 1\ndup(3) = 4\nclose(3) = 0\n"
                 "read(3, \"x\", 1) = -1 EBADF (x)\n"
                 "read(4, \"x\", 1) = 1\nsocket(AF_UNIX, SOCK_STREAM, 0) = 4\nclose(4) = 0\n"),
      "1 openat(AT_FDCWD, \"/a<b\", O_RDONLY)\n1 read(3</a\\74b>, \"x\", 1)\n1 dup(3</a\\74b>)\n"
      "1 close(3</a\\74b>)\n1 read(3, \"x\", 1)\n"
      "1 read(4</a\\74b>, \"x\", 1)\n1 socket(1, 0x1, 0)\n1 close(4<socket>)\n");
}

TEST(Descriptors, BeginInTheFolderThatIsOpen) {
  EXPECT_EQ(with_paths("openat(AT_FDCWD, \"/d\", O_RDONLY|O_DIRECTORY) = 3\nopenat(3, \"f\", O_RDONLY) = 4\n"
                       "fstat(4, 0x7f) = 0\n"),
            "1 openat(AT_FDCWD, \"/d\", O_RDONLY|O_DIRECTORY)\n1 openat(3</d>, \"f\", O_RDONLY)\n"
            "1 fstat(4</d/f>, 0x7f)\n");
}

// As fts walks: each folder is left by its "..".
TEST(Descriptors, AWalkThatFollowsNoLinkComesBackToTheFoldersItCameFrom) {
  EXPECT_EQ(
      with_paths("openat(AT_FDCWD, \"/d/e\", O_RDONLY|O_NOFOLLOW) = 3\n"
                 "openat(3, \"f\", O_RDONLY|O_NOFOLLOW) = 4\nopenat(4, \"..\", O_RDONLY|O_NOFOLLOW) = 5\n"
                 "openat(5, \"..\", O_RDONLY|O_NOFOLLOW) = 6\nopenat(6, \"..\", O_RDONLY|O_NOFOLLOW) = 7\n"
                 "openat(4, \"..\", O_RDONLY) = 8\nfstat(7, 0x7f) = 0\nfstat(8, 0x7f) = 0\n"),
      "1 openat(AT_FDCWD, \"/d/e\", O_RDONLY|O_NOFOLLOW)\n1 openat(3</d/e>, \"f\", O_RDONLY|O_NOFOLLOW)\n"
      "1 openat(4</d/e/f>, \"..\", O_RDONLY|O_NOFOLLOW)\n1 openat(5</d/e>, \"..\", O_RDONLY|O_NOFOLLOW)\n"
      "1 openat(6</d>, \"..\", O_RDONLY|O_NOFOLLOW)\n1 openat(4</d/e/f>, \"..\", O_RDONLY)\n"
      "1 fstat(7</>, 0x7f)\n1 fstat(8</d/e/f/..>, 0x7f)\n");
}

TEST(Descriptors, AreInheritedAndClosedByExec) {
  EXPECT_EQ(
      with_paths("10 1.1 openat(AT_FDCWD, \"/keep\", O_RDONLY) = 3\n"
                 "10 1.2 openat(AT_FDCWD, \"/drop\", O_RDONLY|O_CLOEXEC) = 4\n"
                 "10 1.3 clone(child_stack=NULL, flags=SIGCHLD) = 11\n11 1.4 close(3) = 0\n"
                 "10 1.5 close(3) = 0\n11 1.6 close(4) = 0\n"
                 "10 1.7 execve(\"/x\", [\"x\"], 0x7f /* 1 var */) = 0\n10 1.8 close(4) = -1 EBADF (x)\n"),
      "10 openat(AT_FDCWD, \"/keep\", O_RDONLY)\n10 openat(AT_FDCWD, \"/drop\", O_RDONLY|O_CLOEXEC)\n"
      "10 clone(child_stack=NULL, flags=SIGCHLD)\n11 clone(child_stack=NULL, flags=0)\n11 close(3</keep>)\n"
      "10 close(3</keep>)\n11 close(4</drop>)\n10 execve(\"/x\", [\"x\"], 0x7f)\n10 close(4)\n");
}

}  // namespace
}  // namespace sysvm
