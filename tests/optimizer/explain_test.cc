// SPDX-License-Identifier: MIT
#include "optimizer/explain/explain.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "optimizer/optimizer.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<ExplainedProcedure> explained(const char* calls) {
  const Trace trace = recording(repeated(20, calls));
  const Result<Compiled> c = compile({&trace}, {});
  EXPECT_TRUE(c) << c.message();
  return c ? explain(c->file) : std::vector<ExplainedProcedure>{};
}

TEST(Explain, SaysWhereEachArgumentComesFrom) {
  const std::vector<ExplainedProcedure> all = explained(kGrepFile);
  ASSERT_EQ(all.size(), 2u);
  const ExplainedProcedure& e = all[0];
  EXPECT_EQ(e.mode, "run_ahead");
  EXPECT_EQ(e.hits, 60);
  EXPECT_THAT(e.triggers, ElementsAre("fd = openat($0, path, 0x20900, $3)"));
  ASSERT_EQ(e.followers.size(), 3u);
  EXPECT_EQ(e.followers[0].call, "newfstatat(fd, \"\", buf, 0x1000)");
  EXPECT_THAT(e.followers[0].from, ElementsAre("the trigger's result", "constant string \"\"",
                                               "filled: 144 bytes staged at 0", "constant 0x1000"));
  EXPECT_EQ(e.followers[1].call, "read(fd, buf, 98304)");
  EXPECT_EQ(e.followers[2].call, "read(fd, buf, 64)");
  EXPECT_THAT(e.guard, HasSubstr("a regular file that is not empty, on a file system"));
  EXPECT_EQ(all[1].mode, "late_close");
  EXPECT_EQ(all[1].guard, "");
}

TEST(Explain, NamesCommandsAndDirectories) {
  const std::vector<ExplainedProcedure> all = explained(kGrepDirectory);
  ASSERT_FALSE(all.empty());
  std::vector<std::string> calls;
  for (const ExplainedCall& f : all[0].followers) calls.push_back(f.call);
  EXPECT_THAT(calls, ElementsAre("newfstatat(fd, \"\", buf, 0x1000)", "fcntl(fd, F_GETFL, _)",
                                 "fcntl(fd, F_SETFD, 1)", "newfstatat($0, path, buf, 0x100)",
                                 "fcntl(fd, F_DUPFD_CLOEXEC, 3)", "getdents64(fd, buf, 32768)",
                                 "getdents64(fd, buf, 32768)"));
}

// As the compiler does not promise to make each of these from a recording, the file is put together here.
TEST(Explain, NamesLoopsKeptPathsAndLocks) {
  Procedure p;
  p.name = "fcntl: pread64 each(newfstatat newfstatat)";
  p.trigger_result = 7;
  Trigger lock;
  lock.nr = SYS_fcntl;
  lock.streak = 3;
  lock.arg[1].kind = SVP_ARG_CONST;
  lock.arg[1].value = F_SETLK;
  p.triggers = {lock};
  Follower page{.nr = SYS_pread64, .result = 8, .nargs = 4, .arg = {}};
  Follower entry{.nr = SYS_newfstatat, .result = 9, .nargs = 4, .arg = {}};
  entry.arg[1].kind = SVP_ARG_NAME;
  Follower zone = entry;
  zone.arg[1].kind = SVP_ARG_KEPT;
  p.followers = {page, entry, zone};
  p.loop.emplace();
  p.loop->first = 1;
  p.loop->followers = 2;
  p.loop->capacity = 40;
  const std::string text = explain_text({{p}, ""});
  EXPECT_THAT(text, HasSubstr("fcntl($0, F_SETLK, $2), number 3 in a row"));
  EXPECT_THAT(text, HasSubstr("only if  a regular file that is not empty"));
  EXPECT_THAT(text, HasSubstr("each dirent, at most 40 in a run:\n  answers  newfstatat(_, name"));
  EXPECT_THAT(text, HasSubstr("newfstatat(_, kept path"));
  EXPECT_THAT(explain_json({{p}, ""}), HasSubstr("\"entries\": 40"));
}

TEST(Explain, ListsAreShownWithoutAllTheirNames) {
  PrefetchList list{"app\n", "aabb", 0x1234, 2, 81200000, {}};
  for (int i = 0; i < 9; ++i)
    list.items.push_back({SVP_ITEM_FILE, "/lib/\x1b" + std::to_string(i), 4096, 1000000, 2000000, 0, 0});
  list.items.push_back({SVP_ITEM_DIRECTORY, "/usr/share/app", 0, 0, 0, 0, 0});
  ProcedureFile file;
  file.lists = {list};
  const std::string text = explain_text(file);
  EXPECT_THAT(text, HasSubstr("list 0: app\\012 (prefetch)"));
  EXPECT_THAT(text, HasSubstr("reads    9 files (9.0 MB), lists 1 directories, looks at 0 names"));
  EXPECT_THAT(text, HasSubstr("(1000000 bytes from 4096)"));
  EXPECT_THAT(text, HasSubstr("and 5 more"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "names are anybody's";
  EXPECT_THAT(explain_json(file), HasSubstr("\"waited_ns\": 81200000"));
}

TEST(Explain, AFileWithoutProceduresSaysSo) {
  EXPECT_EQ(explain_text({}), "no procedures: every call is made plainly\n");
  EXPECT_THAT(explain_json({}), HasSubstr("\"schema\": 1"));
}

}  // namespace
}  // namespace sysvm
