// SPDX-License-Identifier: MIT
// The whole pipeline: what programs did -> what is made ahead of them, and how many entries that leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/optimizer.h"
#include "procedures/text.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

Compiled compiled(const std::string& calls, const CompileOptions& options = {}) {
  const Trace trace = recording(calls);
  Result<Compiled> out = compile({&trace}, options);
  EXPECT_TRUE(out) << out.message();
  return out ? std::move(out).value() : Compiled{};
}

std::vector<std::string> names(const Compiled& c) {
  std::vector<std::string> out;
  for (const EmittedInfo& e : c.emitted) out.push_back(e.mode + " " + e.name);
  return out;
}

using Names = std::vector<std::string>;

TEST(Compile, GrepFileIsOneEntry) {
  const Compiled c = compiled(repeated(20, kGrepFile));
  EXPECT_EQ(names(c), (Names{"run_ahead openat: newfstatat read+end", "late_close close"}));
  EXPECT_EQ(c.calls, 100u);
  EXPECT_EQ(c.predicted_entries, 20u);
}

TEST(Compile, GrepDirectoryIsOneEntry) {
  const Compiled c = compiled(repeated(20, kGrepDirectory));
  EXPECT_EQ(names(c), (Names{"run_ahead openat: newfstatat fcntl F_GETFL fcntl F_SETFD newfstatat "
                             "fcntl F_DUPFD_CLOEXEC getdents64+end",
                             "late_close close"}));
  EXPECT_EQ(c.calls, 180u);
  EXPECT_EQ(c.predicted_entries, 20u);
}

TEST(Compile, Md5sumIsTwoEntriesAFile) {
  const Compiled c = compiled(repeated(20, kMd5sum));
  EXPECT_EQ(names(c), (Names{"run_ahead openat: fadvise64 newfstatat read+end lseek", "late_close close"}));
  EXPECT_EQ(c.calls, 160u);
  EXPECT_EQ(c.predicted_entries, 40u);
}

TEST(Compile, GawkReadsOfAnySizeAreOneEntryAFile) {
  const Compiled c = compiled(repeated(20, kGawk));
  EXPECT_EQ(names(c),
            (Names{"run_ahead openat: fcntl F_GETFD fcntl F_SETFD newfstatat ioctl TCGETS newfstatat "
                   "read*2+end",
                   "late_close close"}));
  EXPECT_EQ(c.calls, 380u);
  EXPECT_EQ(c.predicted_entries, 40u);
}

TEST(Compile, SedUnrollsItsReads) {
  const Compiled c = compiled(repeated(20, kSed));
  EXPECT_EQ(names(c), (Names{"run_ahead openat: newfstatat read*3+end", "late_close close"}));
  EXPECT_EQ(c.predicted_entries, 20u);
}

TEST(Compile, WhatIsLookedAtUnderALockFollowsTheLastLockInARow) {
  const Compiled c = compiled("openat(AT_FDCWD, \"/var/t.db\", O_RDWR) = 3\n" + repeated(20, kSelect));
  EXPECT_EQ(names(c),
            (Names{"run_ahead fcntl F_SETLK no. 3 in a row: newfstatat pread64 newfstatat newfstatat"}));
  ASSERT_EQ(c.file.procs.size(), 1u);
  EXPECT_EQ(trigger_text(c.file.procs[0].triggers[0]), "fcntl(_, 6, _) streak 3");
  EXPECT_EQ(c.predicted_entries, 1 + 20u * 5);
}

TEST(Compile, APathThatIsAnotherEachTimeIsNotFollowed) {
  std::string calls = kSelect;
  for (size_t at = 0; (at = calls.find("t.db-", at)) != std::string::npos; at += 5) calls.insert(at, "%d");
  const Compiled c = compiled(repeated(20, calls));
  EXPECT_EQ(c.emitted.size(), 0u);
}

TEST(Compile, APathThatComesWithEachEntryBelongsToTheLoop) {
  const Compiled c = compiled(repeated(20, kFindLs));
  ASSERT_GE(c.emitted.size(), 2u);
  EXPECT_THAT(names(c), testing::Contains("run_ahead each(newfstatat newfstatat)"));
}

// git status reads the end of a directory only after everything below it. Made ahead, that read would have to
// be undone each time, which costs more than the rest saves.
TEST(Compile, APlanThatDoesNotPayIsTriedShorter) {
  const Compiled c = compiled(repeated(20, R"(
openat(AT_FDCWD, "d%d/", O_RDONLY|O_DIRECTORY) = 4
newfstatat(4, "", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0
getdents64(4, buf, 32768) = 240
openat(AT_FDCWD, "d%d/sub", O_RDONLY|O_DIRECTORY) = 5
newfstatat(5, "", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0
getdents64(5, buf, 32768) = 240
getdents64(5, buf, 32768) = 0
close(5) = 0
getdents64(4, buf, 32768) = 0
close(4) = 0
)") + repeated(3, R"(
openat(AT_FDCWD, "e%d/", O_RDONLY|O_DIRECTORY) = 4
newfstatat(4, "", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0
getdents64(4, buf, 32768) = 240
getdents64(4, buf, 32768) = 0
close(4) = 0
)"));
  EXPECT_EQ(names(c)[0], "run_ahead openat: newfstatat getdents64");
  EXPECT_THAT(c.emitted[0].stop, testing::HasSubstr("more time than they cost"));
}

TEST(Compile, StrictLeavesTheCloseAlone) {
  CompileOptions options;
  options.strict = true;
  const Compiled c = compiled(repeated(20, kGrepFile), options);
  EXPECT_EQ(names(c), (Names{"run_ahead openat: newfstatat read+end"}));
  EXPECT_EQ(c.predicted_entries, 40u);
  EXPECT_EQ(to_text(c.file).find("goon close"), std::string::npos);
}

TEST(Compile, EmptyHasNoProcedures) {
  CompileOptions options;
  options.empty = true;
  const Compiled c = compiled(repeated(20, kGrepFile), options);
  EXPECT_TRUE(c.emitted.empty());
  EXPECT_EQ(c.predicted_entries, c.calls);
  EXPECT_FALSE(c.svp.empty());
}

TEST(Compile, WhatIsSeenTooSeldomIsLeftOutWithTheReason) {
  const Compiled c = compiled(repeated(3, kGrepFile));
  EXPECT_TRUE(c.emitted.empty());
  ASSERT_FALSE(c.dropped.empty());
  EXPECT_EQ(c.dropped[0].trigger, "openat flags 0x20900");
  EXPECT_EQ(c.dropped[0].reason, "seen 3 times, fewer than 4");
}

TEST(Compile, ReadsOfALongFileFollowARead) {
  std::string calls = "openat(AT_FDCWD, \"big\", O_RDONLY) = 3\n" +
                      repeated(200, "read(3, buf, 16384) = 16384") +
                      "read(3, buf, 16384) = 10\nread(3, buf, 16384) = 0\nclose(3) = 0\n";
  const Compiled c = compiled(calls);
  ASSERT_FALSE(c.emitted.empty());
  EXPECT_EQ(c.emitted[0].name, "read: read*15+end");
  EXPECT_EQ(c.calls, 204u);
  EXPECT_LE(c.predicted_entries, 25u);
}

TEST(Compile, AQueryOutsideOfASequenceIsAnswered) {
  // The lock cuts: the second query cannot follow the open.
  const Compiled c = compiled(repeated(20, R"(
openat(AT_FDCWD, "f%d", O_RDONLY) = 3
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=10}, AT_EMPTY_PATH) = 0
flock(1, 2) = 0
lseek(3, 0, SEEK_CUR) = 0
close(3) = 0
)"));
  EXPECT_EQ(names(c),
            (Names{"run_ahead openat: newfstatat", "answer lseek(0, SEEK_CUR)", "late_close close"}));
}

// Without a guard nobody knows what the descriptor is: nothing about it can be answered.
TEST(Compile, NothingIsAnsweredAboutADescriptorThatNoGuardLookedAt) {
  const Compiled c = compiled(repeated(20, R"(
openat(AT_FDCWD, "f%d", O_RDONLY) = 3
flock(1, 2) = 0
lseek(3, 0, SEEK_CUR) = 0
close(3) = 0
)"));
  EXPECT_EQ(names(c), Names{});
}

// Two places of the C library open with the same flags; one maps, one reads.
Trace two_sites() {
  Trace trace = recording("");
  Mapping libc;
  libc.pid = 100;
  libc.start = 0x400000;
  libc.end = 0x500000;
  libc.offset = 0x1000;
  libc.path = "/lib/libc.so.6";
  libc.build_id = "11ff";
  trace.mappings.push_back(libc);
  auto add = [&](uint64_t ip, const std::string& calls) {
    const size_t from = trace.events.size();
    add_calls(trace, calls);
    for (size_t i = from; i < trace.events.size(); ++i) trace.events[i].ip = ip;
  };
  for (int i = 0; i < 20; ++i) {
    add(0x400102, kSed);
    add(0x400202, R"(
openat(AT_FDCWD, "x", O_RDONLY) = 3
mmap(0, 100, PROT_READ, MAP_PRIVATE, 3, 0) = 4096
close(3) = 0
)");
  }
  return trace;
}

TEST(Compile, PlacesThatGoOnDifferentlyAreToldApart) {
  const Trace trace = two_sites();
  const Result<Compiled> c = compile({&trace}, {});
  ASSERT_TRUE(c) << c.message();
  EXPECT_EQ(names(*c), (Names{"run_ahead openat: newfstatat read*3+end", "late_close close"}));
  const std::optional<CodePlace>& site = c->file.procs[0].triggers[0].site;
  ASSERT_TRUE(site);
  EXPECT_EQ(site->build_id, "11ff");
  EXPECT_EQ(site->offset, 0x1100u);
  EXPECT_EQ(c->emitted[0].misses, 0u);
}

// A place is named only where it tells something apart: the fewer conditions, the surer the match.
TEST(Compile, OnePlaceIsNotNamed) {
  Trace trace = two_sites();
  std::erase_if(trace.events, [](const Event& e) { return e.ip == 0x400202; });
  for (size_t i = 0; i < trace.events.size(); ++i) trace.events[i].seq = static_cast<uint32_t>(i);
  const Result<Compiled> c = compile({&trace}, {});
  ASSERT_TRUE(c) << c.message();
  ASSERT_FALSE(c->file.procs.empty());
  EXPECT_FALSE(c->file.procs[0].triggers[0].site);
}

TEST(Compile, TwoExecutablesGetTheirOwnProcedures) {
  Trace trace = recording(repeated(10, kGrepFile));
  Process other;
  other.pid = 200;
  other.execed = true;
  other.build_id = "ccdd";
  trace.processes.push_back(other);
  add_calls(trace, repeated(10, kGrepFile), 200, 200);
  const Result<Compiled> c = compile({&trace}, {});
  ASSERT_TRUE(c) << c.message();
  std::vector<std::string> exes;
  for (const EmittedInfo& e : c->emitted)
    if (e.mode == "run_ahead") exes.push_back(e.exe);
  EXPECT_EQ(exes, (std::vector<std::string>{"aabb", "ccdd"}));
}

TEST(Compile, NothingIsLearnedBehindASecondThread) {
  Trace trace = recording("");
  add_calls(trace, "brk(0) = 5000\n", 100, 101);
  add_calls(trace, repeated(20, kGrepFile));
  const Result<Compiled> c = compile({&trace}, {});
  ASSERT_TRUE(c) << c.message();
  EXPECT_TRUE(c->emitted.empty());
}

}  // namespace
}  // namespace sysvm
