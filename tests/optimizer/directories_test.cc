// SPDX-License-Identifier: MIT
// What programs ask about the entries of directories, and the loops that come of it.
#include "optimizer/learn/directories.h"

#include <gtest/gtest.h>

#include "optimizer/make/emit.h"
#include "optimizer/optimizer.h"
#include "procedures/text.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

const std::string kOpen =
    "openat(AT_FDCWD, \"top%d\", O_RDONLY|O_DIRECTORY) = 3\n"
    "newfstatat(3, \"\", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0\n"
    "getdents64(3, buf, 32768) = 240\n";
const std::string kEnd = "getdents64(3, buf, 32768) = 0\n";
const std::string kClose = "close(3) = 0\n";

std::string looks(const std::string& dir, const std::string& how) {  // tar's
  std::string out;
  for (const char* name : {"one", "two", "three"})
    out += "newfstatat(" + dir + ", \"" + name + "\", {st_mode=" + how +
           "|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0\n";
  return out;
}

std::string attributes() {  // ls -l's
  std::string out;
  for (const char* name : {"one", "two"}) {
    const std::string path = std::string("\"top%d/") + name + "\"";
    out += "lstat(" + path + ", {st_mode=S_IFREG|0644, st_size=9}) = 0\n";
    out += "lgetxattr(" + path + ", \"security.selinux\", buf, 255) = -61\n";
    out += "getxattr(" + path + ", \"system.posix_acl_access\", buf, 0) = -61\n";
  }
  return out +
         "lstat(\"top%d/link\", {st_mode=S_IFLNK|0777, st_size=3}) = 0\n"
         "lgetxattr(\"top%d/link\", \"security.selinux\", buf, 255) = -61\n"
         "readlink(\"top%d/link\", buf, 4) = 3\n";
}

struct Found {
  PackedTrace trace;
  std::vector<Stream> streams;
  std::vector<LoopShape> shapes;
};
Found shapes_in(const std::string& calls) {
  Found f{packed(recording(calls)), {}, {}};
  f.streams = split_into_streams({&f.trace});
  f.shapes = find_shapes({&f.streams[0]}, 4);
  return f;
}

std::vector<std::string> keys(const LoopShape& shape) {
  std::vector<std::string> out;
  for (const EachCall& c : shape.calls) out.push_back(c.sources.key);
  return out;
}
using Keys = std::vector<std::string>;

TEST(Directories, TheSameQuestionAboutEachNameIsAShape) {
  const Found f = shapes_in(repeated(4, kOpen + kEnd + looks("3", "S_IFREG") + kClose));
  ASSERT_EQ(f.shapes.size(), 1u);
  EXPECT_EQ(keys(f.shapes[0]), Keys({"newfstatat(dir, name, buf, 0x100)"}));
  EXPECT_FALSE(f.shapes[0].leaves);
}

TEST(Directories, EachKindOfFileHasItsCalls) {
  const Found f = shapes_in(repeated(4, kOpen + attributes() + kEnd + kClose));
  ASSERT_EQ(f.shapes.size(), 1u);
  EXPECT_EQ(
      keys(f.shapes[0]),
      Keys({"lstat(dir/name, buf)", "lgetxattr(dir/name, \"security.selinux\", buf, size)",
            "getxattr(dir/name, \"system.posix_acl_access\", buf, 0)", "readlink(dir/name, buf, size)"}));
  EXPECT_EQ(f.shapes[0].calls[1].kinds, 1u << kKindRegular | 1u << kKindLink);
  EXPECT_EQ(f.shapes[0].calls[2].kinds, 1u << kKindRegular);
  EXPECT_EQ(f.shapes[0].calls[3].kinds, 1u << kKindLink);
}

TEST(Directories, ACallThatFollowsALinkIsNotMadeForOne) {
  const std::string follows =
      "lstat(\"top%d/a\", {st_mode=S_IFLNK|0777, st_size=3}) = 0\n"
      "getxattr(\"top%d/a\", \"user.x\", buf, 0) = -61\n";
  const Found f = shapes_in(repeated(6, kOpen + follows + kEnd + kClose));
  ASSERT_EQ(f.shapes.size(), 1u);
  EXPECT_EQ(keys(f.shapes[0]), Keys({"lstat(dir/name, buf)"}));
}

TEST(Directories, AStatThatFollowsLinksIsNoShape) {
  const std::string stat = "newfstatat(3, \"a\", {st_mode=S_IFREG|0644, st_size=3}, 0) = 0\n";
  EXPECT_TRUE(shapes_in(repeated(6, kOpen + stat + stat + kEnd + kClose)).shapes.empty());
}

TEST(Directories, AProgramThatGoesIntoDirectoriesLeavesTheLoop) {
  const std::string enter =
      "newfstatat(3, \"sub\", {st_mode=S_IFDIR|0755, st_size=4096}, AT_SYMLINK_NOFOLLOW) = 0\n"
      "openat(3, \"sub\", O_RDONLY|O_DIRECTORY) = 4\nclose(4) = 0\n";
  EXPECT_TRUE(shapes_in(repeated(4, kOpen + kEnd + looks("3", "S_IFREG") + enter + kClose)).shapes[0].leaves);
}

TEST(Directories, ACopyOfTheDescriptorIsTheSameDirectory) {
  const std::string copy = "fcntl(3, F_DUPFD_CLOEXEC, 3) = 5\n";
  const Found f =
      shapes_in(repeated(4, kOpen + kEnd + copy + kClose + looks("5", "S_IFREG") + "close(5) = 0\n"));
  ASSERT_EQ(f.shapes.size(), 1u);
}

// All of a directory in one entry: the open, the loop, and what comes behind it. Replayed with the machine
// itself.
TEST(Directories, TheLoopStandsBehindTheOpen) {
  const Trace trace = recording(repeated(20, kOpen + looks("3", "S_IFREG") + kEnd + kClose));
  const Result<Compiled> compiled = compile({&trace}, {});
  ASSERT_TRUE(compiled) << compiled.message();
  ASSERT_FALSE(compiled->emitted.empty());
  const EmittedInfo& first = compiled->emitted[0];
  EXPECT_EQ(first.name, "openat: newfstatat getdents64 each(newfstatat)*512 getdents64");
  EXPECT_EQ(first.hits, 20u * 6) << "fstat, getdents64, three names, getdents64";
  EXPECT_EQ(first.misses, 0u);
  EXPECT_EQ(compiled->predicted_entries, 20u);
}

// One instruction makes the first call of each name; it ends at links, for which there is one more to make,
// and goes on.
TEST(Directories, WhatOnlySomeKindsGetIsMadeBetweenTwoWideInstructions) {
  const std::string link =
      "newfstatat(3, \"link\", {st_mode=S_IFLNK|0777, st_size=3}, AT_SYMLINK_NOFOLLOW) = 0\n"
      "readlinkat(3, \"link\", buf, 4) = 3\n";
  const std::string last =
      "newfstatat(3, \"z\", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0\n";
  const Trace trace = recording(repeated(20, kOpen + looks("3", "S_IFREG") + link + last + kEnd + kClose));
  const Result<Compiled> compiled = compile({&trace}, {});
  ASSERT_TRUE(compiled) << compiled.message();
  ASSERT_FALSE(compiled->emitted.empty());
  EXPECT_EQ(compiled->emitted[0].name,
            "openat: newfstatat getdents64 each(newfstatat readlinkat)*512 getdents64");
  EXPECT_EQ(compiled->emitted[0].hits, 20u * 9);
  EXPECT_EQ(compiled->emitted[0].misses, 0u);
  const std::string text = to_text(compiled->file.procs[0]);
  EXPECT_NE(text.find("stat_entries"), std::string::npos) << text;
}

// The machine has no order but the directory's: a sorted walk is not answered.
TEST(Directories, AnotherOrderIsNotReplayedAsHits) {
  const std::string one =
      "newfstatat(3, \"b\", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0\n";
  const std::string two =
      "newfstatat(3, \"a\", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0\n";
  const std::string news = "getppid() = 1\n";
  const Trace trace = recording(repeated(10, kOpen + kEnd + one + news + two + news + kClose));
  const Result<Compiled> compiled = compile({&trace}, {});
  ASSERT_TRUE(compiled) << compiled.message();
  for (const EmittedInfo& e : compiled->emitted)
    EXPECT_EQ(e.name.find("each(newfstatat)") == 0, false) << e.hits;
}

}  // namespace
}  // namespace sysvm
